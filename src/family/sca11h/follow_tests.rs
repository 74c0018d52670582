//! Tests of rows turned into samples and readings.

use std::time::Duration;

use bytes::Bytes;

use super::super::{body, clock};
use super::*;

const A: &str = include_str!("samples/a.xml");
const B: &str = include_str!("samples/b.xml");
const D: &str = "40,61,14,55,31,912,1,978,1004,0\n41,61,14\n,60,14,56,29,930,1,1012,0,0\n43,,14,56,,930,1,,,\n\
                 44,x,14,56,29,930,1,1012,0,0\n45,61,14,55,31,912,7,978,0,0\n";

/// The newest row of sample A is measured at 23:02:04.
const ARRIVED: &str = "2017-03-19T23:02:05Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn taken(follow: &mut Follow, text: &str, arrived: &str) -> (News, Vec<Reading>) {
    let message = body::read(&Bytes::copy_from_slice(text.as_bytes()));
    let [said] = &message.nodes[..] else { panic!("{message:?}") };
    let times = clock::times(said, at(arrived), 0, Duration::from_mins(2));
    let news = follow.take(said, &times);
    let readings = follow.readings(&news.samples, &times);
    (news, readings)
}

fn values(readings: &[Reading], sensor: &str) -> Vec<Value> {
    readings.iter().filter(|one| one.sensor == *sensor).map(|one| one.value.clone()).collect()
}

#[test]
fn sample_a_says_what_the_page_says() {
    let (news, readings) = taken(&mut Follow::default(), A, ARRIVED);
    assert_eq!(news.samples.len(), 5);
    let first = &news.samples[0];
    assert_eq!(
        *first,
        Sample {
            at: at("2017-03-19T23:02:00Z"),
            device_time: Some(at("2017-03-19T23:02:00Z")),
            index: Some(120),
            hr_bpm: Some(61),
            rr_rpm: Some(14),
            sv_index: Some(55),
            hrv_ms: Some(31),
            signal_strength: Some(912),
            status: Status::Occupied,
            beats_ms: vec![978, 1004],
            fresh: true,
        }
    );
    let fresh: Vec<bool> = news.samples.iter().map(|sample| sample.fresh).collect();
    assert_eq!(fresh, [true, true, true, false, true], "row 123 repeats HR, SV and HRV");
    let beats = values(&readings, "beat_ms");
    assert_eq!(beats, [1004, 978, 991, 1012, 1020, 969].map(Value::Integer), "in the order they were beaten");
    assert_eq!(values(&readings, "hr_bpm"), [61, 61, 60, 60, 60].map(Value::Integer));
    assert_eq!(values(&readings, "status"), [1; 5].map(Value::Integer));
    assert_eq!(values(&readings, "time_source"), [Value::Text("device".into())]);
    assert_eq!(values(&readings, "clock_skew_s"), [Value::Integer(1)]);
    assert!(readings.iter().all(|reading| reading.created.is_some()));
    let moving = A.replace("912,1,", "9120,2,");
    let (_, readings) = taken(&mut Follow::default(), &moving, ARRIVED);
    let counting = |sensor: &str| readings.iter().filter(|one| one.sensor == *sensor && one.counts).count();
    assert_eq!((counting("hr_bpm"), counting("signal_strength")), (4, 4), "only valid rows count");
}

#[test]
fn a_second_time_it_says_nothing_new() {
    let mut follow = Follow::default();
    taken(&mut follow, A, ARRIVED);
    let (news, readings) = taken(&mut follow, A, "2017-03-19T23:02:08Z");
    assert_eq!((news.samples.len(), news.repeated), (0, 5));
    assert_eq!(readings, []);
    let later = A.replace("\r\n120,", "\r\n125,").replace("\r\n121,", "\r\n126,");
    let (news, _) = taken(&mut follow, &later, "2017-03-19T23:02:08Z");
    let indexes: Vec<_> = news.samples.iter().filter_map(|sample| sample.index).collect();
    assert_eq!((indexes, news.repeated), (vec![125, 126], 3));
}

#[test]
fn a_value_that_ends_is_told_once() {
    let mut follow = Follow::default();
    let (_, readings) = taken(&mut follow, B, "2017-03-19T23:15:05Z");
    for sensor in ["hr_bpm", "rr_rpm", "sv_index", "hrv_ms"] {
        assert_eq!(values(&readings, sensor), [Value::Gap(Gap)], "{sensor}");
    }
    assert_eq!(values(&readings, "signal_strength").len(), 5);
    assert_eq!(values(&readings, "status"), [0; 5].map(Value::Integer));
    assert_eq!(values(&readings, "fresh"), [const { Value::Bool(false) }; 5]);
    assert_eq!(values(&readings, "beat_ms"), []);
    let more = B.replace("\r\n90", "\r\n91");
    let (_, readings) = taken(&mut follow, &more, "2017-03-19T23:15:15Z");
    assert_eq!(values(&readings, "hr_bpm"), []);
    assert_eq!(values(&readings, "time_source"), [], "nothing changed");
}

#[test]
fn damaged_rows_leave_gaps() {
    // sca11h.md §9 D
    let (news, readings) = taken(&mut Follow::default(), D, "2024-03-01T12:00:00Z");
    let [first, fourth, sixth] = &news.samples[..] else { panic!("{news:?}") };
    assert_eq!((first.hr_bpm, first.status), (Some(61), Status::Occupied));
    assert_eq!((fourth.hr_bpm, fourth.hrv_ms, fourth.rr_rpm), (None, None, Some(14)));
    assert!(fourth.beats_ms.is_empty() && !fourth.fresh);
    assert_eq!((sixth.status, sixth.fresh), (Status::Other(7), false));
    assert_eq!(values(&readings, "hr_bpm"), [Value::Integer(61), Value::Gap(Gap), Value::Integer(61)]);
    assert_eq!(values(&readings, "time_source"), [Value::Text("arrival".into())]);
    assert_eq!(sixth.at, at("2024-03-01T12:00:00Z"));
    assert_eq!(first.at, at("2024-03-01T11:59:55Z"));
}

#[test]
fn a_clock_that_goes_wrong_is_told() {
    let mut follow = Follow::default();
    taken(&mut follow, A, ARRIVED);
    let next = A.replace("\r\n12", "\r\n13");
    let (news, readings) = taken(&mut follow, &next, "2017-03-20T01:02:15Z");
    assert_eq!(values(&readings, "time_source"), [Value::Text("arrival".into())]);
    assert_eq!(values(&readings, "clock_skew_s"), [Value::Integer(7201)]);
    assert_eq!(news.samples[4].at, at("2017-03-20T01:02:15Z"));
    assert_eq!(news.samples[4].device_time, Some(at("2017-03-19T23:02:14Z")));
}

#[test]
fn heart_rates_of_35_and_below_are_never_fresh() {
    let (news, _) = taken(&mut Follow::default(), &A.replace(",61,14", ",35,14"), ARRIVED);
    assert!(!news.samples[0].fresh);
}
