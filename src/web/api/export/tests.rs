//! Forms of exports.

use proptest::prelude::*;

use super::attachment;
use super::cells::{inert, writer};
use super::records::{Gather, Record};
use super::rows::{classic_row, long_row, wide_row};
use crate::model::{Datum, DeviceId, Gap, Seq, Timestamp, Value};

fn datum(seq: i64, sensor: &str, created: Option<i64>, value: Value) -> Datum {
    Datum {
        sensor: sensor.into(),
        value,
        time_received: Timestamp::from_micros(seq * 1_000_000),
        time_created: created.map(Timestamp::from_micros),
        seq: Seq(seq),
        counts: true,
    }
}

fn gathered(values: &[Datum]) -> Vec<Record> {
    let mut gather = Gather::default();
    let id = DeviceId::new("d");
    let mut found = Vec::new();
    for value in values {
        found.extend(gather.take(id.clone(), value.clone()).into_iter().flat_map(|(_, records)| records));
    }
    found.extend(gather.finish().into_iter().flat_map(|(_, records)| records));
    found
}

fn csv(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = writer();
    for row in rows {
        out.write_record(row).unwrap();
    }
    String::from_utf8(out.into_inner().unwrap()).unwrap()
}

#[test]
fn formulas_are_inert_and_numbers_stay() {
    let values = [
        datum(0, "s", None, Value::Text("=1+1".to_owned())),
        datum(0, "-s", None, Value::Integer(-5)),
        datum(0, "s", Some(0), Value::Text("a,\"b\r\nc".to_owned())),
        datum(0, "s", None, Value::Gap(Gap)),
    ];
    let text = csv(values.iter().map(|datum| long_row("@d", datum, false, None)));
    let at = "1970-01-01T00:00:00.000000Z";
    let want = format!(
        "'@d,s,'=1+1,,{at},\r\n'@d,'-s,-5,,{at},\r\n'@d,s,\"a,\"\"b\r\nc\",,{at},{at}\r\n'@d,s,,,{at},\r\n"
    );
    assert_eq!(text, want);
    for start in ["=", "+", "-", "@", "\t", "\r"] {
        assert_eq!(inert(format!("{start}x")), format!("'{start}x"));
    }
    assert_eq!(inert("x=".to_owned()), "x=");
}

#[test]
fn a_file_name_cannot_leave_its_quotes() {
    assert_eq!(attachment("a\"b", "csv"), "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv");
    assert_eq!(
        attachment("Küche\r\n", "jsonl"),
        "attachment; filename=\"K_che__.jsonl\"; filename*=UTF-8''K%C3%BCche%0D%0A.jsonl"
    );
}

#[test]
fn records_of_a_batch_are_told_apart_by_their_times() {
    // As the store lists them: by sensor, and each sensor's in the order of the message.
    let values = [
        datum(3, "light", Some(1), Value::Integer(80)),
        datum(3, "light", Some(2), Value::Integer(81)),
        datum(3, "tmp", Some(1), Value::Integer(20)),
        datum(3, "tmp", Some(2), Value::Integer(21)),
        datum(3, "tmp", Some(2), Value::Integer(22)),
        datum(4, "data", None, Value::Real(1.5)),
    ];
    let records = gathered(&values);
    let rows: Vec<_> = records.iter().map(|record| classic_row(record)[0].clone()).collect();
    assert_eq!(rows, [r#"{"light":80,"tmp":20}"#, r#"{"light":81,"tmp":21}"#, r#"{"tmp":22}"#, "1.5"]);
    let sensors = ["data", "light", "tmp"].map(str::to_owned);
    let wide: Vec<_> = records.iter().map(|record| wide_row("d", record, &sensors)[3..].join("|")).collect();
    assert_eq!(wide, ["|80|20", "|81|21", "||22", "1.5||"]);
}

/// Values as the store lists them.
fn values() -> impl Strategy<Value = Vec<Datum>> {
    let value = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        (-1e9..1e9).prop_map(Value::Real),
        any::<bool>().prop_map(Value::Bool),
        "[=+@a-c,\"\r\n-]{0,4}".prop_map(Value::Text),
    ];
    let one = (0_i64..4, 0_usize..4, prop::option::of(0_i64..3), value);
    prop::collection::vec(one, 0..60).prop_map(|mut all| {
        all.sort_by_key(|(seq, sensor, ..)| (*seq, *sensor));
        let names = ["-x", "data", "light", "tmp"];
        all.into_iter()
            .map(|(seq, sensor, created, value)| datum(seq, names[sensor], created, value))
            .collect()
    })
}

proptest! {
    /// Every cell of the long form stands in the wide form, once, under its sensor, beside its times; and nothing else.
    #[test]
    fn wide_and_long_say_the_same(values in values()) {
        let sensors = ["-x", "data", "light", "tmp"].map(str::to_owned);
        let read = |text: String| -> Vec<Vec<String>> {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
        };
        let mut long: Vec<[String; 4]> = read(csv(values.iter().map(|value| long_row("d", value, false, None))))
            .into_iter()
            .map(|row| [row[4].clone(), row[5].clone(), row[1].clone(), row[2].clone()])
            .filter(|row| !row[3].is_empty())
            .collect();
        let records = gathered(&values);
        let mut wide: Vec<[String; 4]> = Vec::new();
        for row in read(csv(records.iter().map(|record| wide_row("d", record, &sensors)))) {
            for (sensor, cell) in sensors.iter().zip(&row[3..]).filter(|(_, cell)| !cell.is_empty()) {
                wide.push([row[1].clone(), row[2].clone(), inert(sensor.clone()), cell.clone()]);
            }
        }
        long.sort();
        wide.sort();
        prop_assert_eq!(long, wide);
        prop_assert!(records.iter().all(|record| record.values.is_sorted_by(|one, other| one.0 < other.0)));
    }
}
