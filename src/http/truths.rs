//! What holds for any query and any `Range`, whoever sends it. The property tests and the fuzzers (`tests/fuzz`) both
//! ask these functions.

use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};

use super::query::{self, Plus};
use super::range::{self, Choice};

/// Any bytes as a query string.
///
/// # Panics
/// When a truth does not hold.
pub fn query(text: &[u8]) {
    for plus in [Plus::Literal, Plus::Space] {
        assert!(query::decode(text, plus).len() <= text.len(), "decoding never adds");
        assert_eq!(query::decode(escape(text).as_bytes(), plus), text, "what is escaped comes back");
    }
    let parts: usize = query::pairs(text).map(|(name, value)| name.len() + value.len()).sum();
    assert!(parts <= text.len());
    for (name, value) in query::pairs(text) {
        assert!(!name.contains(&b'=') && !name.contains(&b'&') && !value.contains(&b'&'));
        let Ok(name) = String::from_utf8(query::decode(name, Plus::Space)) else { continue };
        assert!(query::raw(text, &name).is_some(), "a pair that is there is found");
    }
}

/// Any bytes as a `Range` and as a query, of a file whose size is said by the first two bytes.
///
/// # Panics
/// When a truth does not hold.
pub fn range(input: &[u8]) {
    let (size, text) = input.split_at(input.len().min(2));
    let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
    let mut headers = HeaderMap::new();
    let query = std::str::from_utf8(text).ok();
    inside(&range::choose(&headers, query, size, "\"tag\""), size);
    let Ok(value) = HeaderValue::from_bytes(text) else { return };
    headers.insert(header::RANGE, value.clone());
    let choice = range::choose(&headers, None, size, "\"tag\"");
    inside(&choice, size);
    if let Some((first, last)) = plain(text).filter(|(first, last)| first <= last && *first < size) {
        assert_eq!(choice, Choice::Part(first..size.min(last + 1)), "a plain range is what it says");
    }
    headers.insert(header::IF_RANGE, HeaderValue::from_static("\"another\""));
    assert!(
        !matches!(range::choose(&headers, None, size, "\"tag\""), Choice::Part(_)),
        "no part of another file"
    );
    for name in [header::IF_NONE_MATCH, header::IF_MATCH, header::IF_RANGE] {
        headers.insert(name, value.clone());
        inside(&range::choose(&headers, query, size, "\"tag\""), size);
    }
}

fn inside(choice: &Choice, size: u64) {
    if let Choice::Part(part) = choice {
        assert!(part.start < part.end && part.end <= size, "{part:?} of {size}");
    }
}

/// `bytes=5-9` and nothing else.
fn plain(text: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = std::str::from_utf8(text).ok()?.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(first) && digits(last)).then_some(())?;
    Some((first.parse().ok()?, last.parse::<u64>().ok().filter(|last| *last < u64::MAX)?))
}

/// Every byte as an escape.
pub(crate) fn escape(text: &[u8]) -> String {
    text.iter().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn of_queries(text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'&'), Just(b'=')], 0..64)) {
            super::query(&text);
        }

        #[test]
        fn of_ranges(size: [u8; 2], text in "(bytes=|offset=|len=|&|[0-9]{1,20}|-|,| ){0,8}") {
            super::range(&[&size[..], text.as_bytes()].concat());
        }
    }
}
