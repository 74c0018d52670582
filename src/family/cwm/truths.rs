//! What holds whatever comes in. The property tests and the fuzzers (`tests/fuzz`) both ask these functions, so that
//! neither knows less than the other.

use super::names::CwmSettings;
use super::telemetry::Said;
use super::{applicant, envelope, okm, scan};
use crate::http::truths::escape;
use crate::model::{HmacCheck, Verdict};

/// Any bytes as a message.
///
/// # Panics
/// When a truth does not hold.
pub fn okm(text: &[u8]) {
    let settings = CwmSettings::default();
    let read = okm::read(text, &settings);
    assert_eq!(
        read.fault.is_some(),
        read.verdict == Verdict::Malformed,
        "a fault is what makes it malformed"
    );
    assert!(read.fingerprint.is_none() || read.fault.is_none(), "a malformed message repeats nothing");
    assert!(read.okm.src.len() <= 8 && read.okm.src.iter().all(|id| (1..=64).contains(&id.chars().count())));
    let serial = [text, b"\0"].concat();
    assert_eq!(okm::read(&serial, &settings).verdict, read.verdict, "the serial link's NUL changes nothing");
    if let Some(Said { readings, .. }) = &read.okm.payload {
        assert!(readings.len() <= settings.readings_max);
        let mut names: Vec<&str> = readings.iter().map(|reading| reading.sensor.as_str()).collect();
        assert!(names.iter().all(|name| !name.is_empty() && name.chars().count() <= 64));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), readings.len(), "each sensor once");
    }
    if read.verdict == Verdict::Ok {
        through_the_query(text, &settings);
    }
}

/// A sound message comes out of a percent-encoded query as it went in.
fn through_the_query(text: &[u8], settings: &CwmSettings) {
    let wraps =
        scan::members(text, settings.depth_max).is_ok_and(|all| all.iter().any(|one| one.name == "okm"));
    if wraps {
        return; // a message with such a member reads as the envelope of another
    }
    let query = format!("sha256hmac=00&req={}", escape(text));
    let found = envelope::messages(Some(&query), b"", settings, |_, _| HmacCheck::NoKey).messages;
    assert_eq!(found.len(), 1);
    assert!(found.iter().all(|one| one.text == text && one.read.verdict == Verdict::Ok));
}

/// Any query and any body as a push and as a pull. The first 0xFF parts them.
///
/// # Panics
/// When a truth does not hold.
pub fn envelope(input: &[u8]) {
    let settings = CwmSettings::default();
    let mut halves = input.splitn(2, |&byte| byte == 0xFF);
    let query = String::from_utf8_lossy(halves.next().unwrap_or_default()).into_owned();
    let body = halves.next().unwrap_or_default();
    for query in [None, Some(query.as_str())] {
        let found = envelope::messages(query, body, &settings, |_, _| HmacCheck::Bad).messages;
        assert!(found.len() <= settings.push_okms_max);
        if let Some((asked, _)) = envelope::asked(query, body, &settings, |_, _| HmacCheck::Bad) {
            assert!(asked.devid.is_none_or(|id| (1..=64).contains(&id.chars().count())));
        }
        let applicant = applicant::read(query, body, &settings);
        assert!(applicant.devid.is_none_or(|id| (1..=64).contains(&id.chars().count())));
        assert!(envelope::stated(query, body, &settings).is_none_or(|stated| !stated.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Texts that look like messages, so that more than the first byte is read.
    fn like_a_message() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just(r#""_src":["a","b"]"#.to_owned()),
            Just(r#""_id":7"#.to_owned()),
            Just(r#""_ts":"2024-03-01T12:00:00""#.to_owned()),
            Just(r#""_crc":"0000""#.to_owned()),
            Just(r#""okm":{"_id":1}"#.to_owned()),
            Just(r#""_pld":{"_hbt":{"door":1,"a.b":[null,2]},"a":{"b":3}}"#.to_owned()),
            "[\"\\[\\]{}:,a0 _]{0,12}",
        ];
        proptest::collection::vec(part, 0..6).prop_map(|parts| {
            let text = format!("{{{}}}", parts.join(","));
            let sum = format!("{:04X}", super::super::crc::plain(text.as_bytes()));
            text.replacen("0000", &sum, 1).into_bytes()
        })
    }

    proptest! {
        #[test]
        fn of_messages(text in prop_oneof![like_a_message(), proptest::collection::vec(any::<u8>(), 0..128)]) {
            super::okm(&text);
        }

        #[test]
        fn of_requests(text in prop_oneof![like_a_message(), proptest::collection::vec(any::<u8>(), 0..128)]) {
            super::envelope(&text);
            super::envelope(&[b"req=", &text[..]].concat());
            super::envelope(&[b"x=1\xFF", &text[..]].concat());
        }
    }
}
