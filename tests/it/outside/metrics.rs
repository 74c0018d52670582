//! What `/metrics` tells, and whom.

use crate::harness::{Module, Program};

/// The value of a line that begins with this name and these labels.
fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in\n{text}"))
}

fn ask(program: &Program, header: &str) -> (u16, String) {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
    let answer = program.client().ask(request.as_bytes()).expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn messages_commits_queue_and_certificates_are_counted() {
    let program = Program::started();
    let mut module = Module::new(program.client(), "0002010203040506");
    let sound = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&sound);
    module.pushes(&sound);
    module.pushes(&sound.replace("door", "doom"));
    program.done(&["send", "0002010203040506", "--payload", r#"{"_ping":true}"#, "--cmd", "rd"]);

    let (status, text) = ask(&program, "");
    assert_eq!(status, 200, "{text}");
    for (verdict, count) in [("ok", 1.0), ("duplicate", 1.0), ("bad_crc", 1.0), ("malformed", 0.0)] {
        let line = format!(r#"homeport_messages_total{{family="cwm",direction="in",verdict="{verdict}"}}"#);
        assert!((value(&text, &line) - count).abs() < 0.1, "{line}\n{text}");
    }
    assert!((value(&text, r#"homeport_commands_open{state="queued"}"#) - 1.0).abs() < 0.1, "{text}");
    assert!((value(&text, "homeport_ledger_entries") - 3.0).abs() < 0.1, "{text}");
    assert!(value(&text, "homeport_store_commit_seconds_count") >= 3.0, "{text}");
    assert!(value(&text, "homeport_store_batch_writes_sum") >= 3.0, "{text}");
    assert!(value(&text, "homeport_store_bytes") > 4096.0, "{text}");
    assert!(value(&text, r#"homeport_certificate_days_left{certificate="rsa"}"#) > 300.0, "{text}");
    assert!(value(&text, r#"homeport_devices{family="cwm",state="active"}"#) >= 1.0, "{text}");
    assert!(value(&text, r#"homeport_connections{listener="https"}"#) >= 1.0, "{text}");
    assert!(text.contains(r#"homeport_tls_handshakes_total{version="TLS 1.3",suite="#), "{text}");
    assert!(value(&text, "process_resident_memory_bytes") > 1e6, "{text}");
    assert!(!text.contains("0002010203040506"), "a device is no label: there may be a hundred thousand");
}

#[test]
fn only_this_machine_and_who_signs_in_are_told() {
    let program = Program::started();
    assert_eq!(ask(&program, "").0, 200);
    let (status, text) = ask(&program, "X-Forwarded-For: 192.0.2.1\r\n");
    assert_eq!(status, 401, "what a proxy passes on is a stranger's: {text}");
    let token = program.token();
    let (status, _) = ask(&program, &format!("Via: 1.1 proxy\r\nAuthorization: Bearer {token}\r\n"));
    assert_eq!(status, 200);
}
