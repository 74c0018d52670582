//! What a pretend module makes of a server's answers. It wants what the protocol page says and nothing else.

use serde_json::Value;

use crate::family::cwm::names::{CwmNames, CwmSettings};
use crate::family::cwm::okm;
use crate::family::cwm::scan;
use crate::family::simulator::{Application, Identity};
use crate::model::{Verdict, WireId};

/// `{"push":…,"pull":…}`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pushed {
    pub(super) taken: bool,
    pub(super) pending: bool,
}

/// Reads the answer of a push.
pub(super) fn pushed(body: &[u8], names: &CwmNames) -> Option<Pushed> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    Some(Pushed { taken: answer.get(&names.push)?.as_bool()?, pending: answer.get(&names.pull)?.as_bool()? })
}

/// `{"okm":{…},"pull":…}`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pulled {
    pub(super) command: Option<Command>,
    pub(super) more: bool,
}

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// Its exact text.
    pub(super) text: Vec<u8>,
    /// The device it is for.
    pub(super) to: String,
    pub(super) cmd: String,
    pub(super) id: WireId,
    pub(super) payload: Value,
}

/// Reads the answer of a pull; the fault is a sentence.
pub(super) fn pulled(body: &[u8], settings: &CwmSettings) -> Result<Pulled, String> {
    let names = &settings.names;
    let members = scan::members(body, settings.depth_max + 2).map_err(|fault| format!("no JSON: {fault}"))?;
    let literal = |name: &str| {
        let member = members.iter().find(|member| member.name == *name)?;
        body.get(member.value.clone())
    };
    let more = match literal(&names.pull) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => return Err(format!("no `{}`", names.pull)),
    };
    let command = literal(&names.okm).map(|text| command(text, settings)).transpose()?;
    Ok(Pulled { command, more })
}

/// A module takes a command only if its checksum holds and everything it needs is there.
fn command(text: &[u8], settings: &CwmSettings) -> Result<Command, String> {
    let read = okm::read(text, settings);
    if read.verdict != Verdict::Ok {
        return Err(format!("a command that is {}", read.verdict.as_str()));
    }
    let whole: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let to = whole.get("_dst").and_then(|list| list.get(0)).and_then(Value::as_str);
    let cmd = whole.get("_cmd").and_then(Value::as_str);
    let payload = whole.get("_pld").cloned();
    match (to, cmd, read.okm.id, payload) {
        (Some(to), Some(cmd), Some(id), Some(payload)) => {
            Ok(Command { text: text.to_vec(), to: to.to_owned(), cmd: cmd.to_owned(), id, payload })
        }
        _ => Err("a command without _dst, _cmd, _id or _pld".to_owned()),
    }
}

/// The certificate and key in an answer of `/provision`, wherever they stand: its form is the owner's. Who brought a
/// key of its own has that.
pub(super) fn identity(body: &[u8], own: Option<&Application>) -> Option<Identity> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let mut texts = Vec::new();
    strings(&answer, "", &mut texts);
    let given = || Some(texts.iter().find(|(_, text)| text.contains("PRIVATE KEY-----"))?.1.clone());
    let key = own.map(|own| own.key.clone()).or_else(given)?;
    let certificates = || texts.iter().filter(|(_, text)| text.contains("-----BEGIN CERTIFICATE-----"));
    let named = certificates().find(|(name, _)| name.contains("client"));
    let (_, certificate) = named.or_else(|| certificates().next())?;
    Some(Identity { certificate: certificate.clone(), key })
}

/// The Provisioning Key in it, if there is one.
pub(super) fn provisioning_key(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let mut texts = Vec::new();
    strings(&answer, "", &mut texts);
    texts
        .into_iter()
        .find(|(name, text)| name.contains("provisioning_key") && !text.is_empty())
        .map(|(_, key)| key)
}

/// Every string in a value with the name it stands under.
fn strings(value: &Value, name: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, into)),
        Value::Object(members) => members.iter().for_each(|(name, item)| strings(item, name, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_others_are_not() {
        let settings = CwmSettings::default();
        let told = pushed(br#"{"push":true,"pull":false}"#, &settings.names);
        assert_eq!(told, Some(Pushed { taken: true, pending: false }));
        assert_eq!(pushed(b"{}", &settings.names), None);
        let none = pulled(br#"{"pull":false}"#, &settings).unwrap();
        assert_eq!(none, Pulled { command: None, more: false });
        // cwm-oke.md §5.3
        let vector = br#"{"_dst":["1122334455667788","0002010203040506"],"_cmd":"rd","_id":1,"_ts":"2024-03-01T12:00:00Z","_crc":"70F3","_pld":{"_ping":true}}"#;
        let body = [br#"{"okm":"#, &vector[..], br#","pull":true}"#].concat();
        let found = pulled(&body, &settings).unwrap();
        assert!(found.more);
        let command = found.command.unwrap();
        assert_eq!(command.text, vector);
        assert_eq!((command.to.as_str(), command.id), ("1122334455667788", 1));
        let spoilt = String::from_utf8(body).unwrap().replace("70F3", "70F4");
        assert!(pulled(spoilt.as_bytes(), &settings).unwrap_err().contains("bad_crc"));
        assert!(pulled(b"<html>", &settings).is_err());
    }

    #[test]
    fn certificate_and_key_are_found_wherever_they_stand() {
        let pem =
            |what: &str, body: &str| format!("-----BEGIN {what}-----\\n{body}\\n-----END {what}-----\\n");
        let body = format!(
            r#"{{"root_ca":"{}","mine":{{"client_cert":"{}","client_key":"{}"}}}}"#,
            pem("CERTIFICATE", "root"),
            pem("CERTIFICATE", "leaf"),
            pem("PRIVATE KEY", "key")
        );
        let found = identity(body.as_bytes(), None).unwrap();
        assert!(found.certificate.contains("leaf"));
        assert!(found.key.contains("key"));
        assert_eq!(identity(br#"{"error":"no"}"#, None), None);
        let own = Application { key: "mine".to_owned(), request: String::new() };
        assert_eq!(identity(body.as_bytes(), Some(&own)).unwrap().key, "mine");
        assert_eq!(provisioning_key(body.as_bytes()), None);
        assert_eq!(provisioning_key(br#"{"provisioning_key":"0123"}"#).unwrap(), "0123");
    }
}
