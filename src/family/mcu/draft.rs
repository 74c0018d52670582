//! An operator's words → the exact bytes a board gets (`websocket-mcu.md §5`). Pure.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value as Json;

use super::profile::{Action, Profile, Takes, WIRE_BYTES_MAX};
use super::sample;
use crate::family::{CommandText, DraftText, Invalid};
use crate::model::{FamilyName, Value};

/// Checks the words and makes a command of them; `profile` gives the one of a board.
pub(super) fn draft(
    text: &CommandText,
    family: &FamilyName,
    profile: impl FnOnce(&str) -> Arc<Profile>,
) -> Result<DraftText, Invalid> {
    let address = address(text)?;
    let profile = profile(&address);
    let action = profile.command(text.cmd.trim()).ok_or_else(|| unknown(&profile))?;
    let value = value(action, &text.payload)?;
    let wire = Bytes::from(profile.wire(action, &value));
    if wire.len() > WIRE_BYTES_MAX {
        return Err(Invalid::new(
            "payload",
            format!("the message would be over {WIRE_BYTES_MAX} bytes long"),
        ));
    }
    Ok(DraftText {
        family: family.clone(),
        via: address.clone(),
        address,
        cmd: action.name.clone(),
        payload: text.payload.trim().to_owned(),
        encode: Arc::new(move |_| Ok(wire.clone())),
        warning: None,
        life: None,
    })
}

/// A board's number as its address: without leading zeros.
pub(super) fn address_of(text: &str) -> Option<String> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let short = digits.trim_start_matches('0');
    let short = if short.is_empty() { "0" } else { short };
    (short.len() <= 6).then(|| short.to_owned())
}

fn address(text: &CommandText) -> Result<String, Invalid> {
    let named = match (text.dst.as_deref(), &text.address) {
        (Some([one]), _) => Some(one),
        (Some([_, _, ..]), _) => return Err(Invalid::new("dst", "a board has no other behind it: name one")),
        (Some([]) | None, address) => address.as_ref(),
    };
    let named = named.ok_or_else(|| Invalid::new("dst", "name a board by its number"))?;
    address_of(named)
        .ok_or_else(|| Invalid::new("dst", format!("`{named}` is no board's number: 0 to 999999")))
}

fn unknown(profile: &Profile) -> Invalid {
    let known: Vec<&str> = profile.commands.iter().map(|action| action.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Invalid::new("cmd", format!("boards of the profile `{}` know: {known} (`mcu.profiles`)", profile.name))
}

/// The value as it is sent: a number's text as it was typed.
fn value(action: &Action, payload: &str) -> Result<String, Invalid> {
    let typed = payload.trim();
    let json: Json = serde_json::from_str(typed)
        .map_err(|_| Invalid::new("payload", "expected a number, true or false, \"on\" or \"off\""))?;
    let text = match (&json, action.takes) {
        (Json::Bool(on), Takes::Switch) => return Ok(u8::from(*on).to_string()),
        (Json::String(word), Takes::Switch) if word.eq_ignore_ascii_case("on") => return Ok("1".to_owned()),
        (Json::String(word), Takes::Switch) if word.eq_ignore_ascii_case("off") => return Ok("0".to_owned()),
        (Json::Number(_), _) => typed,
        (Json::String(word), _) => word.trim(),
        (Json::Object(members), _) => return inside(action, members),
        (Json::Bool(_) | Json::Null | Json::Array(_), _) => {
            return Err(Invalid::new("payload", format!("{} takes a number", action.name)));
        }
    };
    checked(action, text).map(|()| text.to_owned())
}

/// `{"value": …}`, for those who like members.
fn inside(action: &Action, members: &serde_json::Map<String, Json>) -> Result<String, Invalid> {
    match members.get("value") {
        Some(inner) if members.len() == 1 && !inner.is_object() => value(action, &inner.to_string()),
        Some(_) | None => Err(Invalid::new("payload", "expected a value, or {\"value\": …} alone")),
    }
}

/// A finite decimal of few characters, within the command's range (§5).
fn checked(action: &Action, text: &str) -> Result<(), Invalid> {
    let number = if text.len() > VALUE_CHARS_MAX { None } else { sample::decimal(text) };
    let number = match number {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a range is checked, and 24 digits are more than it has"
        )]
        Some(Value::Integer(whole)) => whole as f64,
        Some(Value::Real(real)) => real,
        Some(Value::Bool(_) | Value::Text(_) | Value::Gap(_)) | None => {
            let message = format!("`{text}` is no finite number of at most {VALUE_CHARS_MAX} characters");
            return Err(Invalid::new("payload", message));
        }
    };
    let low = action.min.is_some_and(|min| number < min.get());
    let high = action.max.is_some_and(|max| number > max.get());
    if low || high {
        let bound = |bound: Option<super::profile::Decimal>| {
            bound.map_or_else(|| "any".to_owned(), |bound| bound.get().to_string())
        };
        let message = format!("{} takes {} to {}", action.name, bound(action.min), bound(action.max));
        return Err(Invalid::new("payload", message));
    }
    Ok(())
}

/// §5.
const VALUE_CHARS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn profile() -> Arc<Profile> {
        let text = r#"
            commands = [
                { name = "LED", n = 1 },
                { name = "Gain", n = 2, takes = "number", min = 0, max = 10.5 },
            ]"#;
        Arc::new(toml::from_str(text).unwrap())
    }

    fn wire(cmd: &str, payload: &str) -> Result<String, Invalid> {
        let text = CommandText {
            address: Some("5".to_owned()),
            parent: None,
            cmd: cmd.to_owned(),
            payload: payload.to_owned(),
            dst: None,
            at: Timestamp::from_micros(0),
        };
        let drafted = draft(&text, &FamilyName::new("mcu"), |_| profile())?;
        assert_eq!((drafted.address.as_str(), drafted.via.as_str()), ("5", "5"));
        Ok(String::from_utf8_lossy(&(drafted.encode)(7).unwrap()).into_owned())
    }

    #[test]
    fn values_are_written_as_they_were_typed() {
        let cases = [
            ("LED", "1", "1,1"),
            ("led", "0", "1,0"),
            ("1", "1", "1,1"),
            ("LED", "0.0", "1,0.0"),
            ("LED", "true", "1,1"),
            ("LED", "false", "1,0"),
            ("LED", "\"on\"", "1,1"),
            ("LED", "\"Off\"", "1,0"),
            ("LED", " 1 ", "1,1"),
            ("LED", "{\"value\":1}", "1,1"),
            ("Gain", "2.50", "2,2.50"),
            ("Gain", "\"1e1\"", "2,1e1"),
            ("2", "10.5", "2,10.5"),
        ];
        for (cmd, payload, wanted) in cases {
            assert_eq!(wire(cmd, payload).as_deref(), Ok(wanted), "{cmd} {payload}");
        }
    }

    #[test]
    fn what_no_board_would_understand_is_refused_with_its_field() {
        let cases = [
            ("Fan", "1", "cmd"),
            ("", "1", "cmd"),
            ("LED", "nan", "payload"),
            ("LED", "\"nan\"", "payload"),
            ("LED", "\"inf\"", "payload"),
            ("LED", "1e999", "payload"),
            ("LED", "\"1 2\"", "payload"),
            ("LED", "[1]", "payload"),
            ("LED", "null", "payload"),
            ("LED", "0.1234567890123456789012345", "payload"),
            ("LED", "{\"value\":1,\"x\":2}", "payload"),
            ("LED", "{\"value\":{\"value\":1}}", "payload"),
            ("Gain", "true", "payload"),
            ("Gain", "-0.5", "payload"),
            ("Gain", "11", "payload"),
        ];
        for (cmd, payload, field) in cases {
            assert_eq!(wire(cmd, payload).unwrap_err().field, field, "{cmd} {payload}");
        }
        let range = wire("Gain", "11").unwrap_err();
        assert_eq!(range.message, "Gain takes 0 to 10.5");
        assert!(wire("Fan", "1").unwrap_err().message.contains("LED, Gain"));
    }

    #[test]
    fn numbers_are_addresses_without_leading_zeros() {
        assert_eq!(address_of("005").as_deref(), Some("5"));
        assert_eq!(address_of("0000000000000000").as_deref(), Some("0"));
        assert_eq!(address_of("999999").as_deref(), Some("999999"));
        for wrong in ["", "1000000", "-5", "5a", "5.0"] {
            assert_eq!(address_of(wrong), None, "{wrong}");
        }
    }
}
