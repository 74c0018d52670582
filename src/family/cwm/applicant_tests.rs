//! Tests of `applicant`: the same device and the same request through every road.

use super::*;
use crate::family::cwm::CwmSettings;

fn devid(query: &str, body: &str) -> Option<String> {
    read(Some(query), body.as_bytes(), &CwmSettings::default()).devid
}

const PEM: &str = "-----BEGIN CERTIFICATE REQUEST-----\nAAEC+/8D\nBAUG\n-----END CERTIFICATE REQUEST-----\n";
const DER: &[u8] = &[0, 1, 2, 0xFB, 0xFF, 3, 4, 5, 6];

fn requests(query: &str, body: &str) -> Option<Vec<Vec<u8>>> {
    read(Some(query), body.as_bytes(), &CwmSettings::default()).requests
}

#[test]
fn the_device_is_found_wherever_it_stands() {
    for (query, body) in [
        ("devid=0002AB", ""),
        ("DevID=0002AB&id=other", ""),
        ("id=other&devid=0002AB", ""),
        ("x=1", "devid=0002AB&y=2"),
        ("", r#"{"devid":"0002AB"}"#),
        ("", r#"{"device":{"dev_id":"0002AB"}}"#),
        ("", r#"[{"deviceid":"0002AB"}]"#),
        ("", r#"{"req":"{\"id\":\"0002AB\"}"}"#),
        ("req=%7B%22mac%22%3A%220002AB%22%7D", ""),
        ("req=%257B%2522mac%2522%253A%25220002AB%2522%257D", ""),
        ("", r#"{"okm":{"_src":["036334d0b8df1f05","0002AB"],"_pld":{}}}"#),
        ("", r#"{"_src":"0002AB"}"#),
        ("sha256hmac=00&req=%7B%22devid%22%3A%220002AB%22%7D", ""),
    ] {
        assert_eq!(devid(query, body).as_deref(), Some("0002AB"), "{query} {body}");
    }
    assert_eq!(devid("", r#"{"devid":12345678901234567890}"#).as_deref(), Some("12345678901234567890"));
}

#[test]
fn what_is_no_device_id_is_passed_over() {
    assert_eq!(devid("devid=&id=7", "").as_deref(), Some("7"));
    let long = "a".repeat(65);
    assert_eq!(devid(&format!("devid={long}&mac=001122334455"), "").as_deref(), Some("001122334455"));
    for (query, body) in [
        ("", ""),
        ("devid=%00", ""),
        ("", r#"{"devid":null,"id":{},"mac":[]}"#),
        ("", r#"{"devid":"broken"#),
        ("_id=7", ""),
    ] {
        assert_eq!(devid(query, body), None, "{query} {body}");
    }
}

#[test]
fn names_can_be_added() {
    let mut settings = CwmSettings::default();
    settings.names.device.insert(0, "serial".to_owned());
    assert_eq!(read(Some("devid=1&serial=2"), b"", &settings).devid.as_deref(), Some("2"));
}

#[test]
fn a_request_is_recognised_anywhere() {
    let escaped = PEM.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let form = PEM.replace('+', "%2B").replace(' ', "+").replace('\n', "%0A");
    let json = serde_json::json!({"devid": "1", "inner": {"csr": PEM}}).to_string();
    let twice = serde_json::json!({"csr": PEM.replace('\n', "\\n")}).to_string();
    let crlf = PEM.replace('\n', "\r\n");
    for (query, body) in [
        ("", PEM),
        ("", crlf.as_str()),
        ("", form.as_str()),
        (escaped.as_str(), ""),
        (&format!("devid=1&csr={escaped}"), ""),
        (&format!("devid=1&csr={form}"), ""),
        ("", &format!("devid=1&csr={form}")),
        ("", &format!("devid=1&csr={}", escaped.replace('%', "%25"))),
        ("", &json),
        ("", &twice),
        ("", &format!("--x\r\nContent-Disposition: form-data\r\n\r\n{PEM}\r\n--x--")),
        ("", &PEM.replace("CERTIFICATE", "NEW CERTIFICATE")),
        ("", &PEM.replace("D\nB", "DB")),
    ] {
        let found = requests(query, body).unwrap_or_default();
        assert!(found.iter().any(|der| der == DER), "{query} {body}: {found:?}");
    }
}

#[test]
fn a_broken_request_is_not_taken_for_none() {
    assert_eq!(requests("devid=1", ""), None);
    assert_eq!(requests("", &PEM.replace(" REQUEST", "")), None, "a certificate is no request");
    assert_eq!(requests("", &PEM.replace("AAEC", "A*EC")), Some(Vec::new()));
    assert_eq!(requests("", "-----BEGIN CERTIFICATE REQUEST-----\nAAEC"), Some(Vec::new()));
}

proptest::proptest! {
    #[test]
    fn any_request_is_survived(query in ".{0,60}", body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
        drop(read(Some(&query), &body, &CwmSettings::default()));
    }

    #[test]
    fn any_json_is_survived(body in r#"[\[\]{}:,"\\a-d_0-9]{0,40}"#) {
        drop(read(None, body.as_bytes(), &CwmSettings::default()));
    }
}
