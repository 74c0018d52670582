//! The bytes of an upload → its records as trees of values (`accounts-dashboard.md §4`). Pure.
//!
//! What a client says of the body's type is believed only where the body does not say it itself: JSON if it parses.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use crate::http::query::{self, Plus};

/// One record of an upload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// What it says. A number that is none (`NaN`, `Infinity`) stands there as [`is_not_finite`] knows it.
    pub(super) value: Json,
    /// Its bytes within the body.
    pub(super) bytes: Range<usize>,
}

/// Why nothing could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is nothing in the body.
    #[error("the body is empty")]
    Empty,
    /// It is neither JSON nor anything else that is taken.
    #[error("the body is no JSON: {0}")]
    BadJson(String),
    /// Lists and objects stand within each other more often than anybody means.
    #[error("lists and objects are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// More records than one upload may have.
    #[error("{0} records: an upload has {RECORDS_MAX} at most")]
    TooMany(usize),
}

/// Reads a body. `kind` is its `Content-Type`.
pub(super) fn read(body: &[u8], kind: Option<&str>) -> Result<Vec<Part>, Fault> {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let text = String::from_utf8_lossy(text);
    let trimmed = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0');
    if trimmed.is_empty() {
        return Err(Fault::Empty);
    }
    match json(trimmed) {
        Ok(mut parts) => {
            locate(&mut parts, trimmed, body);
            Ok(parts)
        }
        Err(Fault::BadJson(cause)) => {
            let kind = kind.unwrap_or_default().to_ascii_lowercase();
            let meant_as_json = trimmed.starts_with(['{', '[', '"']) || kind.contains("json");
            let plain = if meant_as_json { None } else { plain(trimmed, kind.contains("urlencoded")) };
            let value = plain.ok_or(Fault::BadJson(cause))?;
            Ok(vec![Part { value, bytes: 0..body.len() }])
        }
        Err(fault @ (Fault::Empty | Fault::TooDeep | Fault::TooMany(_))) => Err(fault),
    }
}

/// Reads the pairs of a form or a query, without those of the names in `but`.
pub(super) fn form(text: &[u8], but: &[&str]) -> Map<String, Json> {
    let decoded = |part| String::from_utf8_lossy(&query::decode(part, Plus::Space)).into_owned();
    let pairs = query::pairs(text).map(|(name, value)| (decoded(name), decoded(value)));
    pairs
        .filter(|(name, _)| !but.contains(&name.as_str()))
        .map(|(name, value)| (name, scalar(&value)))
        .collect()
}

/// Whether a value is a number that is none.
pub(super) fn is_not_finite(value: &Json) -> bool {
    value.as_str() == Some(NOT_FINITE)
}

/// Says where in the body the parts stand that were read from a piece of it; of text that was re-coded, nowhere but in
/// the whole.
fn locate(parts: &mut [Part], text: &str, body: &[u8]) {
    let before = memchr::memmem::find(body, text.as_bytes());
    for part in parts {
        part.bytes = match before {
            Some(before) => part.bytes.start + before..part.bytes.end + before,
            None => 0..body.len(),
        };
    }
}

/// One JSON text: a record, or a list of them.
fn json(text: &str) -> Result<Vec<Part>, Fault> {
    let odd = scan(text)?;
    let bad = |error: serde_json::Error| Fault::BadJson(error.to_string());
    // Of the same length, so that each record is found in the body.
    let even = filled(text, &odd);
    if !text.starts_with('[') {
        return Ok(vec![Part {
            value: parsed(text, 0..text.len(), &odd).map_err(bad)?,
            bytes: 0..text.len(),
        }]);
    }
    let items: Vec<&RawValue> = serde_json::from_str(&even).map_err(bad)?;
    // A list of values is one value of one record; a list with an object in it is a batch.
    if !items.iter().any(|item| item.get().starts_with('{')) {
        return Ok(vec![Part {
            value: parsed(text, 0..text.len(), &odd).map_err(bad)?,
            bytes: 0..text.len(),
        }]);
    }
    if items.len() > RECORDS_MAX {
        return Err(Fault::TooMany(items.len()));
    }
    let begin = even.as_ptr().addr();
    let parts = items.into_iter().map(|item| {
        let start = item.get().as_ptr().addr() - begin;
        let bytes = start..start + item.get().len();
        Ok(Part { value: parsed(text, bytes.clone(), &odd)?, bytes })
    });
    parts.collect::<Result<_, _>>().map_err(bad)
}

/// Finds numbers that are none, as Python (`NaN`, `-Infinity`) and MicroPython (`nan`, `inf`) write them, and how deep
/// it goes.
fn scan(text: &str) -> Result<Vec<Range<usize>>, Fault> {
    let (mut odd, mut depth, mut at) = (Vec::new(), 0_usize, 0);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = string_end(bytes, at),
            letter if letter.is_ascii_alphabetic() => {
                let rest = bytes.get(at..).unwrap_or_default();
                let end = at + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let word = text.get(at - 1..end).unwrap_or_default();
                if ["nan", "inf", "infinity"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                    let signed = at >= 2 && matches!(bytes.get(at - 2), Some(b'-' | b'+'));
                    odd.push(at - 1 - usize::from(signed)..end);
                }
                at = end;
            }
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
    }
    Ok(odd)
}

/// Where the string ends whose first byte is at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'"' => break,
            _ => {}
        }
    }
    at
}

/// The text with a digit in every place of what JSON cannot read.
fn filled<'t>(text: &'t str, odd: &[Range<usize>]) -> Cow<'t, str> {
    if odd.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut even = String::with_capacity(text.len());
    let mut done = 0;
    for span in odd {
        even.push_str(text.get(done..span.start).unwrap_or_default());
        even.extend(std::iter::repeat_n('1', span.len()));
        done = span.end;
    }
    even.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(even)
}

/// A piece of the text as a tree.
fn parsed(text: &str, piece: Range<usize>, odd: &[Range<usize>]) -> serde_json::Result<Json> {
    let inside = |span: &&Range<usize>| span.start >= piece.start && span.end <= piece.end;
    if !odd.iter().any(|span| inside(&span)) {
        return serde_json::from_str(text.get(piece).unwrap_or_default());
    }
    let mut even = String::with_capacity(piece.len());
    let mut done = piece.start;
    for span in odd.iter().filter(inside) {
        even.push_str(text.get(done..span.start).unwrap_or_default());
        even.push_str(NOT_FINITE_JSON);
        done = span.end;
    }
    even.push_str(text.get(done..piece.end).unwrap_or_default());
    serde_json::from_str(&even)
}

/// What small devices send that is no JSON: a number, a form, or a line for each value.
fn plain(text: &str, is_form: bool) -> Option<Json> {
    if let number @ Json::Number(_) = scalar(text) {
        return Some(number);
    }
    if is_not_finite(&scalar(text)) {
        return Some(scalar(text));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if !lines.iter().all(|line| line.contains('=')) {
        return None;
    }
    if is_form || (lines.len() == 1 && text.contains('&')) {
        return Some(Json::Object(form(text.as_bytes(), &[])));
    }
    let pairs = lines.iter().filter_map(|line| line.split_once('='));
    Some(Json::Object(pairs.map(|(name, value)| (name.trim().to_owned(), scalar(value.trim()))).collect()))
}

/// What stands behind a `=`: a number, `true`, `false`, nothing, JSON, or a text.
fn scalar(text: &str) -> Json {
    let bare = text.trim();
    if bare.is_empty() || bare == "null" {
        return Json::Null;
    }
    let digits = bare.strip_prefix('+').unwrap_or(bare);
    if digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')) {
        if let Ok(whole) = digits.parse::<i64>() {
            return whole.into();
        }
        if let Ok(real) = digits.parse::<f64>() {
            return Json::from(serde_json::Number::from_f64(real))
                .as_f64()
                .map_or_else(not_finite, Json::from);
        }
    }
    let unsigned = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    if ["nan", "inf", "infinity"].iter().any(|known| unsigned.eq_ignore_ascii_case(known)) {
        return not_finite();
    }
    match bare {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        _ if bare.starts_with(['{', '[']) => match json(bare).as_deref() {
            Ok([part]) => part.value.clone(),
            Ok(_) | Err(_) => text.into(),
        },
        _ => text.into(),
    }
}

fn not_finite() -> Json {
    NOT_FINITE.into()
}

/// What stands in a tree for a number that is none; no device sends such a text.
const NOT_FINITE: &str = "\0not finite";
const NOT_FINITE_JSON: &str = "\"\\u0000not finite\"";
/// §4, bad input.
const DEPTH_MAX: usize = 16;
/// §4.
pub(super) const RECORDS_MAX: usize = 1000;

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
