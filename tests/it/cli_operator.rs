//! What an operator does on a running server, through its control socket and from afar.

use std::fs;

use serde_json::Value;

use crate::harness::{Client, Program, okm, settled};

const OVEN: &str = "0102030405060708";
const VENDOR: &str = r#"{"okm":{"_src":["0102030405060708"],"_cmd":"wr","_id":192,"_ts":"2019-12-26T14:40:00","_crc":"8813","_pld":{"_hbt":{"door":56}}}}"#;

fn heard() -> Program {
    let program = Program::started();
    program.client().post("/push", VENDOR.as_bytes()).is_device_answer(200, r#"{"push":true,"pull":false}"#);
    program
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

fn pull(client: &mut Client, device: &str) -> String {
    client.get(&format!("/pull?req=%7B%22devid%22%3A%22{device}%22%7D")).text()
}

#[test]
fn a_device_is_listed_shown_named_blocked_adopted_and_forgotten() {
    let program = heard();
    let listed = json(&program.done(&["devices", "list", "--json"]));
    assert_eq!(listed[0]["address"], OVEN);
    assert!(program.done(&["devices", "list"]).starts_with("FAMILY  ADDRESS"));
    assert_eq!(json(&program.done(&["devices", "show", OVEN, "--json"]))["values"][0]["value"], 56);
    program.done(&["devices", "rename", OVEN, "Oven, left"]);
    program.done(&["devices", "block", "oven, LEFT"]);
    assert_eq!(
        json(&program.done(&["devices", "list", "--state", "blocked", "--json"]))[0]["name"],
        "Oven, left"
    );
    program.done(&["devices", "adopt", OVEN]);
    assert!(program.done(&["devices", "show", "Oven, left"]).contains("active"));
    program.done(&["devices", "forget", OVEN]);
    assert_eq!(json(&program.done(&["devices", "list", "--json"])), Value::Array(vec![]));
    let gone = program.run(&["devices", "show", OVEN]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("homeport devices list"));
}

#[test]
fn a_command_is_rehearsed_queued_and_pulled_with_the_same_words() {
    let program = heard();
    let payload = r#"{"oke":{"port":"232", "baud":1.152e5}}"#;
    let rehearsed = program.done(&["send", OVEN, "--cmd", "wr", "--payload", payload, "--dry-run"]);
    assert!(rehearsed.contains(r#""_cmd":"wr","_id":1,"#), "{rehearsed}");
    assert!(rehearsed.contains("1.152e5"), "numbers stay as typed: {rehearsed}");
    let mut client = program.client();
    assert_eq!(pull(&mut client, OVEN), r#"{"pull":false}"#, "a rehearsal queues nothing");
    let id = program.done(&["send", OVEN, "--cmd", "wr", "--payload", payload]);
    assert!(!id.trim().is_empty());
    let pulled = pull(&mut client, OVEN);
    assert!(pulled.contains(r#""_id":1,"#) && pulled.contains("1.152e5"), "{pulled}");
}

#[test]
fn a_rehearsal_takes_no_device_on_and_a_command_does() {
    let program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "refuse");
    let mut program = program;
    program.start();
    let ping = r#"{"_ping":true}"#;
    let rehearsed = program.done(&["send", OVEN, "--cmd", "rd", "--payload", ping, "--dry-run"]);
    assert!(rehearsed.contains(&format!(r#"{{"_dst":["{OVEN}"],"_cmd":"rd","_id":1,"#)), "{rehearsed}");
    assert_eq!(json(&program.done(&["devices", "list", "--json"])), Value::Array(vec![]));
    program.done(&["send", OVEN, "--cmd", "rd", "--payload", ping]);
    assert!(pull(&mut program.client(), OVEN).contains(ping));
}

#[test]
fn waiting_ends_with_the_reply_or_with_exit_code_1() {
    let program = heard();
    let ping = r#"{"_ping":true}"#;
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| program.run(&["send", OVEN, "--cmd", "rd", "--payload", ping, "--wait"]));
        let mut client = program.client();
        let pulled = settled(|| Some(pull(&mut client, OVEN)).filter(|text| text.contains("okm")));
        let id = json(&pulled.expect("the command is handed out"))["okm"]["_id"].as_u64().unwrap();
        let reply = okm(&[OVEN], u32::try_from(id).unwrap(), "2026-01-01T00:00:00Z", ping);
        client.post("/push", format!(r#"{{"okm":{reply}}}"#).as_bytes());
        let output = sent.join().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "answered\n", "{told}");
        assert!(output.status.success() && told.contains("queued") && told.contains("sent"), "{told}");
    });
    let late = program.run(&["send", OVEN, "--cmd", "rd", "--payload", ping, "--wait", "--expires", "1s"]);
    assert_eq!(late.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&late.stdout), "expired\n");
}

#[test]
fn people_come_and_go_and_the_first_password_is_forgotten_when_changed() {
    let program = Program::started();
    let kept = program.folder().join("data/initial-password");
    fs::write(program.folder().join("eve"), "a long password\n").unwrap();
    program.done(&["user", "add", "eve", "--role", "operator", "--password-file", "eve"]);
    let users = json(&program.done(&["user", "list", "--json"]));
    assert_eq!((&users[1]["name"], &users[1]["role"]), (&"eve".into(), &"operator".into()));
    program.done(&["user", "passwd", "eve", "--password-file", "eve"]);
    assert!(kept.exists(), "that was somebody else's");
    program.done(&["user", "passwd", "admin", "--password-file", "eve"]);
    let gone = settled(|| (!kept.exists()).then_some(()));
    assert!(gone.is_some(), "the first password is no longer kept");
    program.done(&["user", "remove", "Eve"]);
    let last = program.run(&["user", "remove", "admin"]);
    assert_eq!(last.status.code(), Some(1), "the last administrator stays");
}

#[test]
fn a_token_works_from_afar_until_it_is_revoked() {
    let program = heard();
    let token = program.done(&["token", "create", "panel", "--role", "viewer", "--expires", "1h"]);
    let token = token.trim();
    assert!(token.starts_with("hp_"), "{token}");
    assert!(!program.done(&["token", "list", "--json"]).contains(token), "it is shown once");
    let root = program.root_file();
    let url = format!("https://localhost:{}", program.https().port());
    let far = ["--server", &url, "--token", token, "--ca", root.to_str().unwrap()];
    let ask = |arguments: &[&str]| program.run(&[arguments, &far].concat());
    let listed = ask(&["devices", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(OVEN), "{listed:?}");
    let refused = ask(&["devices", "block", OVEN]);
    assert_eq!(refused.status.code(), Some(1), "a viewer only looks");
    program.done(&["token", "revoke", "panel"]);
    assert_eq!(ask(&["devices", "list"]).status.code(), Some(1));
}

#[test]
fn a_server_we_have_no_root_of_is_not_trusted() {
    let program = heard();
    let token = program.token();
    let url = format!("https://localhost:{}", program.https().port());
    let far = ["devices", "list", "--server", &url, "--token", &token];
    let blind = program.run(&[&far[..], &["--certs-dir", "elsewhere"]].concat());
    assert_eq!(blind.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&blind.stderr).contains("--ca FILE"), "{blind:?}");
    program.done(&[&far[..], &["--certs-dir", "elsewhere", "--insecure"]].concat());
}

#[test]
fn values_are_exported_as_csv_and_as_json_lines() {
    let program = heard();
    let table = program.done(&["export", "--device", OVEN]);
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains("sensor,value"), "{table}");
    assert!(lines.next().unwrap().contains(",door,56,"), "{table}");
    let line = json(&program.done(&["export", "--format", "jsonl"]));
    assert_eq!((&line["sensor"], &line["value"]), (&"door".into(), &56.into()));
    let early = program.done(&["export", "--to", "2001-01-01T00:00:00Z", "--format", "jsonl"]);
    assert_eq!(early, "");
}

#[test]
fn the_running_servers_ledger_is_audited() {
    let program = heard();
    let found = json(&program.done(&["audit", "--json"]));
    assert_eq!(found, serde_json::json!({ "entries": 1, "faults": [] }));
}
