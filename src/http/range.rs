//! Which bytes of a thing a request wants: conditions (RFC 9110 §13), `Range` (§14), and `offset` and `len` in the
//! query, which are another spelling of a range. Pure.

use std::ops::Range;

use hyper::HeaderMap;
use hyper::header::{self, HeaderName};

use super::query;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// 200: all of it.
    Whole,
    /// 206: these bytes, at least one.
    Part(Range<u64>),
    /// 304: the asker has it already.
    Unchanged,
    /// 412: the asker wants it only as it was.
    Changed,
    /// 416: there are no such bytes.
    OutOfRange,
    /// 400: the query cannot be read; the sentence says why.
    Unreadable(&'static str),
}

/// Chooses for a GET of `size` bytes whose strong tag, in its quotes, is `tag`.
pub fn choose(headers: &HeaderMap, query: Option<&str>, size: u64, tag: &str) -> Choice {
    if let Some(choice) = conditions(headers, tag) {
        return choice;
    }
    let whole_if_changed = |choice| match line(headers, header::IF_RANGE) {
        Some(wanted) if !is_tag(&wanted, tag) => Choice::Whole,
        _ => choice,
    };
    // The header is the standard's own spelling, so it counts when both are there.
    if let Some(choice) = line(headers, header::RANGE).and_then(|text| single_range(&text, size)) {
        return whole_if_changed(choice);
    }
    match query.map(|query| offset_and_len(query.as_bytes(), size)) {
        None | Some(Choice::Whole) => Choice::Whole,
        Some(Choice::Unreadable(why)) => Choice::Unreadable(why),
        Some(choice) => whole_if_changed(choice),
    }
}

/// The same for a HEAD, for which a `Range` header means nothing (RFC 9110 §14.2).
pub fn choose_head(headers: &HeaderMap, query: Option<&str>, size: u64, tag: &str) -> Choice {
    let mut headers = headers.clone();
    headers.remove(header::RANGE);
    choose(&headers, query, size, tag)
}

/// Reads a `Range` header against a size. `None` when it is to be ignored: another unit, several ranges, or no
/// range at all. A thing of no bytes has no ranges, so it is sent whole to those who always ask for one.
pub fn single_range(text: &str, size: u64) -> Option<Choice> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || size == 0 {
        return None;
    }
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return None };
    let (first, last) = spec.split_once('-')?;
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => match number(last)? {
            0 => Some(Choice::OutOfRange),
            count => Some(Choice::Part(size.saturating_sub(count)..size)),
        },
        (false, true) => Some(part(number(first)?, None, size)),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| part(first, Some(last.saturating_add(1)), size))
        }
    }
}

/// `offset` and `len`, each with its default: from the start, to the end.
fn offset_and_len(query: &[u8], size: u64) -> Choice {
    let read = |name| match query::raw(query, name) {
        None => Ok(None),
        Some(text) => match std::str::from_utf8(text).ok().and_then(number) {
            Some(value) => Ok(Some(value)),
            None => Err(()),
        },
    };
    match (read("offset"), read("len")) {
        (Ok(None), Ok(None)) => Choice::Whole,
        (Ok(offset), Ok(len)) => {
            let first = offset.unwrap_or(0);
            part(first, len.map(|len| first.saturating_add(len)), size)
        }
        (Err(()), _) => Choice::Unreadable("offset is a whole number of bytes"),
        (_, Err(())) => Choice::Unreadable("len is a whole number of bytes"),
    }
}

/// From `first` to before `end`, which may lie beyond the last byte.
fn part(first: u64, end: Option<u64>, size: u64) -> Choice {
    let end = end.map_or(size, |end| end.min(size));
    if first < end { Choice::Part(first..end) } else { Choice::OutOfRange }
}

/// Decimal digits and nothing else; more than fits means the most that fits.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// What the conditions say before any range is looked at.
fn conditions(headers: &HeaderMap, tag: &str) -> Option<Choice> {
    if let Some(list) = line(headers, header::IF_MATCH)
        && list.trim() != "*"
        && !tags(&list).any(|(weak, found)| !weak && found == tag)
    {
        return Some(Choice::Changed);
    }
    let list = line(headers, header::IF_NONE_MATCH)?;
    let held = list.trim() == "*" || tags(&list).any(|(_, found)| found == tag);
    held.then_some(Choice::Unchanged)
}

/// Whether an `If-Range` names this very tag; a weak tag or a date never does (RFC 9110 §13.1.5).
fn is_tag(wanted: &str, tag: &str) -> bool {
    wanted.trim() == tag
}

/// The tags of a list in their quotes, and whether each is weak. Ends where the list stops being one.
fn tags(list: &str) -> impl Iterator<Item = (bool, &str)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, text) = rest.strip_prefix("W/").map_or((false, rest), |text| (true, text));
        let end = text.strip_prefix('"')?.find('"')? + 2;
        let (tag, behind) = text.split_at_checked(end)?;
        rest = behind;
        Some((weak, tag))
    })
}

/// All lines of a header as one, commas between (RFC 9110 §5.3).
fn line(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
