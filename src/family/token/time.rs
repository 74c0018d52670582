//! A device's own time: text with or without a zone, or a number since 1970 (`accounts-dashboard.md §4`). Pure.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::model::Timestamp;

/// Reads `time_created`. Without a zone it is a time of `zone`; a number is seconds, milliseconds or microseconds by
/// its size.
pub(super) fn read(value: &Json, zone: &TimeZone) -> Option<Timestamp> {
    match value {
        Json::Number(number) => match number.as_i64() {
            Some(whole) => epoch(whole),
            None => epoch_real(number.as_f64()?),
        },
        Json::String(text) => text_of(text.trim(), zone),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn text_of(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(whole) = text.parse::<i64>() {
        return epoch(whole);
    }
    if let Ok(real) = text.parse::<f64>() {
        return epoch_real(real);
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_micros(at.as_microsecond()));
    }
    let civil: DateTime = text.parse().ok()?;
    let at = civil.to_zoned(zone.clone()).ok()?.timestamp();
    Some(Timestamp::from_micros(at.as_microsecond()))
}

fn epoch(whole: i64) -> Option<Timestamp> {
    let micros = match whole.unsigned_abs() {
        0..MILLISECONDS_FROM => whole.checked_mul(1_000_000)?,
        MILLISECONDS_FROM..MICROSECONDS_FROM => whole.checked_mul(1000)?,
        MICROSECONDS_FROM.. => whole,
    };
    in_range(micros)
}

fn epoch_real(real: f64) -> Option<Timestamp> {
    let seconds = match real.abs() {
        size if size < 1e11 => real,
        size if size < 1e14 => real / 1e3,
        _ => real / 1e6,
    };
    let nanos = SignedDuration::try_from_secs_f64(seconds).ok()?.as_nanos();
    i64::try_from((nanos + 500).div_euclid(1000)).ok().and_then(in_range)
}

/// Only what can be shown as a date.
fn in_range(micros: i64) -> Option<Timestamp> {
    jiff::Timestamp::from_microsecond(micros).ok().map(|at| Timestamp::from_micros(at.as_microsecond()))
}

/// Seconds until the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;
/// Milliseconds until the year 5138.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let cases = [
            (json!("2021-11-13T19:53:16Z"), "2021-11-13T19:53:16Z"),
            (json!("2021-11-13T19:53:16.25+02:00"), "2021-11-13T17:53:16.25Z"),
            (json!("2021-11-13T19:53:16"), "2021-11-13T18:53:16Z"),
            (json!("2021-07-13 19:53:16"), "2021-07-13T17:53:16Z"),
            (json!("2021-11-13"), "2021-11-12T23:00:00Z"),
            (json!(1_636_833_196), "2021-11-13T19:53:16Z"),
            (json!(1_636_833_196.5), "2021-11-13T19:53:16.5Z"),
            (json!(1_636_833_196_500_i64), "2021-11-13T19:53:16.5Z"),
            (json!(1_636_833_196_500_250_i64), "2021-11-13T19:53:16.50025Z"),
            (json!("1636833196"), "2021-11-13T19:53:16Z"),
            (json!(1_636_833_196_500.0), "2021-11-13T19:53:16.5Z"),
            (json!(0), "1970-01-01T00:00:00Z"),
            (json!(-1), "1969-12-31T23:59:59Z"),
        ];
        for (value, wanted) in cases {
            assert_eq!(read(&value, &zone), Timestamp::parse(wanted), "{value}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        let zone = TimeZone::UTC;
        for value in [
            json!("yesterday"),
            json!(""),
            json!(null),
            json!(true),
            json!([1]),
            json!("2021-13-01T00:00:00"),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e300),
            json!("inf"),
        ] {
            assert_eq!(read(&value, &zone), None, "{value}");
        }
    }
}
