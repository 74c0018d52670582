//! The original's Start and Stop (`websocket-mcu.md §8`): recording and listeners, each with its switch.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, LED_ON};
use crate::harness::{Program, settled};

/// How many messages of a family were passed over, once it is as many as wanted.
fn dropped(bench: &Bench, wanted: u64) -> Value {
    let seen = settled(|| {
        let item = bench.program.all(&bench.token, "/api/v1/recording").into_iter().next()?;
        (item["dropped"] == wanted).then_some(item)
    });
    seen.unwrap_or_else(|| panic!("{:?}", bench.program.all(&bench.token, "/api/v1/recording")))
}

fn turn(bench: &Bench, path: &str) -> (u16, Value) {
    turn_with(bench, path, &json!({}))
}

fn turn_with(bench: &Bench, path: &str, body: &Value) -> (u16, Value) {
    let answer = bench.program.client().post_as(&bench.token, &format!("/api/v1/{path}"), body);
    (answer.status, answer.json())
}

#[test]
fn a_pause_drops_and_counts_what_comes_and_keeps_connections_and_commands() {
    let mut bench = Bench::new();
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    let (status, paused) = turn(&bench, "recording/mcu/pause");
    assert_eq!((status, &paused["recording"], &paused["unchanged"]), (200, &json!(false), &json!(false)));
    assert_eq!(turn(&bench, "recording/mcu/pause").1["unchanged"], true, "twice is once");
    let by = paused["by"].as_str().expect("who did it is told").to_owned();
    assert!(bench.program.says("recording paused") && bench.program.log().contains(&by));
    for text in ["5,2,21", "abc", "5,3,22\r\n"] {
        board.says(text);
    }
    dropped(&bench, 3);
    let facts = bench.device(5);
    assert_eq!(
        (&facts["recording"], &facts["online"], &facts["connected"]),
        (&json!(false), &json!(true), &json!(true))
    );
    assert_eq!(
        (&facts["unrecorded"]["messages"], &facts["unrecorded"]["last"]),
        (&json!(2), &json!("5,3,22"))
    );
    bench.stores(5, 1);
    assert_eq!(bench.values(5, |_| true)["TempSensor"], 20, "the last that was kept");
    bench.queue(5, "LED", &json!(1));
    board.hears(&LED_ON);
    // A command that was queued while it was away goes out with its next message, though that is not kept.
    drop(board);
    settled(|| (bench.device(5)["connected"] == false).then_some(())).expect("its end is seen");
    let waits = bench.queue(5, "LED", &json!(1));
    let mut board = bench.board();
    board.says("5,4,23");
    board.hears(&LED_ON);
    bench.command_is(&waits, "sent");

    // The switch is as it was left, also after a crash, and what was not kept is no loss.
    bench.program.kill();
    bench.program.start();
    let shown = bench.program.done(&["status"]);
    assert!(shown.contains("mcu") && shown.contains(&by) && shown.contains("0 held"), "{shown}");
    let mut board = bench.board();
    board.says("5,9,24");
    dropped(&bench, 1);
    let told = bench.program.done(&["recording", "resume", "mcu"]);
    assert_eq!(told, "recording of mcu is on again; messages dropped meanwhile: 1\n");
    assert_eq!(bench.program.done(&["recording", "resume"]), "recording of mcu was on already\n");
    board.says("5,10,25");
    bench.stores(5, 2);
    board.says("5,12,25");
    bench.stores(5, 3);
    let facts = bench.device(5);
    assert_eq!((&facts["lost"], &facts["recording"]), (&json!(1), &json!(true)), "{facts}");
    assert!(facts.get("unrecorded").is_none(), "{facts}");
    let metrics = bench.program.client().get_as(&bench.token, "/metrics").text();
    assert!(metrics.contains("homeport_messages_passed_over_total{family=\"mcu\"} 1"), "{metrics}");
    assert!(metrics.contains("homeport_recording{family=\"mcu\"} 1"), "{metrics}");
}

#[test]
fn only_what_acknowledges_nothing_can_be_paused() {
    let bench = Bench::new();
    let (status, answer) = turn(&bench, "recording/cwm/pause");
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("conflict")), "{answer}");
    assert_eq!(turn(&bench, "recording/none/pause").0, 404);
    let listed = bench.program.all(&bench.token, "/api/v1/recording");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["family"], &listed[0]["since"]), (&json!("mcu"), &Value::Null));
}

#[test]
fn a_closed_listener_ends_its_connections_stays_closed_and_opens_again() {
    let mut bench = Bench::new();
    let addr = bench.program.listener("ws://");
    let (mut five, mut six) = (bench.board(), bench.board());
    five.says("5,1,20");
    six.says("6,1,20");
    bench.stores(5, 1);
    bench.stores(6, 1);
    // A message on its way is stored before its connection ends.
    five.says("5,2,20");
    bench.stores(5, 2);
    assert_eq!(
        bench.program.done(&["listeners", "close", "ws"]),
        "ws closed; connections closed with it: 2\n"
    );
    for board in [&mut five, &mut six] {
        board.hears(&[0x88, 0x02, 0x03, 0xE9]);
        assert!(board.rest().is_empty());
    }
    assert!(TcpStream::connect(addr).is_err(), "nobody listens");
    assert_eq!(bench.program.done(&["listeners", "close", "ws"]), "ws was closed already\n");
    let facts = bench.device(5);
    assert_eq!(facts["connected"], false);
    assert_eq!(facts["connections_before"][0]["end"], "closed by the server", "{facts}");
    let metrics = bench.program.client().get_as(&bench.token, "/metrics").text();
    assert!(metrics.contains("homeport_listener_open{listener=\"ws\"} 0"), "{metrics}");

    bench.program.kill();
    bench.program.start();
    assert!(bench.program.says("Closed       ws"), "the start tells it: {}", bench.program.log());
    assert!(bench.program.done(&["listeners", "list"]).contains("ws"));
    let (status, opened) = turn(&bench, "listeners/ws/open");
    assert_eq!(
        (status, &opened["open"], &opened["unchanged"]),
        (200, &json!(true), &json!(false)),
        "{opened}"
    );
    assert_eq!(turn(&bench, "listeners/ws/open").1["unchanged"], true);
    let addr = opened["address"].as_str().unwrap().parse().unwrap();
    let mut board = crate::harness::Board::connect(addr);
    board.says("5,3,20");
    bench.stores(5, 3);
    // The same place again and again.
    assert_eq!(turn(&bench, "listeners/ws/close").1["closed"], 1);
    assert_eq!(turn(&bench, "listeners/ws/open").1["address"], opened["address"]);
    let mut board = crate::harness::Board::connect(addr);
    board.says("5,4,20");
    bench.stores(5, 4);
    assert_eq!(turn(&bench, "listeners/http/close").1["open"], false, "any that shows no pages");
    assert!(board.hears_nothing(Duration::from_millis(50)), "and no other");
}

#[test]
fn nobody_locks_himself_out() {
    let bench = Bench::new();
    let (status, answer) = turn(&bench, "listeners/https/close");
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("pages"), "{answer}");
    assert_eq!(turn(&bench, "listeners/control/close").0, 404);
    assert_eq!(turn(&bench, "listeners/https/open").1["unchanged"], true);
    let listed = bench.program.all(&bench.token, "/api/v1/listeners");
    let named: Vec<_> =
        listed.iter().map(|item| (item["listener"].as_str().unwrap(), item["open"] == true)).collect();
    assert_eq!(named, [("https", true), ("http", true), ("ws", true)]);

    // With a second door for people the first one may be closed, and the second may not.
    let mut apart = Program::new().set("HOMEPORT_ADMIN", "127.0.0.1:0");
    apart.start();
    assert_eq!(apart.done(&["listeners", "close", "https"]), "https closed; connections closed with it: 0\n");
    let refused = apart.run(&["listeners", "close", "admin"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("stays open")
            || String::from_utf8_lossy(&refused.stderr).contains("cannot be closed")
    );
}

#[test]
fn a_port_taken_meanwhile_is_told_and_the_listener_stays_closed() {
    let bench = Bench::new();
    let addr = bench.program.listener("ws://");
    assert_eq!(turn(&bench, "listeners/ws/close").0, 200);
    let thief = std::net::TcpListener::bind(addr).expect("the port is free");
    let (status, answer) = turn(&bench, "listeners/ws/open");
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("in use"), "{answer}");
    drop(thief);
    assert_eq!(turn(&bench, "listeners/ws/open").0, 200);
    TcpStream::connect(addr).expect("it listens again");
}

#[test]
fn units_and_limits_follow_the_profile_that_a_person_gave() {
    let settings = "[[mcu.profiles]]\nname = \"kiln\"\nboards = [\"900\"]\ncolumns = [{ name = \"SendCounter\", counts = true }, { name = \"TempSensor\", label = \"Kiln\", unit = \"°F\", max = 10 }]\n[[mcu.profiles]]\nname = \"board\"\n";
    let program = Program::new();
    std::fs::write(program.folder().join("homeport.toml"), settings).unwrap();
    let bench = Bench::start(program);
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    let id = bench.id(5);
    let meaning = || {
        let picture = bench.program.api(&bench.token, &format!("/api/v1/devices/{id}/picture"));
        let values = picture["values"].as_array().cloned().unwrap_or_default();
        values.into_iter().find(|value| value["sensor"] == "TempSensor").expect("it was measured")
    };
    assert_eq!((&meaning()["unit"], &meaning()["outside"]), (&json!("°C"), &Value::Null));
    let path = format!("/api/v1/devices/{id}");
    let patched = bench.program.client().send_as("PATCH", &bench.token, &path, &json!({ "profile": "kiln" }));
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!((&meaning()["unit"], &meaning()["label"]), (&json!("°F"), &json!("Kiln")));
    assert_eq!(meaning()["outside"], "above");
    // A profile is a group.
    let mut other = bench.board();
    other.says("6,1,20");
    bench.stores(6, 1);
    let call = json!({ "family": "mcu", "to": "all", "profile": "kiln", "cmd": "LED", "payload": 1 });
    let told = bench.call(&call);
    assert_eq!((told.len(), &told[0]["address"], &told[0]["result"]), (1, &json!("5"), &json!("sent")));
    board.hears(&LED_ON);
    let line = ["send", "--all", "--profile", "board", "--family", "mcu", "--cmd", "LED", "--payload", "1"];
    assert!(bench.program.done(&line).contains("6       sent"));
    other.hears(&LED_ON);
    assert!(board.hears_nothing(Duration::from_millis(100)), "it is of the other group");
    let wrong = json!({ "family": "mcu", "to": ["5"], "profile": "kiln", "cmd": "LED", "payload": 1 });
    assert_eq!(turn_with(&bench, "commands", &wrong).0, 422);
    bench.program.client().send_as("PATCH", &bench.token, &path, &json!({ "profile": null }));
    assert_eq!(meaning()["unit"], "°C");
}

#[test]
fn an_ended_connection_and_losses_are_in_the_board_s_history() {
    let bench = Bench::new();
    let mut board = bench.board();
    for text in ["5,1,20", "5,2,20", "5,4,20"] {
        board.says(text);
    }
    bench.stores(5, 3);
    assert_eq!(bench.device(5)["lost_percent"], 25.0, "one of four");
    drop(board);
    let told = settled(|| {
        let facts = bench.device(5);
        facts["connections_before"][0]["end"].is_string().then_some(facts)
    });
    let facts = told.expect("its end is told");
    assert_eq!(facts["connections_before"][0]["peer"], "127.0.0.1");
    assert!(
        facts["connections_before"][0]["until"].as_str() >= facts["connections_before"][0]["since"].as_str()
    );
}
