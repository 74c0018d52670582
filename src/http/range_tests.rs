//! What is asked for, and what is chosen.

use hyper::header::HeaderValue;
use proptest::prelude::*;

use super::*;

const TAG: &str = "\"abc\"";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(pair) {
        headers.append(name, value);
    }
    headers
}

fn chosen(lines: &[(&'static str, &str)]) -> Choice {
    choose(&headers(lines), None, 1000, TAG)
}

fn asked(query: &str) -> Choice {
    choose(&HeaderMap::new(), Some(query), 1000, TAG)
}

#[test]
fn single_ranges_are_cut_to_what_is_there() {
    for (text, want) in [
        ("bytes=0-0", 0..1),
        ("bytes=0-499", 0..500),
        ("bytes=500-", 500..1000),
        ("bytes=-1", 999..1000),
        ("bytes=-5000", 0..1000),
        ("bytes=999-99999999999999999999999", 999..1000),
        ("Bytes = 1-2", 1..3),
        ("bytes=, 1-2 ,", 1..3),
    ] {
        assert_eq!(single_range(text, 1000), Some(Choice::Part(want)), "{text}");
    }
}

#[test]
fn ranges_of_which_no_byte_is_there_are_told_so() {
    for text in ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999-"] {
        assert_eq!(single_range(text, 1000), Some(Choice::OutOfRange), "{text}");
    }
}

#[test]
fn what_is_no_single_range_is_ignored() {
    for text in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-1,3-4",
        "lines=0-1",
        "bytes=+1-2",
        "bytes=0x1-2",
        "bytes=1 - 2",
        "bytes=1-2-3",
        "0-1",
    ] {
        assert_eq!(single_range(text, 1000), None, "{text}");
        assert_eq!(chosen(&[("range", text)]), Choice::Whole, "{text}");
    }
    let twice = [("range", "bytes=0-1"), ("range", "bytes=2-3")];
    assert_eq!(chosen(&twice), Choice::Whole);
}

#[test]
fn of_nothing_there_is_no_range() {
    for text in ["bytes=0-0", "bytes=0-", "bytes=-5"] {
        assert_eq!(choose(&headers(&[("range", text)]), None, 0, TAG), Choice::Whole, "{text}");
    }
}

#[test]
fn offset_and_len_are_another_spelling() {
    assert_eq!(asked("offset=512&len=512"), Choice::Part(512..1000));
    assert_eq!(asked("len=10"), Choice::Part(0..10));
    assert_eq!(asked("offset=990"), Choice::Part(990..1000));
    assert_eq!(asked("offset=0"), Choice::Part(0..1000));
    assert_eq!(asked("offset=1000"), Choice::OutOfRange);
    assert_eq!(asked("offset=0&len=0"), Choice::OutOfRange);
    assert_eq!(asked("offset=18446744073709551615&len=18446744073709551615"), Choice::OutOfRange);
    assert_eq!(asked("v=2&x"), Choice::Whole);
    for query in ["offset=-1", "offset=", "offset=1x", "len=%31", "len=1.5", "offset=1&len=a"] {
        assert!(matches!(asked(query), Choice::Unreadable(_)), "{query}");
    }
}

#[test]
fn the_header_counts_when_both_spellings_are_there() {
    let both = choose(&headers(&[("range", "bytes=1-2")]), Some("offset=5&len=5"), 1000, TAG);
    assert_eq!(both, Choice::Part(1..3));
}

#[test]
fn a_range_header_means_nothing_to_a_head() {
    let ranged = headers(&[("range", "bytes=1-2")]);
    assert_eq!(choose_head(&ranged, None, 1000, TAG), Choice::Whole);
    assert_eq!(choose_head(&ranged, Some("offset=5&len=5"), 1000, TAG), Choice::Part(5..10));
}

#[test]
fn a_range_of_what_has_changed_is_the_whole() {
    let range = ("range", "bytes=1-2");
    assert_eq!(chosen(&[range, ("if-range", TAG)]), Choice::Part(1..3));
    for other in ["\"abd\"", "W/\"abc\"", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
        assert_eq!(chosen(&[range, ("if-range", other)]), Choice::Whole, "{other}");
    }
    let beyond = ("range", "bytes=5000-");
    assert_eq!(chosen(&[beyond, ("if-range", TAG)]), Choice::OutOfRange);
    assert_eq!(chosen(&[beyond, ("if-range", "\"old\"")]), Choice::Whole);
}

#[test]
fn who_has_it_already_is_told_so() {
    for list in ["*", TAG, "W/\"abc\"", "\"x,y\", \"abc\"", " , \"abc\""] {
        let lines = [("if-none-match", list), ("range", "bytes=0-1")];
        assert_eq!(chosen(&lines), Choice::Unchanged, "{list}");
    }
    for list in ["\"x\"", "abc", "\"abc", "\"x\" junk \"abc\"", ""] {
        assert_eq!(chosen(&[("if-none-match", list)]), Choice::Whole, "{list}");
    }
    assert_eq!(chosen(&[("if-none-match", "\"x\""), ("if-none-match", TAG)]), Choice::Unchanged);
}

#[test]
fn who_wants_it_as_it_was_is_told_when_it_is_not() {
    for list in ["\"x\"", "W/\"abc\"", "abc", ""] {
        assert_eq!(chosen(&[("if-match", list)]), Choice::Changed, "{list}");
    }
    for list in ["*", TAG, "\"x\", \"abc\""] {
        assert_eq!(chosen(&[("if-match", list)]), Choice::Whole, "{list}");
    }
}

proptest! {
    #[test]
    fn a_part_is_never_empty_and_never_beyond_the_end(text in "(bytes=)?[0-9, -]{0,30}", size: u64) {
        if let Some(Choice::Part(part)) = single_range(&text, size) {
            prop_assert!(part.start < part.end && part.end <= size);
        }
    }

    #[test]
    fn any_bytes_can_be_asked_for(
        range in "\\PC{0,40}", query in "\\PC{0,40}", tag in "\\PC{0,20}", size in 0..2000_u64
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::RANGE, &range), (header::IF_RANGE, &tag), (header::IF_NONE_MATCH, &tag)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Choice::Part(part) = choose(&headers, Some(&query), size, TAG) {
            prop_assert!(part.start < part.end && part.end <= size);
        }
    }
}
