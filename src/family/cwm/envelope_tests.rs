//! Tests of `envelope`: the same message through every road.

use proptest::prelude::*;

use super::*;

/// The vendor's message, cwm-oke.md §5.1.
const SOUND: &str = r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":192,"_ts":"2019-12-26T14:40:00","_crc":"8813","_pld":{"_hbt":{"door":56}}}"#;

fn escaped(text: &[u8]) -> String {
    text.iter()
        .map(
            |&byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn of(query: Option<&str>, body: &str) -> Vec<Message> {
    opened(query, body, |_, _| HmacCheck::Absent).messages
}

fn opened(query: Option<&str>, body: &str, prove: impl FnMut(&[u8], &[Message]) -> HmacCheck) -> Opened {
    messages(query, body.as_bytes(), &CwmSettings::default(), prove)
}

fn sound(query: Option<&str>, body: &str) {
    let found = of(query, body);
    assert_eq!(found.len(), 1, "{query:?} {body}");
    assert_eq!(found[0].read.verdict, Verdict::Ok, "{query:?} {body}");
    assert_eq!(found[0].text.trim_ascii_end(), SOUND.as_bytes(), "{query:?} {body}");
}

#[test]
fn every_road_leads_to_the_exact_text() {
    let req = format!(r#"{{"okm":{SOUND},"ts":"2020-09-16T12:13:47"}}"#);
    let once = escaped(req.as_bytes());
    let twice = escaped(once.as_bytes());
    sound(Some(&format!("sha256hmac=00ff&req={once}")), "");
    sound(Some(&format!("req={twice}")), "");
    sound(Some(&format!("req={req}")), "");
    sound(Some(&format!("req={}", escaped(SOUND.as_bytes()))), "");
    sound(None, &format!("sha256hmac=00ff&req={once}"));
    sound(None, &format!("req={twice}"));
    sound(None, &format!(r#"{{"sha256hmac":"00","req":{req}}}"#));
    sound(None, &serde_json::json!({ "req": req }).to_string());
    sound(None, &serde_json::json!({ "req": once }).to_string());
    sound(None, &req);
    sound(None, SOUND);
    sound(None, &format!("{SOUND}\n"));
    sound(None, &once);
    sound(None, &serde_json::json!({ "okm": SOUND }).to_string());
    sound(Some("x=1"), SOUND);
}

#[test]
fn a_nul_at_the_end_is_tolerated() {
    let found = of(None, &format!("{SOUND}\0"));
    assert_eq!(found[0].read.verdict, Verdict::Ok);
    let found = of(Some(&format!("req={}%00", escaped(SOUND.as_bytes()))), "");
    assert_eq!(found[0].read.verdict, Verdict::Ok);
}

#[test]
fn the_checksum_decides_what_a_plus_is() {
    let crc = |text: &str| format!("{:04X}", super::super::crc::plain(text.as_bytes()));
    for value in ["a+b", "a b"] {
        let zeroed = format!(r#"{{"_src":["a"],"_crc":"0000","_pld":{{"v":"{value}"}}}}"#);
        let text = zeroed.replace("0000", &crc(&zeroed));
        let sent = text.replace(' ', "+");
        let found = of(Some(&format!("req={sent}")), "");
        assert_eq!(found[0].read.verdict, Verdict::Ok, "{value}");
        assert_eq!(found[0].text, text);
    }
}

#[test]
fn several_messages_are_told_apart() {
    let req = format!(r#"{{"okm":[{SOUND}, {{"_src":["a"],"_crc":"0000","_pld":{{}}}} ,7]}}"#);
    let verdicts: Vec<Verdict> = of(None, &req).iter().map(|message| message.read.verdict).collect();
    assert_eq!(verdicts, [Verdict::Ok, Verdict::BadCrc, Verdict::Malformed]);
    assert_eq!(of(None, &format!("[{SOUND},{SOUND}]")).len(), 2);
    let many = format!(r#"{{"okm":[{}]}}"#, vec![SOUND; 65].join(","));
    let found = of(None, &many);
    assert_eq!((found.len(), found[0].read.verdict), (1, Verdict::Malformed));
}

#[test]
fn what_has_no_message_has_none() {
    for (query, body) in
        [(None, ""), (Some(""), ""), (Some("req="), ""), (Some("a=b"), "hello"), (None, r#"{"a":1}"#)]
    {
        assert_eq!(of(query, body), [], "{query:?} {body}");
    }
}

#[test]
fn what_is_no_message_is_kept_as_malformed() {
    for (query, body) in [
        (Some("req=hello"), ""),
        (Some(r#"req={"ts":"x"}"#), ""),
        (Some(r#"req={"okm":[]}"#), ""),
        (Some(r#"req={"okm":5}"#), ""),
        (None, r#"{"okm":{"_src":["#),
        (None, "[1]"),
    ] {
        let found = of(query, body);
        assert_eq!(found.len(), 1, "{query:?} {body}");
        assert_eq!(found[0].read.verdict, Verdict::Malformed, "{query:?} {body}");
    }
}

#[test]
fn a_pull_says_who_asks_and_whether_the_last_was_taken() {
    let ask = |query: Option<&str>, body: &str| {
        let asked = asked(query, body.as_bytes(), &CwmSettings::default(), |_, _| HmacCheck::Absent);
        asked.map(|(asked, _)| asked)
    };
    let says = |devid: &str, taken| Some(Asked { devid: Some(devid.into()), taken });
    assert_eq!(ask(None, ""), Some(Asked { devid: None, taken: true }));
    assert_eq!(ask(Some(r#"sha256hmac=0&req={"devid":"12","ts":"x","lokm":true}"#), ""), says("12", true));
    assert_eq!(ask(Some("req=%7B%22devid%22%3A%2212%22%2C%22lokm%22%3Afalse%7D"), ""), says("12", false));
    assert_eq!(ask(Some("req=%257B%2522devid%2522%253A%252212%2522%257D"), ""), says("12", true));
    assert_eq!(ask(Some(r#"req={"devid":12345678901234567890}"#), ""), says("12345678901234567890", true));
    assert_eq!(ask(None, r#"{"req":{"devid":"12","lokm":0}}"#), says("12", false));
    assert_eq!(ask(Some("devid=12&lokm=false"), ""), says("12", false));
    assert_eq!(ask(Some("req=hello"), ""), None);
    assert_eq!(ask(Some(&format!("devid={}", "1".repeat(65))), ""), None);
    assert_eq!(ask(Some("devid=a%07"), ""), None);
}

/// As `prove` would: the HMAC of one text holds, that of others does not.
fn holds_for(right: &str) -> impl Fn(&[u8]) -> HmacCheck {
    move |text| if text == right.as_bytes() { HmacCheck::Ok } else { HmacCheck::Bad }
}

#[test]
fn the_hmac_decides_between_readings_and_covers_the_decoded_text() {
    let unsigned = |value: &str| format!(r#"{{"okm":{{"_src":["a"],"_pld":{{"v":"{value}"}}}},"ts":"x"}}"#);
    for value in ["a+b", "a b", "%2B"] {
        let text = unsigned(value);
        let sent = if value.contains('%') { escaped(text.as_bytes()) } else { text.replace(' ', "+") };
        let holds = holds_for(&text);
        let found = opened(Some(&format!("req={sent}")), "", |text, _| holds(text));
        assert_eq!(found.hmac, HmacCheck::Ok, "{value}");
        assert!(found.messages[0].text.ends_with(format!("{value}\"}}}}").as_bytes()), "{value}");
    }
}

#[test]
fn a_sound_message_is_taken_although_its_hmac_fails() {
    let found = opened(Some(&format!("req={}", escaped(SOUND.as_bytes()))), "", |_, _| HmacCheck::Bad);
    assert_eq!((found.hmac, found.messages[0].read.verdict), (HmacCheck::Bad, Verdict::Ok));
}

#[test]
fn a_proven_reading_is_taken_before_one_that_only_looks_sound() {
    // The text that was signed is broken; a further decoding of it would be a sound message of another sender.
    let signed = escaped(SOUND.as_bytes());
    let holds = holds_for(&signed);
    let found = opened(Some(&format!("req={}", escaped(signed.as_bytes()))), "", |text, _| holds(text));
    assert_eq!((found.hmac, found.messages[0].read.verdict), (HmacCheck::Ok, Verdict::Malformed));
}

#[test]
fn the_stated_hmac_is_found_on_every_road() {
    let find = |query: Option<&str>, body: &str| stated(query, body.as_bytes(), &CwmSettings::default());
    let right = Some(b"00ff".to_vec());
    assert_eq!(find(Some("req={}&sha256hmac=00ff"), ""), right);
    assert_eq!(find(Some("sha256hmac=%30%30ff"), "{}"), right);
    assert_eq!(find(Some("x=1"), "sha256hmac=00ff&req=%7B%7D"), right);
    assert_eq!(find(None, r#"{"sha256hmac":"00ff","req":{}}"#), right);
    for (query, body) in
        [(None, ""), (Some("sha256hmac="), ""), (None, r#"{"req":{}}"#), (None, r#"{"sha256hmac":5}"#)]
    {
        assert_eq!(find(query, body), None, "{query:?} {body}");
    }
}

#[test]
fn of_a_pull_the_whole_request_object_is_proven() {
    let req = r#"{"devid":"12","ts":"a b","lokm":true}"#;
    let ask = |query: &str| {
        let prove = |text: &[u8], devid: Option<&str>| {
            assert!(matches!(devid, Some("12")));
            holds_for(req)(text)
        };
        asked(Some(query), b"", &CwmSettings::default(), prove).map(|(_, hmac)| hmac)
    };
    assert_eq!(ask(&format!("req={}", req.replace(' ', "+"))), Some(HmacCheck::Ok));
    assert_eq!(ask(&format!("req={}", req.replace("true", "false"))), Some(HmacCheck::Bad));
    assert_eq!(ask("devid=12"), Some(HmacCheck::Absent));
}

proptest! {
    #[test]
    fn escapes_in_a_payload_survive_the_query(value in "[ -~]{0,24}") {
        let payload = serde_json::json!({ "v": value });
        let zeroed = format!(r#"{{"_src":["a"],"_crc":"0000","_pld":{payload}}}"#);
        let sum = super::super::crc::plain(zeroed.as_bytes());
        let text = zeroed.replacen("0000", &format!("{sum:04X}"), 1);
        let found = of(Some(&format!("req={}", escaped(text.as_bytes()))), "");
        prop_assert_eq!(&found[0].text, &text);
        prop_assert_eq!(found[0].read.verdict, Verdict::Ok);
    }
}
