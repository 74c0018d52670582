//! Tests of `okm`: the vectors of `cwm-oke.md §5` read and made again, and what is not sound.

use proptest::prelude::*;

use super::*;
use crate::model::Value;

/// The vendor's message (§5.1) and the derived ones (§5.3).
const VECTORS: [(&str, &str); 9] = [
    (
        "8813",
        r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":192,"_ts":"2019-12-26T14:40:00","_crc":"8813","_pld":{"_hbt":{"door":56}}}"#,
    ),
    (
        "70F3",
        r#"{"_dst":["1122334455667788","0002010203040506"],"_cmd":"rd","_id":1,"_ts":"2024-03-01T12:00:00Z","_crc":"70F3","_pld":{"_ping":true}}"#,
    ),
    (
        "E6D5",
        r#"{"_dst":["0002010203040506"],"_cmd":"wr","_id":2,"_ts":"2024-03-01T12:00:01Z","_crc":"E6D5","_pld":{"oke":{"port":"232","baud":115200}}}"#,
    ),
    (
        "16AB",
        r#"{"_src":["036334d0b8df1f05","0002010203040506"],"_cmd":"wr","_id":10018,"_ts":"2022-05-03T20:34:08","_crc":"16AB","_pld":{"_hbt":{"set_temp":[1500,1550,1500,1500],"act_temp":[920,1525,1489,937],"recipe":[null,"Hearty Vegetable","Chili",null]}}}"#,
    ),
    (
        "656E",
        r#"{"_crc":"656E","_src":["0102030405060708"],"_cmd":"wr","_id":3,"_ts":"2024-03-01T12:00:04","_pld":{"_hbt":{"door":1}}}"#,
    ),
    (
        "05AA",
        r#"{ "_src": [ "0102030405060708" ], "_cmd": "wr", "_id": 5, "_ts": "2024-03-01T12:00:06", "_crc": "05AA", "_pld": { "_hbt": { "door": 3 } } }"#,
    ),
    (
        "7834",
        r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":6,"_ts":"2024-03-01T12:00:07","_pld":{"_hbt":{"_crc":"BEEF","door":4}},"_crc":"7834"}"#,
    ),
    (
        "0AF1",
        r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":9,"_ts":"2024-03-01T12:00:09","_crc":"0AF1","_pld":{"_hbt":{"name":"Fryer \u00B0C","k":"a\/b"}}}"#,
    ),
    (
        "0059",
        r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":421,"_ts":"2024-03-01T12:00:11","_crc":"0059","_pld":{"_hbt":{"door":5}}}"#,
    ),
];

fn judged(text: &[u8]) -> Verdict {
    read(text, &CwmSettings::default()).verdict
}

#[test]
fn every_vector_is_sound_as_received() {
    for (_, text) in VECTORS {
        assert_eq!(judged(text.as_bytes()), Verdict::Ok, "{text}");
        assert_eq!(judged(format!("{text}\0").as_bytes()), Verdict::Ok, "a NUL after {text}");
        assert_eq!(judged(format!("\n {text}\r\n").as_bytes()), Verdict::Ok, "white space around {text}");
    }
}

#[test]
fn every_vectors_digits_are_made_again() {
    for (digits, text) in VECTORS {
        let crc = members_crc(text);
        assert_eq!(&text[crc.start + 1..crc.end - 1], digits);
        let made = crc::over(text.as_bytes(), crc.start + 1..crc.end - 1);
        assert_eq!(crc::digits(made, super::super::CrcCase::Upper), digits);
    }
}

#[test]
fn lower_case_digits_are_read() {
    let (_, text) = VECTORS[7];
    assert_eq!(judged(text.replace("0AF1", "0af1").as_bytes()), Verdict::Ok);
}

#[test]
fn a_sound_message_is_typed() {
    let okm = read(VECTORS[3].1.as_bytes(), &CwmSettings::default()).okm;
    assert_eq!(okm.src, ["036334d0b8df1f05", "0002010203040506"]);
    assert_eq!(okm.id, Some(10018));
    assert_eq!(okm.created, Timestamp::parse("2022-05-03T20:34:08Z"));
}

#[test]
fn sources_are_one_to_eight_ids_or_one_bare() {
    let of = |src: &str| read(format!(r#"{{"_src":{src},"_pld":{{}}}}"#).as_bytes(), &CwmSettings::default());
    assert_eq!(of(r#""0102""#).okm.src, ["0102"]);
    assert_eq!(of(r#"["0102"]"#).verdict, Verdict::NoCrc);
    let long = format!(r#"["{}"]"#, "a".repeat(65));
    let nine = format!("[{}]", ["\"a\""; 9].join(","));
    for bad in ["[]", "[1]", "1", "null", r#"[""]"#, r#"["a\u0007"]"#, r#"["a\n"]"#, &long, &nine] {
        assert_eq!(of(bad).verdict, Verdict::Malformed, "{bad}");
    }
    assert_eq!(of(&format!(r#"["{}"]"#, "a".repeat(64))).verdict, Verdict::NoCrc);
}

#[test]
fn what_is_not_a_message_is_malformed() {
    for bad in [
        "",
        "x",
        "[]",
        "{",
        r#"{"_src":["a"]"#,
        r#"{"_src":["a"],"_pld":[1]}"#,
        r#"{"_src":["a"],"_id":true,"_pld":{}}"#,
        r#"{"_src":["a"],"_id":"x","_pld":{}}"#,
        r#"{"_src":["a"],"_ts":5,"_pld":{}}"#,
        r#"{"_src":["a"],"_cmd":5,"_pld":{}}"#,
        r#"{"_crc":"0000","_crc":"0000","_pld":{}}"#,
    ] {
        assert_eq!(judged(bad.as_bytes()), Verdict::Malformed, "{bad}");
    }
    let deep = format!(r#"{{"_pld":{}1{}}}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    assert_eq!(judged(deep.as_bytes()), Verdict::Malformed);
}

#[test]
fn a_checksum_of_another_form_is_a_bad_one() {
    for bad in [r#""""#, r#""088""#, r#""zzzz""#, "8813", "null", r#"["8813"]"#] {
        let text = format!(r#"{{"_src":["a"],"_crc":{bad},"_pld":{{}}}}"#);
        assert_eq!(judged(text.as_bytes()), Verdict::BadCrc, "{bad}");
    }
}

#[test]
fn eight_bit_text_is_checked_as_sent() {
    let mut text = br#"{"_src":["a"],"_crc":"0000","_pld":{"t":"5 "#.to_vec();
    text.extend_from_slice(b"\xB0C\"}}");
    let sum = crc::plain(&text);
    let at = text.windows(4).position(|four| four == b"0000").unwrap();
    text[at..at + 4].copy_from_slice(crc::digits(sum, super::super::CrcCase::Upper).as_bytes());
    let read = read(&text, &CwmSettings::default());
    assert_eq!(read.verdict, Verdict::Ok);
    assert_eq!(read.okm.payload.unwrap().readings[0].value, Value::Text("5 °C".to_owned()));
}

#[test]
fn the_fingerprint_tells_messages_apart_and_repeats_together() {
    let print = |text: &str| read(text.as_bytes(), &CwmSettings::default()).fingerprint;
    let (_, text) = VECTORS[0];
    assert!(print(text).is_some());
    assert_eq!(print(text), print(text));
    assert_ne!(print(text), print(VECTORS[4].1));
    assert_ne!(print(text), print(&text.replace("56", "57")), "a spoilt copy is not the sound one");
    assert_eq!(print(&text.replace(r#""_id":192,"#, "")), None);
    assert_eq!(print(&text.replace(r#""_ts":"2019-12-26T14:40:00","#, "")), None);
}

fn members_crc(text: &str) -> Range<usize> {
    let members = scan::members(text.as_bytes(), 32).unwrap();
    members.into_iter().find(|member| member.name == "_crc").unwrap().value
}

proptest! {
    #[test]
    fn one_changed_byte_is_noticed(which in 0..VECTORS.len(), at: prop::sample::Index, to in 0x20_u8..0x7f) {
        let mut text = VECTORS[which].1.as_bytes().to_vec();
        let at = at.index(text.len());
        prop_assume!(!text[at].eq_ignore_ascii_case(&to));
        text[at] = to;
        prop_assert_ne!(judged(&text), Verdict::Ok);
    }
}
