//! What an equipment's directory says of a file (`cwm-oke.md §8`): per file a name, perhaps a version, perhaps a
//! checksum, which is an MD5 or a CWCRC16. Pure.
//!
//! How a directory is spelt is not documented. So a file is looked for wherever its name stands: as a member's
//! name, as a member's value, or in a list; and what stands beside it is looked at for a checksum.

use serde_json::Value as Json;

use crate::model::{Listing, Parcel};

/// What a payload says of a file; `None` when it does not name it.
pub(super) fn listing(payload: &Json, parcel: &Parcel) -> Option<Listing> {
    let mut best = None;
    walk(payload, parcel, &mut best);
    best
}

fn walk(node: &Json, parcel: &Parcel, best: &mut Option<Listing>) {
    match node {
        Json::Object(members) => {
            let named = members.values().any(|value| is_name(value, parcel));
            for (key, value) in members {
                if named || *key == parcel.name {
                    keep(best, Listing::Unsigned);
                    beside(value, key, parcel, best);
                } else {
                    walk(value, parcel, best);
                }
            }
        }
        Json::Array(items) => {
            let named = items.iter().any(|item| is_name(item, parcel));
            for item in items {
                if named {
                    keep(best, Listing::Unsigned);
                    beside(item, "", parcel, best);
                } else {
                    walk(item, parcel, best);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn is_name(value: &Json, parcel: &Parcel) -> bool {
    value.as_str() == Some(&parcel.name)
}

/// Looks at something that stands beside the file's name; `key` is its own name, if it has one.
fn beside(value: &Json, key: &str, parcel: &Parcel, best: &mut Option<Listing>) {
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                beside(value, key, parcel, best);
            }
        }
        Json::Array(items) => {
            for item in items {
                beside(item, key, parcel, best);
            }
        }
        Json::String(text) => {
            if let Some(listing) = checksum(text, key, parcel) {
                keep(best, listing);
            }
        }
        Json::Number(number) if speaks_of(key, &SUMS) => {
            let same = number.as_u64() == u64::from_str_radix(&parcel.crc16, 16).ok();
            let text = format!("CRC {number}");
            keep(best, if same { Listing::Same(text) } else { Listing::Other(text) });
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Reads a text as a checksum, if it looks like one. A version may look like a CRC, so one that stands under
/// another name than a checksum's can confirm, but not contradict.
fn checksum(text: &str, key: &str, parcel: &Parcel) -> Option<Listing> {
    let text = text.trim();
    let digits = text.rsplit([':', ' ', '=']).next().unwrap_or(text);
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits);
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (said, same, sure) = match digits.len() {
        32 => (format!("MD5 {digits}"), digits.eq_ignore_ascii_case(&parcel.md5), true),
        4 => {
            let same = digits.eq_ignore_ascii_case(&parcel.crc16);
            (format!("CRC {digits}"), same, speaks_of(key, &SUMS) || key == parcel.name)
        }
        _ => return None,
    };
    match (same, sure) {
        (true, _) => Some(Listing::Same(said)),
        (false, true) => Some(Listing::Other(said)),
        (false, false) => None,
    }
}

fn speaks_of(key: &str, words: &[&str]) -> bool {
    let key = key.to_ascii_lowercase();
    words.iter().any(|word| key.contains(word))
}

/// What confirms beats what contradicts, and both beat a name alone.
fn keep(best: &mut Option<Listing>, found: Listing) {
    let rank = |listing: &Listing| match listing {
        Listing::Same(_) => 2,
        Listing::Other(_) => 1,
        Listing::Unsigned => 0,
    };
    if best.as_ref().is_none_or(|known| rank(&found) > rank(known)) {
        *best = Some(found);
    }
}

/// What a checksum's name has in it.
const SUMS: [&str; 5] = ["crc", "md5", "sum", "hash", "check"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MD5: &str = "0cc175b9c0f1b6a831c399e269772661";

    fn parcel() -> Parcel {
        Parcel {
            file: "published.bin".to_owned(),
            name: "fw.bin".to_owned(),
            size: 1,
            sha256: String::new(),
            md5: MD5.to_owned(),
            crc16: "0AF1".to_owned(),
        }
    }

    fn of(payload: &Json) -> Option<Listing> {
        listing(payload, &parcel())
    }

    #[test]
    fn every_spelling_of_an_entry_confirms() {
        let upper = MD5.to_uppercase();
        for payload in [
            json!({"_dir": [{"name": "a.bin", "crc": "FFFF"}, {"name": "fw.bin", "version": "1.2", "crc": "0AF1"}]}),
            json!({"_dir": {"a.bin": "FFFF", "fw.bin": "0af1"}}),
            json!({"_dir": {"fw.bin": ["1.2", MD5]}}),
            json!({"_dir": {"fw.bin": {"ver": "0001", "md5": upper}}}),
            json!({"_dir": [["a.bin", "1", "FFFF"], ["fw.bin", "1", "0x0AF1"]]}),
            json!({"files": {"list": [{"n": "fw.bin", "c": "0AF1"}]}}),
            json!({"_dir": {"fw.bin": "md5:0cc175b9c0f1b6a831c399e269772661"}}),
            json!({"_dir": [{"name": "fw.bin", "crc16": 0x0AF1}]}),
            json!({"name": "fw.bin", "ver": "0AF0", "crc": "0AF1"}),
        ] {
            assert!(matches!(of(&payload), Some(Listing::Same(_))), "{payload}");
        }
    }

    #[test]
    fn another_checksum_contradicts() {
        for payload in [
            json!({"_dir": [{"name": "fw.bin", "crc": "1111"}]}),
            json!({"_dir": {"fw.bin": "1111"}}),
            json!({"_dir": [["fw.bin", "d41d8cd98f00b204e9800998ecf8427e"]]}),
            json!({"_dir": [{"name": "fw.bin", "crc": 17}]}),
        ] {
            assert!(matches!(of(&payload), Some(Listing::Other(_))), "{payload}");
        }
    }

    #[test]
    fn a_version_that_looks_like_a_checksum_contradicts_nothing() {
        for payload in [
            json!({"_dir": ["a.bin", "fw.bin"]}),
            json!({"_dir": {"fw.bin": null}}),
            json!({"_dir": [{"name": "fw.bin", "version": "0102", "size": 1000}]}),
            json!({"_dir": [["fw.bin", "0102"]]}),
        ] {
            assert_eq!(of(&payload), Some(Listing::Unsigned), "{payload}");
        }
    }

    #[test]
    fn other_files_and_other_payloads_say_nothing() {
        for payload in [
            json!({"_hbt": {"door": 1}}),
            json!({"_dir": []}),
            json!({"_dir": [{"name": "fw.bin.old", "crc": "0AF1"}, {"name": "published.bin", "crc": "0AF1"}]}),
            json!({"_dir": {"FW.BIN": "0AF1"}}),
        ] {
            assert_eq!(of(&payload), None, "{payload}");
        }
    }
}
