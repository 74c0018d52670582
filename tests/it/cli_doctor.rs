//! `homeport doctor` from outside: a sound installation, and each thing that can be wrong with it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Client, Program};

/// What the doctor says, and its exit code.
fn asked(program: &Program) -> (Value, Option<i32>) {
    let output = program.run(&["doctor", "--json"]);
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&output.stderr)));
    (said, output.status.code())
}

/// The findings of one level, as `check: message → fix`.
fn of(said: &Value, level: &str) -> Vec<String> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let checks = said["checks"].as_array().expect("a list of checks");
    let picked = checks.iter().filter(|one| one["level"] == level);
    picked
        .map(|one| format!("{}: {} → {}", text(one, "check"), text(one, "message"), text(one, "fix")))
        .collect()
}

#[test]
fn before_the_first_start_nothing_is_wrong() {
    let program = Program::new();
    let (said, code) = asked(&program);
    assert_eq!((&said["ok"], code), (&Value::Bool(true), Some(0)), "{said:#}");
    let notes = of(&said, "note").join("\n");
    for words in [
        "server: none runs",
        "certificates: none in certs",
        "disk: data is not there",
        "store: data/homeport.db is not there",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    assert!(!program.folder().join("data").exists(), "a look makes nothing");
}

#[test]
fn a_server_that_runs_well_is_well() {
    let program = Program::started();
    let (said, code) = asked(&program);
    assert_eq!(code, Some(0), "{said:#}");
    let fine = of(&said, "ok").join("\n");
    for words in [
        "server: runs on data",
        "covers localhost, homeport.test, 127.0.0.1",
        "localhost leads here",
        "store: the server reads it",
        "handshakes: none failed",
    ] {
        assert!(fine.contains(words), "{words}: {fine}");
    }
    let printed = program.done(&["doctor"]);
    assert!(printed.lines().any(|line| line.starts_with("ok     store")), "{printed}");
}

#[test]
fn each_thing_that_is_wrong_is_named_with_its_fix() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port can be taken");
    let https = taken.local_addr().expect("it has an address").to_string();
    let mut program = Program::new();
    program.start();
    program.stop();
    let program = program.set("HOMEPORT_HTTPS", &https).set("HOMEPORT_HOSTS", "localhost,new.example");
    let key = program.folder().join("certs/rsa.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("the mode can be changed");
    let data = program.folder().join("data");
    for part in ["homeport.db-wal", "homeport.db-shm"] {
        fs::remove_file(data.join(part)).ok(); // its journal could heal it
    }
    fs::write(data.join("homeport.db"), "x".repeat(5000)).expect("it can be damaged");
    let (said, code) = asked(&program);
    assert_eq!((&said["ok"], code), (&Value::Bool(false), Some(1)), "{said:#}");
    let wrong = of(&said, "wrong").join("\n");
    for words in [
        &format!("ports: https on {https}: taken by"),
        "give listen.https another port",
        "rsa.pem does not cover new.example → `homeport certs renew`",
        "rsa.key may be read by others (mode 640) → `chmod 600 certs/rsa.key`",
        "store: the store failed",
    ] {
        assert!(wrong.contains(words), "{words}: {wrong}");
    }
    assert!(of(&said, "note").join("\n").contains("real modules call port 443"), "{said:#}");
}

#[test]
fn the_port_of_a_running_server_is_its_own_and_it_answers_there() {
    // A port that is free now; whoever takes it meanwhile makes the start fail, not the assertion.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut program = Program::new().set("HOMEPORT_HTTPS", &format!("127.0.0.1:{port}"));
    program.start();
    // Somebody who does not trust us.
    let other = tempfile::tempdir().expect("a folder");
    homeport::pki::ensure(other.path(), &["localhost".to_owned()], 1_790_000_000).expect("another authority");
    let root = fs::read(other.path().join("root.pem")).expect("its root");
    let root =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&root);
    Client::connect(program.https(), "localhost", &root.expect("a certificate")).err().expect("no trust");
    let token = program.token();
    crate::harness::settled(|| (!program.all(&token, "/api/v1/handshakes").is_empty()).then_some(()))
        .expect("the failure is written down");
    let (said, code) = asked(&program);
    assert_eq!(code, Some(0), "{said:#}");
    let fine = of(&said, "ok").join("\n");
    assert!(fine.contains(&format!("https on 127.0.0.1:{port}: held by the server")), "{fine}");
    assert!(fine.contains(r#"answers /pull with {"pull":false} as localhost"#), "{fine}");
    let notes = of(&said, "note").join("\n");
    assert!(notes.contains("127.0.0.1 failed once") && notes.contains("export-root"), "{notes}");
}
