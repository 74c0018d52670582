//! An operator's words → the exact bytes a module gets (`cwm-oke.md §4, §5.3`).

use std::fmt::Write as _;

use bytes::Bytes;

use super::names::CwmSettings;
use super::{crc, scan};
use crate::family::{CommandText, DraftText, Invalid};
use crate::model::{EncodeError, FamilyName, WireId};

/// Checks the words and makes a command of them. The device that fetches is the last of the destinations.
pub(super) fn draft(text: &CommandText, settings: &CwmSettings) -> Result<DraftText, Invalid> {
    let dst = destinations(text)?;
    let cmd = verb(&text.cmd)?;
    let payload = payload(&text.payload, settings)?;
    let (address, via) = match (dst.first(), dst.last()) {
        (Some(first), Some(last)) => (first.clone(), last.clone()),
        _ => return Err(Invalid::new("dst", "name at least one device")),
    };
    let form = Form { dst, cmd: cmd.clone(), ts: stamp(text, settings), payload: payload.clone() };
    // The number with the most digits decides: the real one is not known yet.
    let longest = form.encode(WireId::MAX, settings).len();
    if longest > settings.okm_max_bytes {
        return Err(Invalid::new(
            "payload",
            format!(
                "the message would be {longest} bytes long; a module takes at most {}",
                settings.okm_max_bytes
            ),
        ));
    }
    let warning = (longest > settings.okm_warn_bytes).then(|| {
        format!(
            "the message is {longest} bytes long; some modules pass on at most {}",
            settings.okm_warn_bytes
        )
    });
    let settings = settings.clone();
    let encode = move |id| Ok::<Bytes, EncodeError>(Bytes::from(form.encode(id, &settings)));
    Ok(DraftText {
        family: FamilyName::new(super::NAME),
        address,
        via,
        cmd,
        payload,
        encode: std::sync::Arc::new(encode),
        warning,
        life: None,
    })
}

/// A message but for its number.
struct Form {
    dst: Vec<String>,
    cmd: String,
    ts: String,
    payload: String,
}

impl Form {
    fn encode(&self, id: WireId, settings: &CwmSettings) -> Vec<u8> {
        let dst: Vec<String> = self.dst.iter().map(|name| quoted(name)).collect();
        let head = format!(
            r#"{{"_dst":[{}],"_cmd":{},"_id":{id},"_ts":{},"_crc":""#,
            dst.join(","),
            quoted(&self.cmd),
            quoted(&self.ts)
        );
        let tail = format!(r#"","_pld":{}}}"#, self.payload);
        let sum = crc::plain(format!("{head}0000{tail}").as_bytes());
        format!("{head}{}{tail}", crc::digits(sum, settings.crc_case)).into_bytes()
    }
}

fn stamp(text: &CommandText, settings: &CwmSettings) -> String {
    format!("{}{}", text.at.civil_seconds(), settings.ts_suffix)
}

fn destinations(text: &CommandText) -> Result<Vec<String>, Invalid> {
    let named = match text.dst.as_deref() {
        Some([typed]) => read_typed(typed)?,
        Some(list) => list.to_vec(),
        None => Vec::new(),
    };
    let list: Vec<String> =
        if named.is_empty() { text.address.iter().chain(&text.parent).cloned().collect() } else { named };
    if list.is_empty() || list.len() > ADDRESSES_MAX {
        return Err(Invalid::new("dst", r#"name 1 to 8 devices, for instance ["OKE","CWM"] or ["CWM"]"#));
    }
    for name in &list {
        if !address_is_valid(name) || !name.is_ascii() {
            return Err(Invalid::new("dst", "a device ID is 1 to 64 printable ASCII characters"));
        }
    }
    Ok(list)
}

/// A JSON array, names with commas between, or one bare name (§3.6: the vendor's form field).
fn read_typed(typed: &str) -> Result<Vec<String>, Invalid> {
    let typed = typed.trim();
    if typed.starts_with('[') || typed.starts_with('"') {
        return serde_json::from_str::<OneOrMany>(typed).map(OneOrMany::list).map_err(|_| {
            Invalid::new("dst", r#"not a JSON array of strings: write for instance ["OKE","CWM"]"#)
        });
    }
    Ok(typed.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        }
    }
}

fn verb(cmd: &str) -> Result<String, Invalid> {
    let cmd = cmd.trim();
    let fits = (1..=16).contains(&cmd.len())
        && cmd.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if fits {
        Ok(cmd.to_owned())
    } else {
        Err(Invalid::new("cmd", "write wr or rd (at most 16 letters, digits, _ - .)"))
    }
}

/// The payload as it is sent: one JSON object, no white space outside strings, ASCII only. The order of its
/// members and the spelling of its numbers stay.
fn payload(typed: &str, settings: &CwmSettings) -> Result<String, Invalid> {
    match scan::members(typed.as_bytes(), settings.depth_max) {
        Ok(_) => {}
        Err(scan::Fault::NotObject) => {
            return Err(Invalid::new("payload", r#"must be a JSON object, for instance {"_ping":true}"#));
        }
        Err(fault) => return Err(Invalid::new("payload", fault.to_string())),
    }
    let mut text = String::with_capacity(typed.len());
    let mut inside = false;
    let mut characters = typed.trim_end_matches('\0').chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                inside = !inside;
                text.push(character);
            }
            '\\' => escape(&mut characters, &mut text)?,
            ' ' | '\t' | '\n' | '\r' if !inside => {}
            '\u{20}'..='\u{7e}' => text.push(character),
            '\u{7f}'..='\u{ff}' => escaped(character, &mut text),
            other => return Err(beyond(other)),
        }
    }
    Ok(text)
}

fn escaped(character: char, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\\u{:04X}", u32::from(character));
}

/// Passes an escape on as typed, unless it stands for a character that equipment does not know.
fn escape(rest: &mut std::str::Chars<'_>, text: &mut String) -> Result<(), Invalid> {
    text.push('\\');
    let Some(kind) = rest.next() else { return Ok(()) };
    text.push(kind);
    if kind == 'u' {
        let digits: String = rest.by_ref().take(4).collect();
        if !digits.starts_with("00") {
            let code = u32::from_str_radix(&digits, 16).unwrap_or_default();
            return Err(beyond(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        text.push_str(&digits);
    }
    Ok(())
}

fn beyond(character: char) -> Invalid {
    Invalid::new(
        "payload",
        format!("equipment does not know the character {character}: send such text base64-coded"),
    )
}

/// A JSON string of ASCII text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a device ID may be kept: 1 to 64 characters, none of them a control character (§4.3).
pub(super) fn address_is_valid(address: &str) -> bool {
    let length = address.chars().count();
    (1..=64).contains(&length) && !address.chars().any(char::is_control)
}

/// Most destinations, and most sources, of a message (§4.3).
pub(super) const ADDRESSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Timestamp;

    fn words(dst: &str, cmd: &str, payload: &str, at: &str) -> CommandText {
        CommandText {
            address: None,
            parent: None,
            cmd: cmd.into(),
            payload: payload.into(),
            dst: Some(vec![dst.into()]),
            at: Timestamp::parse(at).unwrap(),
        }
    }

    fn sent(words: &CommandText, id: WireId) -> String {
        let draft = draft(words, &CwmSettings::default()).unwrap();
        String::from_utf8((draft.encode)(id).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn the_two_vectors_that_go_to_a_device_are_made_to_the_byte() {
        // cwm-oke.md §5.3, lines 1 and 2
        let ping = words(
            r#"["1122334455667788","0002010203040506"]"#,
            "rd",
            r#" {"_ping" : true} "#,
            "2024-03-01T12:00:00Z",
        );
        assert_eq!(
            sent(&ping, 1),
            r#"{"_dst":["1122334455667788","0002010203040506"],"_cmd":"rd","_id":1,"_ts":"2024-03-01T12:00:00Z","_crc":"70F3","_pld":{"_ping":true}}"#
        );
        let port = words(
            "0002010203040506",
            "wr",
            r#"{"oke":{"port":"232","baud":115200}}"#,
            "2024-03-01T12:00:01Z",
        );
        assert_eq!(
            sent(&port, 2),
            r#"{"_dst":["0002010203040506"],"_cmd":"wr","_id":2,"_ts":"2024-03-01T12:00:01Z","_crc":"E6D5","_pld":{"oke":{"port":"232","baud":115200}}}"#
        );
    }

    #[test]
    fn destinations_are_read_as_typed_or_taken_from_the_device() {
        for typed in [r#"["OKE", "CWM"]"#, "OKE,CWM", " OKE , CWM "] {
            let draft =
                draft(&words(typed, "wr", "{}", "2024-03-01T12:00:00Z"), &CwmSettings::default()).unwrap();
            assert_eq!((draft.address.as_str(), draft.via.as_str()), ("OKE", "CWM"));
        }
        let mut text = words("", "wr", "{}", "2024-03-01T12:00:00Z");
        text.address = Some("OKE".into());
        text.parent = Some("CWM".into());
        let draft = draft(&text, &CwmSettings::default()).unwrap();
        assert_eq!((draft.address.as_str(), draft.via.as_str()), ("OKE", "CWM"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let at = "2024-03-01T12:00:00Z";
        let long = "x".repeat(65);
        let big = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
        for (dst, cmd, payload, field) in [
            ("", "wr", "{}", "dst"),
            ("[1]", "wr", "{}", "dst"),
            (long.as_str(), "wr", "{}", "dst"),
            ("a\u{7}b", "wr", "{}", "dst"),
            ("CWM", "", "{}", "cmd"),
            ("CWM", "w\"r", "{}", "cmd"),
            ("CWM", "wr", "", "payload"),
            ("CWM", "wr", "[1]", "payload"),
            ("CWM", "wr", "{\"a\":", "payload"),
            ("CWM", "wr", r#"{"a":"λ"}"#, "payload"),
            ("CWM", "wr", r#"{"a":"\u03bb"}"#, "payload"),
            ("CWM", "wr", big.as_str(), "payload"),
        ] {
            let fault = draft(&words(dst, cmd, payload, at), &CwmSettings::default()).unwrap_err();
            assert_eq!(fault.field, field, "{dst} {cmd} {payload}: {fault}");
        }
    }

    #[test]
    fn eight_bit_characters_are_escaped_and_length_is_warned_of() {
        let at = "2024-03-01T12:00:00Z";
        assert!(sent(&words("CWM", "wr", r#"{"t":"5 °C"}"#, at), 1).contains(r#"{"t":"5 \u00B0C"}"#));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(860));
        assert!(draft(&words("CWM", "wr", &long, at), &CwmSettings::default()).unwrap().warning.is_some());
    }

    proptest! {
        #[test]
        fn what_is_sent_reads_back_sound(key in "[a-z]{1,8}", value in "[ -~\u{80}-\u{ff}]{0,40}", id: u16) {
            let typed = serde_json::json!({ key: value }).to_string();
            let text = sent(&words("OKE,CWM", "wr", &typed, "2024-03-01T12:00:00Z"), id);
            prop_assert!(text.is_ascii());
            let read = super::super::okm::read(text.as_bytes(), &CwmSettings::default());
            prop_assert_eq!(read.verdict, crate::model::Verdict::Ok);
            let payload: serde_json::Value = serde_json::from_str(&typed).unwrap();
            prop_assert_eq!(super::super::okm::payload(text.as_bytes(), &CwmSettings::default()), Some(payload));
            prop_assert_eq!(read.okm.id, Some(id));
        }
    }
}
