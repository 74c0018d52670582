//! `homeport simulate mcu` against the real server: every fault, a server that is killed meanwhile, and a few hundred boards
//! that one command reaches all of.

use std::process::Output;

use serde_json::json;

use crate::harness::{Board, Program, calls, clean, killed_meanwhile, number, settled};

/// Runs a fleet of boards that calls the program's listener for them, with an audit.
fn fleet(program: &Program, arguments: &[&str]) -> Output {
    let at = program.listener("ws://").to_string();
    program.run(&[&["simulate", "mcu", "--at", &at, "--audit", "--json"], arguments].concat())
}

#[test]
fn with_every_fault_in_turn_nothing_is_missing_and_nothing_twice() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold");
    program.start();
    let printed = clean(&fleet(&program, &["--count", "8", "--span", "30m", "--seed", "7"]));
    let summary = &printed["summary"];
    let acts: Vec<&str> =
        summary["acts"].as_array().expect("a list").iter().filter_map(|act| act["name"].as_str()).collect();
    let faults = [
        "glued",
        "slow",
        "duplicate",
        "neighbours",
        "garbage",
        "half-body",
        "reconnect-storm",
        "reboot",
        "vanish",
    ];
    assert_eq!(acts, [&["fair weather"][..], &faults].concat());
    assert_eq!(number(&summary["odd_count"]), 0, "{summary}");
    // Eight boards, half an hour, a sample every three seconds, and what came of it.
    // Some say what others said, which counts once here.
    assert!(number(&summary["messages"]) > 8 * 500, "{summary}");
    assert!(number(&summary["confirmed"]) > number(&summary["messages"]) / 4, "{summary}");
    assert!(number(&printed["audit"]["counted"]) > 8 * 600 / 4, "{printed}");
    assert!(number(&printed["audit"]["commands"]) > 0 && number(&summary["commands"]) > 0, "{printed}");
    for purpose in ["upgrade", "send"] {
        assert!(number(&calls(&printed, purpose)["on_purpose"]) > 0, "{purpose}");
        assert_eq!(number(&calls(&printed, purpose)["broken"]), 0, "{purpose}");
    }
    // What the server noticed itself: the faults did happen.
    let token = program.token();
    let some = program.api(&token, "/api/v1/messages?verdict=malformed&limit=1");
    assert_ne!(some["items"], json!([]));
    let told = |name: &str| {
        program.all(&token, "/api/v1/devices?family=mcu").into_iter().any(|device| {
            let id = device["id"].as_str().expect("an id").to_owned();
            let shown = program.api(&token, &format!("/api/v1/devices/{id}"));
            shown.to_string().contains(&format!("\"{name}\"")) && shown[name].as_u64() != Some(0)
        })
    };
    for name in ["restarts", "repeats", "noticed"] {
        assert!(told(name), "{name}");
    }
    program.done(&["audit"]);
}

#[test]
fn in_fair_weather_every_message_is_sure_and_every_command_arrives() {
    let program = Program::started();
    let printed = clean(&fleet(&program, &["--count", "20", "--span", "10m", "--fault", "none"]));
    let summary = &printed["summary"];
    assert_eq!(summary["messages"], summary["confirmed"], "{summary}");
    assert_eq!(printed["audit"]["stored"], printed["audit"]["confirmed"], "{printed}");
    // The newest counter of each board; a command for every fourth, and each of them arrived.
    assert_eq!((&printed["audit"]["values"], &printed["audit"]["commands"]), (&json!(20), &json!(5)));
    assert_eq!(summary["commands"], 5);
    // Over what is there already, and by the clock on the wall: a sample at once, and others three seconds apart.
    let printed =
        clean(&fleet(&program, &["--count", "20", "--duration", "5s", "--fault", "vanish", "--seed", "1"]));
    assert!(number(&printed["summary"]["messages"]) >= 20, "{printed}");
}

#[test]
fn the_server_may_be_killed_while_boards_speak() {
    let printed = killed_meanwhile("mcu", &["--count", "5", "--span", "20m", "--rate", "300"]);
    assert!(number(&printed["audit"]["confirmed"]) > 0, "{printed}");
}

#[test]
fn a_key_is_shown_and_boards_find_the_listener_themselves() {
    let mut program =
        Program::new().set("HOMEPORT_MCU_ACCESS", "key").set("HOMEPORT_MCU_KEY", "greenhouse-7");
    program.start();
    let ws = program.listener("ws://").to_string();
    program.stop();
    program = program.set("HOMEPORT_WS", &ws);
    program.start();
    let output =
        program.run(&["simulate", "mcu", "--count", "4", "--span", "2m", "--fault", "none", "--audit"]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    for words in ["4 boards", "p50 ms", "upgrade", "goodbye", "fair weather", "nothing is missing"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    // Without the key they are refused, which is told.
    let refused = program.set("HOMEPORT_MCU_ACCESS", "open");
    let output = refused.run(&[
        "simulate",
        "mcu",
        "--count",
        "1",
        "--span",
        "1m",
        "--fault",
        "none",
        "--duration",
        "1s",
    ]);
    assert_eq!(output.status.code(), Some(2), "--span and --duration exclude each other");
    let output = refused.run(&["simulate", "mcu", "--count", "1", "--duration", "1s", "--fault", "none"]);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("the server confirmed no message"), "{err}");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("the request for a connection was answered with"), "{out}");
}

#[test]
fn what_cannot_be_rehearsed_is_said() {
    let program = Program::new();
    for (arguments, code, words) in [
        (&["mcu", "--server", "https://127.0.0.1:9", "--token", "hp_x"][..], 2, "--at HOST:PORT"),
        (&["mcu", "--server", "ws://127.0.0.1:9", "--token", "hp_x"], 2, "--at HOST:PORT"),
        (&["mcu", "--server", "ws://127.0.0.1:9"], 1, "devices cannot call ws://127.0.0.1:9"),
        (&["mcu", "--server", "ws://127.0.0.1:9", "--audit"], 2, "--token"),
        (&["mcu", "--fault", "bad-crc"], 2, "does not happen to boards: glued, slow"),
        (&["cwm", "--fault", "vanish"], 2, "does not happen to modules"),
    ] {
        let output = program.run(&[&["simulate"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn hundreds_of_boards_stay_connected_and_a_command_to_all_reaches_each() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_PEER_CONNECTIONS_MAX_COUNT", "1000");
    program.start();
    let token = program.token();
    let mut boards: Vec<Board> = (0..BOARDS).map(|_| Board::connect(program.listener("ws://"))).collect();
    for (number, board) in boards.iter_mut().enumerate() {
        board.says(&format!("{number},0,31.25"));
    }
    settled(|| {
        let heard = program.all(&token, "/api/v1/messages").len();
        (heard >= BOARDS).then_some(())
    })
    .expect("each is heard");
    for (value, frame) in [("1", b"\x81\x031,1"), ("0", b"\x81\x031,0")] {
        program.done(&["send", "--all", "--family", "mcu", "--cmd", "LED", "--payload", value]);
        for board in &mut boards {
            board.hears(frame);
        }
    }
    // All are there still, and are heard.
    for (number, board) in boards.iter_mut().enumerate() {
        board.says(&format!("{number},1,31.5"));
    }
    settled(|| {
        let heard = program.all(&token, "/api/v1/messages?direction=in").len();
        (heard >= 2 * BOARDS).then_some(())
    })
    .expect("each is heard again");
    let sent = program.all(&token, "/api/v1/messages?direction=out").len();
    assert_eq!(sent, 2 * BOARDS, "one command to each, twice");
}

const BOARDS: usize = 300;
