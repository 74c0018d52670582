//! `homeport simulate token` against the real server: every form of an upload, every place of a token, every fault.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Program, calls, clean, killed_meanwhile, number};

/// Runs a fleet that calls the program's plain listener, with an audit.
fn fleet(program: &Program, arguments: &[&str]) -> Output {
    let at = program.http().to_string();
    program.run(&[&["simulate", "token", "--at", &at, "--audit", "--json"], arguments].concat())
}

/// The same; the audit must find nothing.
#[track_caller]
fn sound(program: &Program, arguments: &[&str]) -> Value {
    clean(&fleet(program, arguments))
}

#[test]
fn with_every_form_and_every_fault_in_turn_nothing_is_missing() {
    let program = Program::started();
    let printed = sound(&program, &["--count", "8", "--span", "50m", "--seed", "7"]);
    let summary = &printed["summary"];
    let acts: Vec<&str> =
        summary["acts"].as_array().expect("a list").iter().filter_map(|act| act["name"].as_str()).collect();
    let faults = ["half-body", "slow", "duplicate", "reconnect-storm", "clock-skew", "garbage"];
    assert_eq!(acts, [&["fair weather"][..], &faults].concat());
    assert_eq!(number(&summary["odd_count"]), 0, "{summary}");
    // A hundred uploads of each, some of three records; few of them are none.
    assert!(number(&printed["audit"]["counted"]) > 8 * 100, "{printed}");
    let push = calls(&printed, "push");
    assert!(number(&push["on_purpose"]) > 0 && number(&push["refused"]) > 0, "{push}");
    let token = program.token();
    for verdict in ["malformed", "duplicate"] {
        let some = program.api(&token, &format!("/api/v1/messages?verdict={verdict}&limit=1"));
        assert_ne!(some["items"], json!([]), "{verdict}");
    }
    program.done(&["audit"]);
    // Once more, with new tokens: nothing of the first run counts for this one.
    sound(&program, &["--count", "8", "--span", "10m", "--fault", "duplicate"]);
}

#[test]
fn devices_that_send_too_fast_wait_and_lose_nothing() {
    let mut program = Program::new();
    std::fs::write(
        program.folder().join("homeport.toml"),
        "[token]\nrecords_burst = 10\nrecords_max_per_second = 50\n",
    )
    .unwrap();
    program.start();
    let printed = sound(&program, &["--count", "2", "--span", "30m", "--fault", "none"]);
    assert!(number(&calls(&printed, "push")["refused"]) > 0, "{printed}");
    assert_eq!(printed["summary"]["messages"], printed["summary"]["confirmed"]);
}

#[test]
fn the_server_may_be_killed_while_devices_upload() {
    let printed = killed_meanwhile("token", &["--count", "6", "--span", "1h", "--rate", "120"]);
    assert!(number(&printed["summary"]["confirmed"]) > 100, "{printed}");
}
