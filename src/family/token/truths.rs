//! What holds whatever is uploaded. The property tests and the fuzzer (`tests/fuzz/upload.rs`) both ask this.

use jiff::tz::TimeZone;

use super::gauge::Gauge;
use super::record::Record;
use super::{body, carrier, record};
use crate::model::Value;

/// Any bytes as an upload.
///
/// # Panics
/// When a truth does not hold.
pub fn upload(input: &[u8]) {
    for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
        let Ok(parts) = body::read(input, kind) else { continue };
        assert!((1..=body::RECORDS_MAX).contains(&parts.len()));
        for part in &parts {
            assert!(
                part.bytes.start <= part.bytes.end && part.bytes.end <= input.len(),
                "a part is in the body"
            );
            for gauge in [None, Some(Gauge::default())] {
                let Ok(record) = record::read(&part.value, &TimeZone::UTC, gauge.as_ref()) else { continue };
                // A gauge adds one.
                assert!(record.readings.len() <= 65);
                readings(&record);
            }
        }
    }
    if let Ok(query) = std::str::from_utf8(input) {
        assert!(!carrier::is_in(&carrier::without(query)), "no token is kept");
    }
}

fn readings(record: &Record) {
    for (place, reading) in record.readings.iter().enumerate() {
        assert!((1..=64).contains(&reading.sensor.chars().count()));
        assert!(!reading.sensor.chars().any(char::is_control));
        assert!(record.readings.iter().take(place).all(|other| other.sensor != reading.sensor));
        assert_eq!(reading.created, record.created);
        match &reading.value {
            Value::Real(real) => assert!(real.is_finite()),
            Value::Text(text) => assert!(text.chars().count() <= 256),
            Value::Integer(_) | Value::Gap(_) => {}
            Value::Bool(_) => panic!("truth values are 0 and 1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Pieces that uploads are made of, in any order.
    fn like_an_upload() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            Just(",".to_owned()),
            Just("\"data\":".to_owned()),
            Just("\"time_created\":".to_owned()),
            Just("\"angle\":".to_owned()),
            Just("-Infinity".to_owned()),
            Just("NaN".to_owned()),
            Just("\"\\\"\\u0000".to_owned()),
            Just("tmp=21&token=x".to_owned()),
            Just("\n".to_owned()),
            "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,3})?",
            "\"[a-z.é ]{0,70}\":?",
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::Array),
                proptest::collection::vec(("[a-z._]{0,6}|data|id|seq|time_created|angle", inner), 0..8)
                    .prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn of_uploads(text in like_an_upload()) {
            super::upload(text.as_bytes());
        }

        #[test]
        fn of_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            super::upload(&bytes);
        }

        #[test]
        fn of_json(tree in tree()) {
            super::upload(tree.to_string().as_bytes());
        }
    }
}
