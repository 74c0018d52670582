//! `homeport simulate tswarm` against the real server: nodes register themselves, every fault, a whole hall that wakes at
//! once, and nodes that are held awake.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Program, calls, clean, killed_meanwhile, number};

/// Runs a fleet of nodes that calls the program's plain listener, with an audit.
fn fleet(program: &Program, arguments: &[&str]) -> Output {
    let at = program.http().to_string();
    program.run(&[&["simulate", "tswarm", "--at", &at, "--audit", "--json"], arguments].concat())
}

/// The same; the audit must find nothing.
#[track_caller]
fn sound(program: &Program, arguments: &[&str]) -> Value {
    clean(&fleet(program, arguments))
}

#[test]
fn with_every_fault_in_turn_nothing_is_missing() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "refuse");
    program.start();
    let printed = sound(&program, &["--count", "12", "--span", "16h", "--seed", "7"]);
    let summary = &printed["summary"];
    let acts: Vec<&str> =
        summary["acts"].as_array().expect("a list").iter().filter_map(|act| act["name"].as_str()).collect();
    let faults = ["half-body", "slow", "duplicate", "reconnect-storm", "garbage", "vanish", "neighbours"];
    assert_eq!(acts, [&["fair weather"][..], &faults].concat());
    assert_eq!(number(&summary["odd_count"]), 0, "{summary}");
    // Each node was unknown to its first call, and registered itself with the second one.
    assert_eq!(number(&calls(&printed, "register")["answered"]), 12, "{printed}");
    assert!(number(&printed["audit"]["counted"]) > 12 * 150, "{printed}");
    assert!(number(&printed["audit"]["values"]) > 0, "{printed}");
    let push = calls(&printed, "push");
    assert!(number(&push["on_purpose"]) > 0 && number(&push["refused"]) > 12, "{push}");
    assert_eq!(number(&push["broken"]), 0, "{push}");
    // The faults did happen.
    let token = program.token();
    for verdict in ["malformed", "duplicate"] {
        let some = program.api(&token, &format!("/api/v1/messages?verdict={verdict}&limit=1"));
        assert_ne!(some["items"], json!([]), "{verdict}");
    }
    program.done(&["audit"]);
}

/// As many as a hall has; each calls from an address of its own (`tswarm-node.md §11.8`).
const HALL: u64 = 2_000;

#[test]
fn two_thousand_nodes_that_wake_at_once_are_all_taken() {
    let program = Program::started();
    let count = HALL.to_string();
    // They register in the first five minutes of their time, and wake all at once twice more.
    let printed =
        sound(&program, &["--count", &count, "--connections", &count, "--span", "13m", "--fault", "none"]);
    let (push, register) = (calls(&printed, "push"), calls(&printed, "register"));
    assert_eq!(number(&register["answered"]), HALL, "{printed}");
    // 405 to the first call of each, and 202 to every other.
    assert_eq!(number(&push["refused"]), HALL, "{printed}");
    let taken = number(&push["answered"]);
    assert!(taken >= 2 * HALL, "{printed}");
    assert_eq!(number(&push["broken"]) + number(&register["broken"]), 0, "{printed}");
    assert_eq!(number(&printed["summary"]["odd_count"]), 0, "{printed}");
    eprintln!("{HALL} nodes at once: {taken} more readings, all 202; ms: {push}");
}

#[test]
fn a_node_that_is_held_stays_awake_and_loses_nothing() {
    let program = Program::started();
    let token = program.token();
    sound(&program, &["--count", "3", "--span", "1m", "--fault", "none"]);
    let wish = json!({ "nodes": ["sim-node-00002"], "for_s": 3600 });
    let held = program.post(&token, "/api/v1/tswarm/holds", &wish);
    assert!(matches!(held.status, 200 | 201), "{}", held.text());
    let printed = sound(&program, &["--count", "3", "--span", "31m", "--fault", "none"]);
    let push = calls(&printed, "push");
    // The held one is told 423 once, and says nothing more; its reading is stored all the same.
    assert_eq!(number(&push["refused"]), 1, "{printed}");
    assert_eq!(number(&printed["audit"]["counted"]), number(&push["answered"]) + 1, "{printed}");
}

#[test]
fn the_server_may_be_killed_while_nodes_call() {
    // A reading that met nobody is lost, as a node's are; what was answered 202 is there.
    let printed = killed_meanwhile("tswarm", &["--count", "5", "--span", "12h", "--rate", "150"]);
    assert!(number(&printed["summary"]["confirmed"]) > 40, "{printed}");
}
