//! Tests of `record`: which readings come of which values.

use serde_json::json;

use super::*;

fn read_one(value: &Json) -> Record {
    read(value, &TimeZone::UTC, None).unwrap()
}

fn values(value: &Json) -> Vec<(String, Value)> {
    let record = read_one(value);
    assert_eq!((record.dropped, &record.fault), (0, &None), "{value}");
    record.readings.into_iter().map(|reading| (reading.sensor.into(), reading.value)).collect()
}

fn whole(name: &str, number: i64) -> (String, Value) {
    (name.to_owned(), Value::Integer(number))
}

#[test]
fn every_shape_of_the_table_becomes_sensors() {
    let real = |name: &str, number| (name.to_owned(), Value::Real(number));
    assert_eq!(values(&json!(21.5)), [real("data", 21.5)]);
    assert_eq!(values(&json!({"data": 21.5})), [real("data", 21.5)]);
    let two = [whole("tmp", 26), whole("light", 80)];
    assert_eq!(values(&json!({"data": {"tmp": 26, "light": 80}})), two);
    assert_eq!(values(&json!({"tmp": 26, "light": 80})), two);
    assert_eq!(values(&json!({"data": 5, "confidence": 1})), [whole("data", 5), whole("confidence", 1)]);
    assert_eq!(values(&json!({"a": {"b": {"c": {"d": 1}}}})), [whole("a.b.c.d", 1)]);
    assert_eq!(
        values(&json!({"a": [1, {"x": 2}, [3]]})),
        [whole("a.0", 1), whole("a.1.x", 2), whole("a.2.0", 3)]
    );
    assert_eq!(values(&json!([7, 8])), [whole("data.0", 7), whole("data.1", 8)]);
    assert_eq!(values(&json!({"on": true, "off": false})), [whole("on", 1), whole("off", 0)]);
    assert_eq!(values(&json!({"s": "é"})), [("s".to_owned(), Value::Text("é".to_owned()))]);
    assert_eq!(values(&json!({"gap": null})), [("gap".to_owned(), Value::Gap(Gap))]);
    assert_eq!(values(&json!(null)), [("data".to_owned(), Value::Gap(Gap))]);
    assert_eq!(values(&json!({"big": u64::MAX})), [real("big", 18_446_744_073_709_551_615.0)]);
    assert_eq!(values(&json!({})), []);
}

#[test]
fn reserved_keys_are_no_sensors() {
    let record = read_one(&json!({"id": "x1", "seq": 7, "time_created": "2021-11-13T19:53:16", "tmp": 1}));
    let created = Timestamp::parse("2021-11-13T19:53:16Z");
    assert_eq!(
        (record.id.as_deref(), record.seq.as_deref(), record.created),
        (Some("x1"), Some("7"), created)
    );
    assert_eq!(record.readings.len(), 1);
    assert_eq!(record.readings[0].created, created);
    // Within the data they are ordinary names.
    assert_eq!(values(&json!({"data": {"id": 1, "seq": 2}})), [whole("id", 1), whole("seq", 2)]);
    let record = read_one(&json!({"time_created": "yesterday", "tmp": 1}));
    assert_eq!((record.created, record.dropped), (None, 0));
    assert_eq!(record.fault.as_deref(), Some("time_created is no time"));
    assert_eq!(read_one(&json!({"time_created": null, "tmp": 1})).fault, None);
}

#[test]
fn what_is_over_a_limit_is_left_out_and_counted() {
    let long = "x".repeat(65);
    let cases = [
        (json!({"a": {"b": {"c": {"d": {"e": 1, "f": 2}}}}, "ok": 1}), 2, "a.b.c.d: objects"),
        (json!({"ok": 1, "many": (0..40).collect::<Vec<_>>()}), 8, "many: of a list"),
        (json!({"ok": 1, "t": "x".repeat(257)}), 1, "t: the text"),
        (json!({"ok": 1, &long: 2}), 1, "a name has"),
        (json!({"ok": 1, "": 2}), 1, "a name has"),
        (json!({"ok": 1, "a\nb": 2}), 1, "ab: a name has"),
        (json!({"ok": 1, "a.b": 2, "a": {"b": 3}}), 1, "a.b: the name is there twice"),
        (json!({"ok": 1, "x": "\0not finite"}), 1, "x: the number is not finite"),
        (json!({"ok": 1, "x": "dt_0123456789abcdefghijABCDEFGHIJ01"}), 1, "x: a token"),
    ];
    for (value, dropped, cause) in cases {
        let record = read_one(&value);
        assert_eq!(record.dropped, dropped, "{value}");
        assert!(record.fault.as_deref().is_some_and(|fault| fault.contains(cause)), "{:?}", record.fault);
        assert!(record.readings.iter().any(|reading| reading.sensor == "ok"), "{value}");
    }
    assert_eq!(values(&json!({"t": "x".repeat(256)})).len(), 1);
    assert_eq!(values(&json!({"é".repeat(64): 1})).len(), 1);
}

#[test]
fn a_record_has_so_many_sensors() {
    let many = |count: usize| Json::Object((0..count).map(|n| (format!("s{n}"), json!(n))).collect());
    assert_eq!(values(&many(64)).len(), 64);
    assert_eq!(read(&many(65), &TimeZone::UTC, None), Err(TooManySensors));
}

#[test]
fn a_gauge_says_its_value_when_its_device_says_the_angle() {
    let shown = |value: &Json| {
        let record = read(value, &TimeZone::UTC, Some(&Gauge::default())).unwrap();
        record
            .readings
            .into_iter()
            .map(|reading| (String::from(reading.sensor), reading.value))
            .collect::<Vec<_>>()
    };
    let derived = [whole("angle", 0), ("data".to_owned(), Value::Real(50.0))];
    assert_eq!(shown(&json!({"angle": 0})), derived);
    assert_eq!(shown(&json!({"data": {"angle": 0}})), derived);
    assert_eq!(shown(&json!({"angle": 0, "data": 7})), [whole("angle", 0), whole("data", 7)]);
    assert_eq!(shown(&json!({"angle": null})).len(), 1);
    assert_eq!(values(&json!({"angle": 0})), [whole("angle", 0)], "of another device");
}
