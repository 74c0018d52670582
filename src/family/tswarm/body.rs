//! The body of an upload: JSON made by string formatting, without escapes and at times cut off (`tswarm-node.md §6`).
//! Pure.

use serde_json::Value as Json;

use super::grammar::{self, Data, NoData};

/// What an upload says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// The node's own name; `None` when the body has none.
    pub(super) name: Option<String>,
    /// What it measured.
    pub(super) data: Data,
    /// The end was missing and could be made out.
    pub(super) truncated: bool,
    /// It was no JSON, and could be read all the same.
    pub(super) unescaped: bool,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is none.
    #[error("the body is empty: a Content-Length is missing, or 0")]
    Empty,
    /// It is neither JSON nor like the node's template.
    #[error("the body cannot be read")]
    Unreadable,
    /// Digits may be missing: the length was counted in characters.
    #[error(
        "the end of the body is missing: use ASCII names, old libraries count characters instead of bytes"
    )]
    CutOff,
    /// There is no `data`.
    #[error("there is no `data` in the body")]
    Without,
    /// The name is none.
    #[error("a name has 1 to {NAME_MAX} characters, none of them `/` or a control character")]
    Name,
    /// The numbers are none.
    #[error(transparent)]
    Data(#[from] NoData),
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Said, Fault> {
    if body.trim_ascii().is_empty() {
        return Err(Fault::Empty);
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        // Latin-1: a byte a character.
        Err(_) => body.iter().copied().map(char::from).collect(),
    };
    let (whole, truncated) = match serde_json::from_str::<Json>(&text) {
        Ok(Json::Object(members)) => return of_members(&members, false),
        Ok(_) => return Err(Fault::Unreadable),
        Err(error) if error.is_eof() => repaired(&text)?,
        Err(_) => (text, false),
    };
    if truncated && let Ok(Json::Object(members)) = serde_json::from_str::<Json>(&whole) {
        return of_members(&members, true);
    }
    template(&whole, truncated)
}

/// A name that can be one: it stands in a path, and is a device's address.
pub(super) fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=NAME_MAX).contains(&length) && !name.contains(|letter: char| letter == '/' || letter.is_control())
}

fn of_members(members: &serde_json::Map<String, Json>, truncated: bool) -> Result<Said, Fault> {
    let name = match members.get("name") {
        None | Some(Json::Null) => None,
        Some(Json::String(name)) => Some(name.clone()),
        Some(Json::Number(name)) => Some(name.to_string()),
        Some(Json::Bool(_) | Json::Array(_) | Json::Object(_)) => return Err(Fault::Name),
    };
    if name.as_ref().is_some_and(|name| !is_name(name)) {
        return Err(Fault::Name);
    }
    let data = grammar::read(members.get("data").ok_or(Fault::Without)?)?;
    Ok(Said { name, data, truncated, unescaped: false })
}

/// Puts back what old libraries cut off when they count characters: a byte for each letter of two bytes. More than the
/// two letters of the end may have had digits among it.
fn repaired(text: &str) -> Result<(String, bool), Fault> {
    let text = text.trim_end();
    let lost: usize = text.chars().map(|letter| letter.len_utf8() - 1).sum();
    let digit = text.ends_with(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == '%');
    match text.chars().next_back() {
        // The text of `data` has its end: nothing of it is missing.
        Some('"' | ']') => Ok((format!("{text}}}"), true)),
        _ if digit && lost == QUOTE_AND_BRACE.len() => Ok((format!("{text}{QUOTE_AND_BRACE}"), true)),
        _ => Err(Fault::CutOff),
    }
}

/// The node's own template, `{"name":"…","data":"…"}`, with letters in the name that JSON would want escaped.
fn template(text: &str, truncated: bool) -> Result<Said, Fault> {
    let text = text.trim();
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(Fault::Unreadable)?;
    let inside = member(inside.trim(), "name").ok_or(Fault::Unreadable)?;
    let (name, data) = inside
        .match_indices("\"data\"")
        .filter_map(|(at, _)| {
            let (name, data) = inside.split_at_checked(at)?;
            let name = name.trim_end().strip_suffix(',')?.trim_end().strip_suffix('"')?;
            Some((name, member(data, "data")?.trim_end().strip_suffix('"')?))
        })
        .last()
        .ok_or(Fault::Unreadable)?;
    if !is_name(name) {
        return Err(Fault::Name);
    }
    let data = grammar::read(&Json::String(data.to_owned()))?;
    Ok(Said { name: Some(name.to_owned()), data, truncated, unescaped: true })
}

/// What stands behind `"key": "`.
fn member<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let rest = text.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"')?;
    rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')
}

/// §6.
pub(super) const NAME_MAX: usize = 64;
const QUOTE_AND_BRACE: &str = "\"}";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        read(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The body as a library that counts characters sends it.
    fn cut(body: &str) -> &[u8] {
        &body.as_bytes()[..body.chars().count()]
    }

    #[test]
    fn the_template_is_read() {
        let found = said(r#"{"name":"node1","data":"23 45"}"#);
        assert_eq!(found.name.as_deref(), Some("node1"));
        assert_eq!(found.data.numbers, [Some(23.0), Some(45.0)]);
        assert!(!found.truncated && !found.unescaped && found.data.whole);
        assert_eq!(said(r#" {"data":[1,2], "more":{}} "#).name, None);
        assert_eq!(said(r#"{"name":7,"data":"1"}"#).name.as_deref(), Some("7"));
    }

    #[test]
    fn letters_that_want_an_escape_are_forgiven() {
        for name in [r#"no"de"#, r"no\de", r#"a","b"#, "\\", r#""data":"#] {
            let found = said(&format!(r#"{{"name":"{name}","data":"23 45"}}"#));
            assert_eq!(found.name.as_deref(), Some(name));
            assert!(found.unescaped);
            assert_eq!(found.data.numbers, [Some(23.0), Some(45.0)]);
        }
    }

    #[test]
    fn an_end_that_was_cut_off_is_put_back_where_no_digit_can_be_missing() {
        for (name, whole) in [("nöde", true), ("nödé", true), ("nödéü", false), ("öäüß", false), ("€", true)]
        {
            let body = format!(r#"{{"name":"{name}","data":"23 45"}}"#);
            match read(cut(&body)) {
                Ok(found) => {
                    assert!(whole && found.truncated, "{name}");
                    assert_eq!(found.name.as_deref(), Some(name));
                    assert_eq!(found.data.numbers, [Some(23.0), Some(45.0)]);
                }
                Err(error) => assert!(!whole && error == Fault::CutOff, "{name}: {error}"),
            }
        }
        // Cut for another reason: who knows what is missing.
        assert_eq!(read(br#"{"name":"node1","data":"23 4"#), Err(Fault::CutOff));
        assert_eq!(read(br#"{"name":"node1""#), Err(Fault::Without));
        assert_eq!(read(br#"{"name":"node1","da"#), Err(Fault::CutOff));
        assert_eq!(read(br#"{"name":"nod"#), Err(Fault::CutOff));
        assert!(said(r#"{"name":"node1","data":"23 45""#).truncated);
        assert!(said(r#"{"name":"node1","data":[23,45]"#).truncated);
        assert_eq!(read(br#"{"name":"node1","data":23"#), Err(Fault::CutOff), "23 may have been 234");
    }

    #[test]
    fn latin_1_is_taken_for_what_it_is() {
        assert_eq!(read(b"{\"name\":\"n\xf6de\",\"data\":\"1 2\"}").unwrap().name.as_deref(), Some("nöde"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_why() {
        let long = format!(r#"{{"name":"{}","data":"1"}}"#, "x".repeat(65));
        let cases: [(&[u8], Fault); 14] = [
            (b"", Fault::Empty),
            (b" \r\n", Fault::Empty),
            (b"hello", Fault::Unreadable),
            (b"[1,2]", Fault::Unreadable),
            (b"\"x\"", Fault::Unreadable),
            (b"{\"name\":\"n\"}", Fault::Without),
            (br#"{"name":"","data":"1"}"#, Fault::Name),
            (br#"{"name":"a/b","data":"1"}"#, Fault::Name),
            (br#"{"name":"a\nb","data":"1"}"#, Fault::Name),
            (br#"{"name":[1],"data":"1"}"#, Fault::Name),
            (br#"{"name":"a"b/","data":"1"}"#, Fault::Name),
            (long.as_bytes(), Fault::Name),
            (br#"{"name":"n","data":""}"#, Fault::Data(NoData::NoNumbers)),
            (br#"{"name":"n"x","data":"warm"}"#, Fault::Data(NoData::NotNumbers)),
        ];
        for (body, wanted) in cases {
            assert_eq!(read(body), Err(wanted), "{}", String::from_utf8_lossy(body));
        }
    }
}
