//! `homeport simulate sca11h` against the real server: every body spelling, every fault, parameters that reach their
//! node, and what an audit says.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Program, calls, clean, killed_meanwhile, number};

/// Runs a fleet of nodes that calls the program's plain listener, with an audit.
fn fleet(program: &Program, arguments: &[&str]) -> Output {
    let at = program.http().to_string();
    program.run(&[&["simulate", "sca11h", "--at", &at, "--audit", "--json"], arguments].concat())
}

/// The same; the audit must find nothing.
#[track_caller]
fn sound(program: &Program, arguments: &[&str]) -> Value {
    clean(&fleet(program, arguments))
}

/// A member of that name, however deep.
fn find<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    let members = json.as_object()?;
    members.get(name).or_else(|| members.values().find_map(|inner| find(inner, name)))
}

#[test]
fn with_every_spelling_and_every_fault_in_turn_nothing_is_missing() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold");
    program.start();
    let printed = sound(&program, &["--count", "6", "--span", "80m", "--seed", "7"]);
    let summary = &printed["summary"];
    let acts: Vec<&str> =
        summary["acts"].as_array().expect("a list").iter().filter_map(|act| act["name"].as_str()).collect();
    let faults =
        ["half-body", "slow", "duplicate", "reconnect-storm", "clock-skew", "kill-mid-pull", "garbage"];
    assert_eq!(acts, [&["fair weather"][..], &faults].concat());
    // Syncs that were cut off say something else when they come again; all else was confirmed in the end.
    let cut = number(&calls(&printed, "sync")["on_purpose"]);
    assert!(number(&summary["messages"]) - number(&summary["confirmed"]) <= cut, "{summary}");
    assert_eq!(number(&summary["odd_count"]), 0);
    // Six nodes, more than an hour, a row a second; some in messages that do not say whose they are.
    assert!(number(&printed["audit"]["counted"]) > 6 * 3600 / 2, "{printed}");
    assert!(number(&printed["audit"]["values"]) >= 6, "{printed}");
    // At least one order for each node, when answers to syncs are cut off; each was delivered and confirmed.
    assert!(number(&printed["audit"]["commands"]) >= 6, "{printed}");
    assert!(number(&summary["commands"]) >= 6, "{summary}");
    for purpose in ["push", "sync"] {
        assert!(number(&calls(&printed, purpose)["on_purpose"]) > 0, "{purpose}");
        assert_eq!(number(&calls(&printed, purpose)["refused"]), 0, "{purpose}");
    }
    // What the server counted itself: the faults did happen.
    let token = program.token();
    for verdict in ["malformed", "duplicate"] {
        let some = program.api(&token, &format!("/api/v1/messages?verdict={verdict}&limit=1"));
        assert_ne!(some["items"], json!([]), "{verdict}");
    }
    program.done(&["audit"]);
    // What people see of an order that a node carried out.
    let changed = program.all(&token, "/api/v1/devices?family=sca11h").into_iter().any(|device| {
        let shown =
            program.api(&token, &format!("/api/v1/devices/{}", device["id"].as_str().expect("an id")));
        let change = find(&shown, "change");
        change.is_some_and(|change| change["state"] == "confirmed")
    });
    assert!(changed);
    // Once more over what is there already: nothing of it counts for the new run.
    sound(&program, &["--count", "5", "--span", "20m", "--fault", "clock-skew,duplicate"]);
}

#[test]
fn by_the_clock_on_the_wall_a_beds_second_is_seen_at_once() {
    let program = Program::started();
    let printed = sound(&program, &["--count", "10", "--duration", "12s", "--fault", "none"]);
    // Nodes 2 and 4 of five push every five seconds, the third every ten.
    assert!((4..=20).contains(&number(&calls(&printed, "push")["answered"])), "{printed}");
    assert!(number(&calls(&printed, "handshake")["answered"]) >= 10, "{printed}");
    let token = program.token();
    // The name of its owner, and the MAC that it syncs by.
    let device = program.api(&token, "/api/v1/devices?q=Bed%209");
    let device = &device["items"][0];
    assert_eq!(device["address"], "Bed 9");
    let shown = program.api(&token, &format!("/api/v1/devices/{}", device["id"].as_str().expect("an id")));
    assert!(shown.to_string().contains("025343000009"), "{shown}");
}

#[test]
fn the_server_may_be_killed_while_nodes_push() {
    let printed = killed_meanwhile("sca11h", &["--count", "5", "--span", "20m", "--rate", "150"]);
    assert!(number(&calls(&printed, "handshake")["answered"]) > 5, "{printed}");
}

#[test]
fn figures_are_printed_for_people_too_and_nodes_find_the_listener_themselves() {
    let mut program = Program::started();
    let http = program.http().to_string();
    program.stop();
    program = program.set("HOMEPORT_HTTP", &http);
    program.start();
    let output =
        program.run(&["simulate", "sca11h", "--count", "2", "--span", "10m", "--fault", "none", "--audit"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    for words in ["2 nodes", "p50 ms", "sync", "fair weather", "values counted", "nothing is missing"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    // From afar: the API is elsewhere than the listener of the nodes. Another span begins in another second: no node
    // lives through the same seconds twice, a server takes their rows for repeats.
    let (token, server, root) =
        (program.token(), format!("https://{}", program.https()), program.root_file());
    let afar =
        ["simulate", "sca11h", "--count", "2", "--span", "20m", "--fault", "none", "--audit", "--json"];
    let root = root.to_str().expect("a path is text");
    let api = ["--server", &server, "--ca", root, "--token", &token, "--at", &http];
    clean(&program.run(&[&afar[..], &api].concat()));
}

#[test]
fn what_cannot_be_rehearsed_is_said() {
    let program = Program::new();
    let failed = |arguments: &[&str]| {
        let output = program.run(&[&["simulate"], arguments].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (arguments, code, words) in [
        (&["sca11h", "--server", "https://127.0.0.1:9", "--token", "hp_x"][..], 2, "--at HOST:PORT"),
        (&["sca11h", "--server", "http://127.0.0.1:9", "--token", "hp_x"], 2, "--at HOST:PORT"),
        (&["sca11h", "--server", "http://127.0.0.1:9", "--audit"], 2, "--token"),
        (&["sca11h", "--server", "http://127.0.0.1:9"], 1, "devices cannot call http://127.0.0.1:9"),
        (&["sca11h", "--at", "127.0.0.1:9"], 1, "no server runs in data"),
        (&["sca11h", "--fault", "bad-crc"], 2, "does not happen to nodes"),
        (&["cwm", "--at", "127.0.0.1:9"], 2, "--server"),
    ] {
        let (found, said) = failed(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
