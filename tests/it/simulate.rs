//! `homeport simulate` against the real server: small fleets of modules, every fault, and what an audit says.

use std::process::Output;

use serde_json::Value;

use crate::harness::{Program, calls, clean, number, settled};

/// Runs a fleet of modules that calls the program's own listener; gives its output.
fn fleet(program: &Program, arguments: &[&str]) -> Output {
    let server = format!("https://{}", program.https());
    let root = program.root_file();
    let mut all =
        vec!["simulate", "cwm", "--server", &server, "--ca", root.to_str().expect("a path is text")];
    all.extend(arguments);
    program.run(&all)
}

/// The same with an audit, which must find nothing; gives what was printed.
#[track_caller]
fn sound(program: &Program, arguments: &[&str]) -> Value {
    clean(&fleet(program, &[arguments, &["--audit", "--json"]].concat()))
}

#[test]
fn with_every_fault_in_turn_nothing_is_missing() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold");
    program.start();
    let printed = sound(&program, &["--count", "8", "--span", "2h", "--seed", "7"]);
    let summary = &printed["summary"];
    let acts: Vec<&str> =
        summary["acts"].as_array().expect("a list").iter().filter_map(|act| act["name"].as_str()).collect();
    assert_eq!(
        acts,
        [
            "fair weather",
            "bad-crc",
            "no-crc",
            "half-body",
            "slow",
            "duplicate",
            "reconnect-storm",
            "clock-skew",
            "kill-mid-pull"
        ]
    );
    // 120 heartbeats of each fryer, 8 of each module, and the replies.
    assert!(number(&summary["messages"]) >= 8 * 128, "{summary}");
    assert_eq!(summary["messages"], summary["confirmed"]);
    assert!(number(&printed["audit"]["commands"]) >= 8, "{printed}");
    assert_eq!(number(&printed["audit"]["values"]), 16);
    assert!(number(&calls(&printed, "push")["on_purpose"]) > 0);
    assert!(number(&calls(&printed, "pull")["on_purpose"]) > 0);
    // Certificates and a file for everybody, and nothing of it stays published.
    assert_eq!(number(&calls(&printed, "provision")["answered"]), 8);
    // Eight downloads, and twice one in pieces to four of them.
    assert_eq!(number(&summary["files"]), 16);
    assert_eq!(number(&summary["odd_count"]), 0);
    // What the server counted itself: the faults did happen.
    let token = program.token();
    let some = |verdict: &str| program.api(&token, &format!("/api/v1/messages?verdict={verdict}&limit=1"));
    assert_eq!(program.api(&token, "/api/v1/files")["items"], serde_json::json!([]));
    for verdict in ["bad_crc", "no_crc", "duplicate"] {
        assert_ne!(some(verdict)["items"], serde_json::json!([]), "{verdict}");
    }
    program.done(&["audit"]);
}

#[test]
fn the_server_may_be_killed_while_the_fleet_calls() {
    let mut program = Program::started();
    let port = program.https().port();
    program = program.set("HOMEPORT_HTTPS", &format!("127.0.0.1:{port}"));
    let token = program.token();
    std::thread::scope(|scope| {
        let arguments = ["--count", "4", "--duration", "4s", "--rate", "100", "--fault", "none"];
        let (server, root) = (format!("https://{}", program.https()), program.root_file());
        let mut all =
            vec!["simulate", "cwm", "--server", &server, "--ca", root.to_str().expect("a path is text")];
        all.extend(arguments);
        all.extend(["--audit", "--json"]);
        let mut run = program.command_line(&all);
        let child = scope.spawn(move || run.output().expect("the program can be run"));
        settled(|| (program.all(&token, "/api/v1/messages").len() > 20).then_some(())).expect("traffic");
        program.kill();
        program.start();
        let output = child.join().expect("the fleet ends");
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
        let printed: Value = serde_json::from_str(&out).expect("--json prints JSON");
        assert_eq!(printed["audit"]["faults_count"], 0, "{out}");
        assert!(number(&calls(&printed, "handshake")["answered"]) > 4, "{out}");
    });
    program.done(&["audit"]);
}

#[test]
fn a_server_that_refuses_strangers_and_bad_messages_is_rehearsed_too() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "refuse");
    std::fs::write(program.folder().join("homeport.toml"), "[cwm]\nbad_messages = \"reject\"\n")
        .expect("a file can be written");
    program.start();
    sound(&program, &["--count", "3", "--span", "40m", "--fault", "bad-crc", "--oke-per-module", "2"]);
}

#[test]
fn by_the_clock_on_the_wall_a_rate_is_kept_to() {
    let program = Program::started();
    let printed =
        sound(&program, &["--count", "5", "--duration", "2s", "--rate", "20", "--fault", "clock-skew"]);
    // 40, and 5 of the modules' own, and replies.
    let messages = number(&printed["summary"]["messages"]);
    assert!((20..=60).contains(&messages), "{messages}");
}

#[test]
fn figures_are_printed_for_people_too() {
    let program = Program::started();
    let output = fleet(&program, &["--count", "2", "--span", "10m", "--fault", "none", "--audit"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}");
    for words in ["2 modules", "p50 ms", "handshake", "fair weather", "nothing is missing"] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn what_cannot_be_rehearsed_is_said() {
    let program = Program::new();
    let failed = |arguments: &[&str]| {
        let output = program.run(&[&["simulate"], arguments].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = failed(&["cwm", "--server", "https://127.0.0.1:9", "--audit", "--insecure"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--token"), "{said}");
    let (code, said) = failed(&["toaster", "--server", "https://127.0.0.1:9"]);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = failed(&["cwm"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--server"), "{said}");
    let (code, said) = failed(&["cwm", "--server", "https://127.0.0.1:9", "--insecure"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("devices cannot call https://127.0.0.1:9"), "{said}");
    let (code, said) = failed(&["cwm", "--fault", "garbage", "--server", "https://127.0.0.1:9"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("does not happen to modules: bad-crc"), "{said}");
    let idle = Program::new().set("HOMEPORT_HTTPS", "127.0.0.1:9");
    let output = idle.run(&["simulate", "cwm"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no server runs in data"), "{said}");
    let (code, said) = failed(&["cwm", "--fault", "rain"]);
    assert_eq!(code, Some(2), "{said}");
}
