//! Entries of the inbox.

use super::*;

fn reading(sensor: &str, value: Value, created: Option<i64>, counts: bool) -> Reading {
    Reading { sensor: sensor.into(), value, created: created.map(Timestamp::from_micros), counts }
}

fn entry(seq: i64, at: i64, readings: Vec<Reading>) -> Entry {
    Entry {
        seq,
        at,
        past: seq % 2 == 1,
        device: 3,
        device_id: None,
        heard: vec![(2, None), (3, Some(at)), (4, Some(7))],
        print: (seq % 2 == 0).then_some([7; 16]),
        readings,
    }
}

fn entries() -> Vec<Entry> {
    let mixed = vec![
        reading("a", Value::Integer(-7), Some(5), true),
        reading("b.c", Value::Real(0.1), None, true),
        reading("ä", Value::Text("käse".into()), Some(5), false),
        reading("d", Value::Bool(true), Some(9_000_000), true),
        reading("a", Value::Gap(Gap), Some(9_000_000), true),
        reading("a", Value::Bool(false), None, true),
    ];
    let again = mixed.iter().rev().cloned().collect();
    let extremes = [i64::MIN, i64::MAX, 0]
        .map(|number| reading("d", Value::Integer(number), Some(number), true))
        .to_vec();
    vec![
        entry(8, 1_700_000_000_000_000, mixed),
        entry(9, 1_700_000_000_000_001, again),
        entry(11, -5, Vec::new()),
        entry(12, i64::MAX, extremes),
    ]
}

#[test]
fn a_row_says_what_was_put_into_it() {
    let put = entries();
    let read = read(12, &write(&put)).unwrap();
    assert_eq!(read.len(), put.len());
    for (read, put) in read.iter().zip(&put) {
        assert_eq!((read.seq, read.at, read.past, read.device), (put.seq, put.at, put.past, put.device));
        assert_eq!((&read.heard, read.print), (&put.heard, put.print));
        assert_eq!(read.readings, put.readings);
    }
}

#[test]
fn names_beyond_those_that_are_searched_are_written_again() {
    let many = |from: usize| {
        (from..from + 2 * LISTED_MAX)
            .map(|n| reading(&format!("n{}", n % 300), Value::Integer(1), None, true))
            .collect()
    };
    let put = vec![entry(1, 1, many(0)), entry(2, 2, many(17)), entry(3, 3, many(0))];
    let read = read(3, &write(&put)).unwrap();
    for (read, put) in read.iter().zip(&put) {
        assert_eq!(read.readings, put.readings);
    }
}

#[test]
fn a_damaged_row_is_found() {
    let body = write(&entries());
    assert!(read(11, &body).is_none(), "it is named by its last entry");
    for end in 0..body.len() {
        assert!(read(12, &body[..end]).is_none(), "{end}");
    }
    assert!(read(12, &[&body[..], b"x"].concat()).is_none());
}

/// An entry as schema 4 wrote it.
#[test]
fn an_entry_of_an_earlier_schema_is_read() {
    let mut body = vec![1];
    body.extend(9_i64.to_le_bytes());
    body.extend(3_i64.to_le_bytes());
    body.extend(b"\x01\x00\x01\x00\x00\x00d");
    body.extend(b"\x02\x00");
    body.extend(2_i64.to_le_bytes());
    body.extend(b"\x00\x00");
    body.extend(3_i64.to_le_bytes());
    body.extend(b"\x01\x00");
    body.extend(9_i64.to_le_bytes());
    body.extend(b"\x01\x00");
    body.extend([7; 16]);
    body.extend(b"\x02\x00");
    // An integer with a time, and a text that buckets leave out.
    body.extend(b"\x01\x00\x00\x00a\x01\x00");
    body.extend(5_i64.to_le_bytes());
    body.extend(b"\x02\x01");
    body.extend((-7_i64).to_le_bytes());
    body.extend(b"\x01\x00\x00\x00b\x00\x00\x84\x03\x01\x00\x00\x00x");
    let [entry] = &read(4, &body).unwrap()[..] else { panic!("one entry") };
    assert_eq!((entry.seq, entry.at, entry.device), (4, 9, 3));
    assert_eq!(entry.device_id.as_ref().map(DeviceId::as_str), Some("d"));
    assert_eq!((&entry.heard, entry.print), (&vec![(2, None), (3, Some(9))], Some([7; 16])));
    assert_eq!(
        entry.readings,
        [reading("a", Value::Integer(-7), Some(5), true), reading("b", Value::Text("x".into()), None, false)]
    );
    for end in 0..body.len() {
        assert!(read(4, &body[..end]).is_none(), "{end}");
    }
}
