//! Handshakes that fail, by clients as old and as wrong as they come: each becomes a record that says what to do.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::clients::speak_in;
use crate::harness::{Program, settled};

/// Sends bytes and reads until the server closes.
fn send(address: SocketAddr, bytes: &[u8]) {
    let mut socket = TcpStream::connect(address).expect("the port is open");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit can be set");
    socket.write_all(bytes).expect("it can be written");
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).ok();
}

fn words<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

#[test]
fn every_kind_of_failure_is_written_down_with_what_to_do() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_HANDSHAKE_TIME_MS", "1500");
    program.start();
    let program = program;
    let address = program.https();
    let connect = address.to_string();
    let old = "DEFAULT@SECLEVEL=0";
    let openssl = |arguments: &[&str]| {
        let all = [&["s_client", "-connect", &connect, "-servername", "kitchen.test"], arguments].concat();
        speak_in(program.folder(), "openssl", &all, b"");
    };
    openssl(&["-tls1_1", "-cipher", old]);
    openssl(&["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES128-SHA"]);
    openssl(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:DHE-RSA-AES128-GCM-SHA256"]);
    openssl(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-sigalgs", "RSA+SHA1"]);
    openssl(&["-tls1_2", "-curves", "brainpoolP256r1", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]);
    openssl(&["-alpn", "h2"]);
    // A root that is not ours.
    let made = Command::new("openssl")
        .args("req -x509 -newkey rsa:2048 -nodes -keyout o.key -out o.pem -days 9 -subj /CN=other".split(' '))
        .current_dir(program.folder())
        .output();
    assert!(made.is_ok_and(|made| made.status.success()), "openssl makes a root");
    openssl(&["-CAfile", "o.pem", "-verify_return_error"]);
    send(address, b"GET /pull HTTP/1.1\r\nHost: x\r\n\r\n");
    send(address, &[0, 0xFF, 0, 0xFF]);
    send(address, &[0x80, 0x2E, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]); // a hello of SSL 2.0
    send(address, &[22, 3, 1, 0, 200, 1, 0, 0, 196]); // begins and says no more
    send(address, &[22, 3, 1, 0, 5, 9, 9, 9, 9, 9]);

    let token = program.token();
    let wanted = [
        "old_version",
        "static_rsa",
        "no_suite",
        "no_signature",
        "no_group",
        "no_protocol",
        "distrust",
        "plain_http",
        "not_tls",
        "too_slow",
        "broken",
    ];
    let mut found = Vec::new();
    settled(|| {
        found = program.all(&token, "/api/v1/handshakes");
        let has = |reason: &&str| found.iter().any(|one| words(one, "reason") == *reason);
        wanted.iter().all(has).then_some(())
    })
    .unwrap_or_else(|| panic!("wanted {wanted:?}, found {found:#?}"));
    for one in &found {
        assert_eq!(words(one, "peer"), "127.0.0.1", "{one}");
        assert!(words(one, "advice").len() > 20, "{one}");
    }
    let of = |reason: &str| found.iter().find(|one| words(one, "reason") == reason).expect("it is there");
    assert_eq!(of("static_rsa")["sni"], "kitchen.test");
    assert_eq!(of("static_rsa")["versions"], serde_json::json!(["TLS 1.2"]));
    assert_eq!(of("static_rsa")["suites"][0], "TLS_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(of("no_signature")["signatures"], serde_json::json!(["RSA_PKCS1_SHA1"]));
    assert_eq!(of("no_protocol")["alpn"], serde_json::json!(["h2"]));
    assert_eq!(of("old_version")["count"], 2, "TLS 1.1 and SSL 2.0: {found:#?}");
    assert!(words(of("distrust"), "advice").contains("export-root"));
    assert!(of("plain_http")["sni"].is_null());

    let doctor = program.done(&["doctor"]);
    assert!(doctor.contains("switch ECDHE suites on"), "{doctor}");
}

#[test]
fn a_flood_is_one_record_and_silence_is_none() {
    let program = Program::started();
    for _ in 0..50 {
        send(program.https(), b"\x00nonsense");
    }
    drop(TcpStream::connect(program.https()).expect("the port is open")); // a probe
    let token = program.token();
    let found = settled(|| {
        let all = program.all(&token, "/api/v1/handshakes");
        (all.first()?["count"] == 50).then_some(all)
    });
    let found = found.expect("all are counted");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["reason"], "not_tls");
    assert!(found[0]["first"].as_str() < found[0]["last"].as_str());
}
