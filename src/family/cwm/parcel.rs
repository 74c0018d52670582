//! A piece of a file, and the question what files there are, as messages (`cwm-oke.md §8`). Pure.
//!
//! No wire name of the file transfer is documented, so each message is a template that an owner may set right.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use super::draft;
use super::names::{CrcCase, CwmSettings};
use crate::family::{CommandText, Delivery, Invalid};
use crate::model::{Parcel, Timestamp};

/// Sending files to equipment in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileSettings {
    /// Length of a piece in bytes; a shorter one ends the file. Equipment's buffers hold about half a kilobyte.
    pub fragment_bytes: NonZeroU32,
    /// The verb of a piece.
    pub fragment_cmd: String,
    /// The payload of a piece. `{name}`, `{offset}`, `{len}` and `{base64}` are the piece's; `{size}`, `{crc16}` and
    /// `{md5}` the whole file's.
    #[serde(deserialize_with = "fragment_template")]
    pub fragment_template: String,
    /// The verb of the question what files there are.
    pub directory_cmd: String,
    /// Its payload, with `{name}`, `{size}`, `{crc16}` and `{md5}`; empty when equipment is not to be asked.
    #[serde(deserialize_with = "directory_template")]
    pub directory_template: String,
    /// How often the question is asked after a file was delivered.
    pub directory_asks_max: u32,
    /// How long its answer may take, in seconds.
    pub directory_answer_s: NonZeroU32,
    /// Transfers whose pieces may be on their way at once; one at a time for each module.
    pub transfers_max: NonZeroU32,
    /// Bytes of files that all transfers together may send in a second.
    pub bytes_per_second_max: NonZeroU32,
    /// How often a file is begun anew after a piece was given up.
    pub restarts_max: u32,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            fragment_bytes: at_least_one(512),
            fragment_cmd: "wr".to_owned(),
            fragment_template: r#"{"_file":{"name":"{name}","offset":{offset},"data":"{base64}"}}"#
                .to_owned(),
            directory_cmd: "rd".to_owned(),
            directory_template: r#"{"_dir":true}"#.to_owned(),
            directory_asks_max: 3,
            directory_answer_s: at_least_one(30),
            transfers_max: at_least_one(8),
            bytes_per_second_max: at_least_one(32 * 1024),
            restarts_max: 2,
        }
    }
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

/// The payload of a piece.
pub(super) fn fragment(
    settings: &FileSettings,
    case: CrcCase,
    parcel: &Parcel,
    offset: u64,
    bytes: &[u8],
) -> String {
    fill(&settings.fragment_template, |word| match word {
        "offset" => Some(offset.to_string()),
        "len" => Some(bytes.len().to_string()),
        "base64" => Some(STANDARD.encode(bytes)),
        whole => of_the_file(whole, case, parcel),
    })
}

/// The payload of the question what files there are.
pub(super) fn directory(settings: &FileSettings, case: CrcCase, parcel: &Parcel) -> String {
    fill(&settings.directory_template, |word| of_the_file(word, case, parcel))
}

/// Checks that every message of a delivery fits: the last full piece has the longest one.
pub(super) fn check(delivery: &Delivery, settings: &CwmSettings) -> Result<(), Invalid> {
    let name = &delivery.name;
    let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !printable {
        let message =
            format!("a file's name on equipment has 1 to {NAME_BYTES_MAX} printable ASCII characters");
        return Err(Invalid::new("name", message));
    }
    let files = &settings.files;
    let parcel = Parcel { name: name.clone(), size: delivery.size, ..sample() };
    let piece = vec![0; usize::try_from(files.fragment_bytes.get()).unwrap_or(usize::MAX)];
    let mut messages =
        vec![(&files.fragment_cmd, fragment(files, settings.crc_case, &parcel, delivery.size, &piece))];
    if !files.directory_template.is_empty() {
        messages.push((&files.directory_cmd, directory(files, settings.crc_case, &parcel)));
    }
    for (cmd, payload) in messages {
        let text = CommandText {
            address: Some(delivery.address.clone()),
            parent: delivery.parent.clone(),
            cmd: cmd.clone(),
            payload,
            dst: None,
            at: Timestamp::from_micros(0),
        };
        draft::draft(&text, settings).map_err(|invalid| match invalid.field {
            "payload" => Invalid::new(
                "name",
                format!(
                    "a piece of the file makes no message: {} (choose a shorter name, or lower \
                     cwm.files.fragment_bytes)",
                    invalid.message
                ),
            ),
            _ => invalid,
        })?;
    }
    Ok(())
}

fn of_the_file(word: &str, case: CrcCase, parcel: &Parcel) -> Option<String> {
    match word {
        "name" => Some(inside_a_string(&parcel.name)),
        "size" => Some(parcel.size.to_string()),
        "crc16" => Some(match case {
            CrcCase::Upper => parcel.crc16.to_ascii_uppercase(),
            CrcCase::Lower => parcel.crc16.to_ascii_lowercase(),
        }),
        "md5" => Some(parcel.md5.clone()),
        _ => None,
    }
}

/// Puts values in the place of `{word}`s. What was put in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(template.len() + 1024);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let word = from.get(1..).and_then(|inside| inside.split_once('}')).map(|(word, _)| word);
        if let Some((word, value)) = word.and_then(|word| Some((word, value(word)?))) {
            text.push_str(&value);
            rest = from.get(word.len() + 2..).unwrap_or_default();
        } else {
            text.push('{');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    text.push_str(rest);
    text
}

/// A text as it stands between the quotes of a JSON string.
fn inside_a_string(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

fn fragment_template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let template = String::deserialize(deserializer)?;
    for word in ["{base64}", "{offset}"] {
        if !template.contains(word) {
            return Err(serde::de::Error::custom(format!("files.fragment_template has no {word} in it")));
        }
    }
    let settings = FileSettings { fragment_template: template.clone(), ..FileSettings::default() };
    let sample = fragment(&settings, CrcCase::Upper, &sample(), 0, b"x");
    is_message("files.fragment_template", &sample).map_err(serde::de::Error::custom)?;
    Ok(template)
}

fn directory_template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let template = String::deserialize(deserializer)?;
    if !template.is_empty() {
        let settings = FileSettings { directory_template: template.clone(), ..FileSettings::default() };
        let sample = directory(&settings, CrcCase::Upper, &sample());
        is_message("files.directory_template", &sample).map_err(serde::de::Error::custom)?;
    }
    Ok(template)
}

/// A file whose checksums have the length of real ones.
fn sample() -> Parcel {
    Parcel {
        file: "a".to_owned(),
        name: "a".to_owned(),
        size: 1,
        sha256: "a".repeat(64),
        md5: "a".repeat(32),
        crc16: "AAAA".to_owned(),
    }
}

fn is_message(key: &str, filled: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(filled) {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) => Err(format!("{key} makes no JSON object: {filled}")),
        Err(error) => Err(format!("{key} makes no JSON ({error}): {filled}")),
    }
}

/// As long as a published file's name may be.
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(name: &str) -> Parcel {
        Parcel {
            file: "fw.bin".to_owned(),
            name: name.to_owned(),
            size: 1023,
            sha256: String::new(),
            md5: "0cc175b9c0f1b6a831c399e269772661".to_owned(),
            crc16: "0AF1".to_owned(),
        }
    }

    #[test]
    fn a_piece_is_made_of_its_template() {
        let settings = FileSettings::default();
        assert_eq!(
            fragment(&settings, CrcCase::Upper, &parcel("fw.bin"), 512, b"\xff\x00"),
            r#"{"_file":{"name":"fw.bin","offset":512,"data":"/wA="}}"#
        );
        let every = FileSettings {
            fragment_template:
                r#"{"f":["{name}",{offset},{len},"{base64}","{crc16}","{md5}",{size},"{other}"]}"#.to_owned(),
            ..settings
        };
        assert_eq!(
            fragment(&every, CrcCase::Lower, &parcel("fw.bin"), 1023, b""),
            r#"{"f":["fw.bin",1023,0,"","0af1","0cc175b9c0f1b6a831c399e269772661",1023,"{other}"]}"#
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_its_place() {
        let text =
            fragment(&FileSettings::default(), CrcCase::Upper, &parcel(r#"{base64}"},"x":"\"#), 0, b"secret");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["_file"]["name"], r#"{base64}"},"x":"\"#);
        assert_eq!(read["_file"]["data"], "c2VjcmV0");
    }

    #[test]
    fn templates_that_make_no_message_are_refused_with_the_cause() {
        let read = |text: &str| toml::from_str::<FileSettings>(text).map_err(|error| error.to_string());
        for (text, cause) in [
            (r#"fragment_template = '{"a":{offset}}'"#, "{base64}"),
            (r#"fragment_template = '{"a":"{base64}"}'"#, "{offset}"),
            (r#"fragment_template = '["{base64}",{offset}]'"#, "no JSON object"),
            (r#"fragment_template = '{"a":{base64},"b":{offset}}'"#, "no JSON"),
            (r#"directory_template = '{"a":'"#, "no JSON"),
            ("fragment_bytes = 0", "nonzero"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(cause), "{text}: {error}");
        }
        assert_eq!(read("directory_template = ''").unwrap().directory_template, "");
        assert_eq!(read("").unwrap(), FileSettings::default());
    }

    fn delivery(address: &str, parent: Option<&str>, name: &str) -> Delivery {
        let parent = parent.map(str::to_owned);
        Delivery { address: address.to_owned(), parent, name: name.to_owned(), size: (1 << 31) - 1 }
    }

    #[test]
    fn a_full_piece_fits_a_message_whatever_the_file_is_called() {
        let settings = CwmSettings::default();
        let (oke, cwm) = ("036334d0b8df1f05", Some("0002010203040506"));
        check(&delivery(oke, cwm, &"n".repeat(64)), &settings).unwrap();
        // The five fragments of the serial link carry it, and with a usual name four do (§9.3).
        let narrow = CwmSettings { okm_max_bytes: 951, ..CwmSettings::default() };
        check(&delivery(oke, cwm, &"n".repeat(40)), &narrow).unwrap();
    }

    #[test]
    fn a_delivery_that_makes_no_message_is_refused_before_it_begins() {
        let settings = CwmSettings::default();
        let long = "d".repeat(64);
        for (delivery, field, cause) in [
            (delivery(&long, Some(&long), &"n".repeat(64)), "name", "choose a shorter name"),
            (delivery("036334d0b8df1f05", None, ""), "name", "1 to 64"),
            (delivery("036334d0b8df1f05", None, "a\nb"), "name", "printable"),
        ] {
            let invalid = check(&delivery, &settings).unwrap_err();
            assert_eq!(invalid.field, field);
            assert!(invalid.message.contains(cause), "{}", invalid.message);
        }
        let small = CwmSettings { okm_max_bytes: 499, ..CwmSettings::default() };
        assert!(check(&delivery("036334d0b8df1f05", None, "a"), &small).is_err());
        let files = FileSettings { fragment_bytes: at_least_one(192), ..FileSettings::default() };
        check(&delivery("036334d0b8df1f05", None, "a"), &CwmSettings { files, ..small }).unwrap();
    }
}
