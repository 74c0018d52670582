//! Reads what a node says when it syncs (`sca11h.md §5.2`): tolerantly, because no real request was ever seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::pars::Written;

/// What the body of a sync holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Nothing at all.
    Nothing,
    /// An object, with whatever of it is known.
    Said(Box<Said>),
    /// Bytes, but no JSON object at their start; why.
    Unreadable(String),
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Its configured node id.
    pub(super) name: Option<String>,
    /// Its parameters as it wrote them.
    pub(super) pars: Option<String>,
    /// Every field whose name ends in `ver` or `version`.
    pub(super) versions: BTreeMap<String, String>,
}

impl Asked {
    /// Reads a body: a BOM and white space before the object and anything behind it are let be.
    pub(super) fn read(body: &[u8]) -> Self {
        let body = body.strip_prefix(BOM).unwrap_or(body);
        if body.trim_ascii().iter().all(|byte| *byte == 0) {
            return Self::Nothing;
        }
        let text = String::from_utf8_lossy(body);
        match serde_json::Deserializer::from_str(&text).into_iter::<Json>().next() {
            Some(Ok(Json::Object(members))) => Self::Said(Box::new(Said::of(&members))),
            Some(Ok(_)) => Self::Unreadable("it is JSON, but no object".to_owned()),
            Some(Err(error)) => Self::Unreadable(error.to_string()),
            None => Self::Nothing,
        }
    }
}

impl Said {
    fn of(members: &serde_json::Map<String, Json>) -> Self {
        let mut said = Self {
            name: member(members, "name").and_then(text).filter(|name| !name.is_empty()),
            pars: member(members, "pars").and_then(as_written),
            versions: BTreeMap::new(),
        };
        said.gather("", members, VERSION_DEPTH_MAX);
        said
    }

    /// Its parameters, if they can be read as such.
    pub(super) fn written(&self) -> Option<Written> {
        Written::typed(self.pars.as_deref()?).ok()
    }

    fn gather(&mut self, before: &str, members: &serde_json::Map<String, Json>, depth: usize) {
        for (name, value) in members {
            let path = format!("{before}{name}");
            if let Json::Object(inner) = value {
                if depth > 0 {
                    self.gather(&format!("{path}."), inner, depth - 1);
                }
                continue;
            }
            let lower = name.to_ascii_lowercase();
            let is_version = lower.ends_with("ver") || lower.ends_with("version");
            if is_version
                && self.versions.len() < VERSIONS_MAX
                && let Some(version) = text(value)
            {
                self.versions.insert(cut(&path), version);
            }
        }
    }
}

/// A member, letter case aside when none is spelled exactly so.
fn member<'j>(members: &'j serde_json::Map<String, Json>, name: &str) -> Option<&'j Json> {
    members
        .get(name)
        .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Parameters as text: a list of numbers becomes the text of the wire, anything else stays as it is.
fn as_written(json: &Json) -> Option<String> {
    match json {
        Json::Array(list) => {
            let parts: Vec<String> = list.iter().filter_map(text).collect();
            Some(cut(&parts.join(",")))
        }
        Json::String(_) | Json::Number(_) | Json::Bool(_) => text(json),
        Json::Null | Json::Object(_) => None,
    }
}

/// A text or a number as text, fit to be shown.
fn text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(cut(text.trim())),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

const BOM: &[u8] = b"\xef\xbb\xbf";
/// The page lists eleven (§5.2).
const VERSIONS_MAX: usize = 32;
/// Versions within an object within the object are still found.
const VERSION_DEPTH_MAX: usize = 2;
const TEXT_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        match Asked::read(body.as_bytes()) {
            Asked::Said(said) => *said,
            Asked::Nothing | Asked::Unreadable(_) => panic!("{body} was not read"),
        }
    }

    #[test]
    fn the_request_of_the_page_is_read() {
        let said = said(r#"{"name":"00:11:22:33:44:55","fw_ver":"1.0","pars":"7000,270,5000,0,1400,7"}"#);
        assert_eq!(said.name.as_deref(), Some("00:11:22:33:44:55"));
        assert_eq!(said.pars.as_deref(), Some("7000,270,5000,0,1400,7"));
        assert_eq!(said.versions, BTreeMap::from([("fw_ver".to_owned(), "1.0".to_owned())]));
    }

    #[test]
    fn what_surrounds_the_object_is_let_be() {
        for body in [
            "\u{feff}{\"pars\":\"1,2,3,4,5\"}",
            "  \r\n\t{\"pars\":\"1,2,3,4,5\"}\0\0",
            "{\"pars\":\"1,2,3,4,5\"} garbage }",
            "{\"PARS\":[1,2,3,4,5]}{\"pars\":\"9\"}",
        ] {
            assert_eq!(said(body).pars.as_deref(), Some("1,2,3,4,5"), "{body:?}");
        }
    }

    #[test]
    fn versions_are_found_by_the_end_of_their_names() {
        let said = said(
            r#"{"FW_VER":"2.1","wlan_ver":17,"bcg":{"version":"3","mode":1},"over":{"a":1},"verb":"x","boot_ver":null}"#,
        );
        let versions: Vec<_> =
            said.versions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(versions, [("FW_VER", "2.1"), ("bcg.version", "3"), ("wlan_ver", "17")]);
        assert_eq!((said.name, said.pars), (None, None));
    }

    #[test]
    fn nothing_and_nonsense_are_told_apart() {
        for empty in ["", " \r\n", "\u{feff}", "\0"] {
            assert_eq!(Asked::read(empty.as_bytes()), Asked::Nothing, "{empty:?}");
        }
        let deep = "[".repeat(5000);
        for bad in ["{", "pars=1", "[1]", "7", "\"x\"", "{\"pars\":}", "\u{0}{", deep.as_str()] {
            assert!(matches!(Asked::read(bad.as_bytes()), Asked::Unreadable(_)), "{bad:?}");
        }
        assert!(matches!(Asked::read(b"\xff\xfe\x00"), Asked::Unreadable(_)));
        assert!(matches!(Asked::read(b"{\"name\":\"\xff\"}"), Asked::Said(_)), "bad UTF-8 inside a text");
    }

    #[test]
    fn parameters_of_any_shape_are_kept_and_read_where_they_are_parameters() {
        assert!(said(r#"{"pars":[7000,270,5000,1400,7]}"#).written().is_some_and(|written| written.five));
        for odd in [r#"{"pars":"none"}"#, r#"{"pars":{}}"#, r#"{"pars":null}"#, "{}", r#"{"pars":[[1]]}"#] {
            assert_eq!(said(odd).written(), None, "{odd}");
        }
        let long = format!(r#"{{"name":"{}","x_ver":"a\nb"}}"#, "n".repeat(1000));
        assert_eq!(said(&long).name.map(|name| name.len()), Some(TEXT_CHARS_MAX));
        assert_eq!(said(&long).versions.get("x_ver").map(String::as_str), Some("ab"));
    }
}
