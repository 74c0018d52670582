//! The whole story of the README: a module calls, is heard, is commanded, answers.

use serde_json::json;

use crate::harness::{Module, Program, crc, encoded, okm, settled};

/// The vendor's message of `cwm-oke.md` §5.1, with the vendor's own CRC.
const VENDOR: &str = r#"{"_src":["0102030405060708"],"_cmd":"wr","_id":192,"_ts":"2019-12-26T14:40:00","_crc":"8813","_pld":{"_hbt":{"door":56}}}"#;

#[test]
fn the_pretend_module_computes_the_vendors_crc() {
    assert_eq!(crc(b"123456789"), 0x29B1);
    assert_eq!(crc(VENDOR.replace("8813", "0000").as_bytes()), 0x8813);
    assert_eq!(okm(&["0102030405060708"], 192, "2019-12-26T14:40:00", r#"{"_hbt":{"door":56}}"#), VENDOR);
}

#[test]
fn a_fresh_server_hears_a_module_and_commands_it() {
    // Nothing is set but where to listen: an unknown module is held, and adopted by the command queued for it.
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold");
    program.start();
    let said = program.log();
    assert!(program.says(&program.password()), "the first password is printed:\n{said}");
    assert!(program.says("SHA-256"), "the fingerprint is printed:\n{said}");

    let mut client = program.client();
    client.get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    client.post(&Module::target(VENDOR), b"").is_device_answer(200, r#"{"push":true,"pull":false}"#);

    let token = program.token();
    let messages = program.all(&token, "/api/v1/messages");
    let heard = messages.iter().find(|message| message["direction"] == "in").expect("it is listed");
    assert_eq!(heard["verdict"], "ok", "{heard}");
    assert_eq!(heard["device"]["address"], "0102030405060708", "{heard}");
    let raw = program.client().get_as(&token, &format!("/api/v1/messages/{}/raw", heard["seq"]));
    assert_eq!(raw.text(), VENDOR);

    let devices = program.all(&token, "/api/v1/devices");
    let device = devices.iter().find(|device| device["address"] == "0102030405060708").expect("it is known");
    assert_eq!(device["state"], "held", "{device}");
    let id = device["id"].as_str().expect("a device has an id");
    let order = json!({"cmd": "wr", "payload": {"oke": {"port": "232", "baud": 115_200}}});
    let queued = program.post(&token, &format!("/api/v1/devices/{id}/commands"), &order);
    assert!(matches!(queued.status, 200..=202), "{} {}", queued.status, queued.text());
    let command = queued.json()["id"].as_str().expect("a command has an id").to_owned();
    let state = |expected: &str| {
        let seen = settled(|| {
            let now = program.api(&token, &format!("/api/v1/commands/{command}"));
            (now["state"] == expected).then_some(now)
        });
        seen.unwrap_or_else(|| {
            panic!("not {expected}: {}", program.api(&token, &format!("/api/v1/commands/{command}")))
        })
    };
    state("queued");

    let mut module = Module::new(program.client(), "0102030405060708");
    let next = module.next(r#"{"_hbt":{"door":57}}"#);
    assert!(module.pushes(&next), "the command is announced");
    let (text, wire_id) = module.takes();
    assert!(text.contains(r#""_pld":{"oke":{"port":"232","baud":115200}}"#), "{text}");
    assert!(text.contains(r#""_dst":["0102030405060708"]"#), "{text}");
    assert!(text.contains(r#""_cmd":"wr""#), "{text}");
    state("sent");
    assert_eq!(module.pull(None), r#"{"pull":false}"#);
    state("accepted");
    assert!(!module.answers(wire_id, r#"{"oke":{"port":"232","baud":115200}}"#));
    let done = state("answered");
    let states: Vec<_> =
        done["transitions"].as_array().expect("transitions").iter().map(|t| &t["state"]).collect();
    assert_eq!(states, ["queued", "sent", "accepted", "answered"], "{done}");
    assert!(done["transitions"].as_array().expect("transitions").iter().all(|t| t["reason"] != ""), "{done}");

    // The held message became history: both readings of the door are there.
    let data = program.all(&token, &format!("/api/v1/devices/{id}/data?sensor=door"));
    let mut values: Vec<_> = data.iter().map(|datum| datum["value"].clone()).collect();
    values.sort_by_key(ToString::to_string);
    assert_eq!(values, [json!(56), json!(57)], "{data:?}");
    program.done(&["audit"]);
}

#[test]
fn a_repeated_push_is_confirmed_and_stored_once() {
    let program = Program::started();
    let mut module = Module::new(program.client(), "0002010203040506");
    let message = module.next(r#"{"_hbt":{"act_temp":[920,null,1.5],"name":"Fryer","on":true}}"#);
    for _ in 0..3 {
        assert!(!module.pushes(&message));
    }
    let token = program.token();
    let device = program.all(&token, "/api/v1/devices")[0]["id"].as_str().expect("an id").to_owned();
    let data = program.all(&token, &format!("/api/v1/devices/{device}/data?sensor=act_temp.0"));
    assert_eq!(data.len(), 1, "{data:?}");
    assert_eq!(data[0]["value"], 920);
}

#[test]
fn every_spelling_of_a_push_is_understood() {
    let program = Program::started();
    let mut client = program.client();
    let request = |id: u32| {
        let text = okm(&["0002010203040506"], id, "2024-03-01T12:00:00Z", r#"{"_hbt":{"b64":"a+b/c=="}}"#);
        format!(r#"{{"okm":{text},"ts":"2024-03-01T12:00:00"}}"#)
    };
    let confirmed = r#"{"push":true,"pull":false}"#;
    client.post(&format!("/push?req={}", encoded(&request(1))), b"").is_device_answer(200, confirmed);
    client
        .post(&format!("/push/?req={}", encoded(&encoded(&request(2)))), b"")
        .is_device_answer(200, confirmed);
    client.post("/push", format!("req={}", encoded(&request(3))).as_bytes()).is_device_answer(200, confirmed);
    client.post("/push", format!(r#"{{"req":{}}}"#, request(4)).as_bytes()).is_device_answer(200, confirmed);
    client.post("/push", request(5).as_bytes()).is_device_answer(200, confirmed);
    let bare = okm(&["0002010203040506"], 6, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":1}}"#);
    client.post("/push", bare.as_bytes()).is_device_answer(200, confirmed);
    client.get(&format!("/push?req={}", encoded(&request(7)))).is_device_answer(200, confirmed);
    let several = format!(
        r#"{{"okm":[{},{}],"ts":"2024-03-01T12:00:00"}}"#,
        okm(&["0002010203040506"], 8, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":2}}"#),
        okm(&["0002010203040506"], 9, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":3}}"#)
    );
    client.post("/push", several.as_bytes()).is_device_answer(200, confirmed);

    let token = program.token();
    let heard = program.all(&token, "/api/v1/messages");
    let verdicts: Vec<_> =
        heard.iter().map(|message| message["verdict"].as_str().unwrap_or_default()).collect();
    assert_eq!(verdicts, ["ok"; 9], "{heard:?}");
}

#[test]
fn the_time_is_told() {
    let program = Program::started();
    let answer = program.client().get("/time");
    assert_eq!(answer.status, 200);
    answer.has_device_headers();
    let told = answer.json();
    for member in ["ts", "time", "utc"] {
        assert!(!told[member].is_null(), "{told}");
    }
    assert!(!told["ts"].as_str().expect("text").contains('.'), "{told}");
}
