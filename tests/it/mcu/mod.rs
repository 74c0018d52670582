//! Microcontrollers over WebSocket from outside: the conformance list of `websocket-mcu.md §12`, byte for byte.

mod access;
mod days;
mod midnight;
mod switches;
mod together;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{ACCEPT, Board, Mask, Program, frame, settled};

pub(crate) const LED_ON: [u8; 5] = [0x81, 0x03, 0x31, 0x2C, 0x31];
const LED_OFF: [u8; 5] = [0x81, 0x03, 0x31, 0x2C, 0x30];

/// A server, a token of its administrator, and what it knows of boards.
pub(crate) struct Bench {
    pub(crate) program: Program,
    pub(crate) token: String,
}

impl Bench {
    pub(crate) fn start(program: Program) -> Self {
        let mut program = program;
        program.start();
        let token = program.token();
        Self { program, token }
    }

    pub(crate) fn new() -> Self {
        Self::start(Program::new())
    }

    pub(crate) fn board(&self) -> Board {
        Board::connect(self.program.listener("ws://"))
    }

    /// The device of a board, once it has said so much.
    pub(crate) fn device(&self, number: u32) -> Value {
        let address = number.to_string();
        let found = settled(|| {
            let devices = self.program.all(&self.token, "/api/v1/devices?family=mcu");
            devices.into_iter().find(|device| device["address"] == address)
        });
        let id = found.expect("the board is known")["id"].as_str().expect("a device has an id").to_owned();
        self.program.api(&self.token, &format!("/api/v1/devices/{id}"))
    }

    pub(crate) fn id(&self, number: u32) -> String {
        self.device(number)["id"].as_str().expect("a device has an id").to_owned()
    }

    /// The newest values of a board, once `enough` of them are there.
    pub(crate) fn values(&self, number: u32, enough: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/devices/{}/picture", self.id(number));
        let seen = settled(|| {
            let picture = self.program.api(&self.token, &path);
            let list = picture["values"].as_array().cloned().unwrap_or_default();
            let named = |item: &Value| Some((item["sensor"].as_str()?.to_owned(), item["value"].clone()));
            let values = Value::Object(list.iter().filter_map(named).collect());
            enough(&values).then_some(values)
        });
        seen.unwrap_or_else(|| panic!("{}", self.program.api(&self.token, &path)))
    }

    /// How many sound messages of a board are stored, once there are as many as wanted.
    #[track_caller]
    pub(crate) fn stores(&self, number: u32, wanted: usize) {
        let path = format!("/api/v1/messages?device={}&direction=in&limit=500", self.id(number));
        let sound = || {
            let messages = self.program.all(&self.token, &path);
            messages.into_iter().filter(|message| message["verdict"] == "ok").count()
        };
        let found = settled(|| Some(sound()).filter(|found| *found >= wanted));
        assert_eq!(found.unwrap_or_else(sound), wanted);
    }

    /// Queues a command for one board; gives its id.
    pub(crate) fn queue(&self, number: u32, cmd: &str, payload: &Value) -> String {
        let path = format!("/api/v1/devices/{}/commands", self.id(number));
        let body = json!({ "cmd": cmd, "payload": payload });
        let answer = self.program.client().post_as(&self.token, &path, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_str().expect("a command has an id").to_owned()
    }

    /// Waits until a command is in a state.
    #[track_caller]
    pub(crate) fn command_is(&self, id: &str, state: &str) {
        let path = format!("/api/v1/commands/{id}");
        let found =
            settled(|| Some(self.program.api(&self.token, &path)).filter(|now| now["state"] == state));
        assert!(found.is_some(), "not {state}: {}", self.program.api(&self.token, &path));
    }

    /// Says something to several boards at once.
    pub(crate) fn call(&self, body: &Value) -> Vec<Value> {
        let answer = self.program.client().post_as(&self.token, "/api/v1/commands", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["items"].as_array().expect("results are listed").clone()
    }
}

#[test]
fn the_firmware_s_six_writes_get_a_connection_it_understands() {
    // §12.1
    let bench = Bench::new();
    let addr = bench.program.listener("ws://");
    for path in ["/ws", "/ws/", "/", "/ws?x=1"] {
        let mut board = Board::open(addr);
        for line in Board::request(path, addr, "") {
            board.write(line.as_bytes());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let answer = board.answer();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.len() <= 199, "{} bytes", answer.len());
        let end = answer.find(ACCEPT).expect("the accept value is in it") + ACCEPT.len();
        assert!(end <= 199, "the accept value ends at {end}");
        let names: Vec<_> = answer.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert_eq!(names, ["Connection", "Upgrade", "Sec-Websocket-Accept", "Date"], "{answer}");
        assert!(board.hears_nothing(Duration::from_secs(2)));
    }
}

#[test]
fn every_way_to_frame_a_message_makes_one_sample() {
    // §3, §12.2
    let bench = Bench::new();
    let mut board = bench.board();
    let golden = [0x81, 0x8A, 0, 0, 0, 0, 0x35, 0x2C, 0x31, 0x37, 0x2C, 0x33, 0x31, 0x2E, 0x32, 0x35];
    assert_eq!(frame(0x81, b"5,17,31.25", Mask::Zero), golden);
    board.write(&golden);
    board.write(&frame(0x81, b"5,18,31.25", Mask::Random));
    board.write(&frame(0x81, b"5,19,31.25", Mask::None));
    board.write(&frame(0x82, b"5,20,31.25", Mask::Zero));
    for byte in frame(0x81, b"5,21,31.25", Mask::Zero) {
        board.write(&[byte]);
    }
    let two = [frame(0x81, b"5,22,31.25", Mask::Zero), frame(0x81, b"5,23,31.25", Mask::Zero)].concat();
    board.write(&two);
    let parts = [frame(0x01, b"5,24", Mask::Zero), frame(0x80, b",31.25", Mask::Zero)].concat();
    board.write(&parts);
    let long = format!("5,25,31.25,{}", "1,".repeat(60));
    board.write(&frame(0x81, long.as_bytes(), Mask::Zero));
    bench.stores(5, 9);
    let values = bench.values(5, |values| values["SendCounter"] == 25);
    assert_eq!(
        (&values["TempSensor"], &values["v3"], &values["lost"]),
        (&json!(31.25), &json!(1), &Value::Null)
    );
    // A frame that came together with the request.
    let addr = bench.program.listener("ws://");
    let mut glued = Board::open(addr);
    let request = Board::request("/ws", addr, "").concat();
    glued.write(&[request.as_bytes(), &frame(0x81, b"6,1,20", Mask::Zero)].concat());
    assert!(glued.answer().contains(ACCEPT));
    bench.stores(6, 1);
    assert!(board.hears_nothing(Duration::from_millis(100)), "data are never answered");
}

#[test]
fn the_counter_tells_of_losses_and_restarts_also_across_a_restart_of_the_server() {
    // §12.3
    let mut bench = Bench::new();
    let mut board = bench.board();
    for text in ["5,17,31.25", "5,19,31.25", "5,0,31", "5,0,31"] {
        board.says(text);
    }
    bench.stores(5, 4);
    let values = bench.values(5, |values| values["repeats"] == 1);
    assert_eq!((&values["lost"], &values["restarts"]), (&json!(1), &json!(1)));
    let facts = bench.device(5);
    assert_eq!((&facts["lost"], &facts["connected"]), (&json!(1), &json!(true)), "{facts}");
    bench.program.stop();
    bench.program.start();
    bench.board().says("5,3,31");
    bench.stores(5, 5);
    assert_eq!(bench.values(5, |values| values["lost"] == 3)["restarts"], 1);
}

#[test]
fn a_command_reaches_one_board_or_all_and_an_absent_one_is_told() {
    // §12.4
    let bench = Bench::new();
    let (mut five, mut six) = (bench.board(), bench.board());
    five.says("5,1,20");
    six.says("6,1,20");
    bench.stores(5, 1);
    bench.stores(6, 1);
    let id = bench.queue(5, "LED", &json!(1));
    five.hears(&LED_ON);
    assert!(six.hears_nothing(Duration::from_millis(200)));
    bench.command_is(&id, "sent");
    // 7 was here once.
    let mut seven = bench.board();
    seven.says("7,1,20");
    bench.stores(7, 1);
    drop(seven);
    settled(|| (bench.device(7)["connected"] == false).then_some(())).expect("7 is gone");
    let results = bench.call(&json!({ "family": "mcu", "to": "all", "cmd": "LED", "payload": 0 }));
    let told: Vec<_> = results
        .iter()
        .map(|item| (item["address"].as_str().unwrap(), item["result"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("5", "sent"), ("6", "sent"), ("7", "offline")]);
    five.hears(&LED_OFF);
    six.hears(&LED_OFF);
    let results =
        bench.call(&json!({ "family": "mcu", "to": ["5", "7", "8"], "cmd": "LED", "payload": true }));
    let told: Vec<_> = results.iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(told, ["sent", "offline", "no such device"]);
    five.hears(&LED_ON);
    assert!(six.hears_nothing(Duration::from_millis(200)));
    // What was named to an absent board waits for it.
    let waits = results[1]["command"].as_str().expect("it is queued").to_owned();
    bench.command_is(&waits, "queued");
    let mut seven = bench.board();
    seven.says("7,2,20");
    seven.hears(&LED_ON);
    bench.command_is(&waits, "sent");
}

#[test]
fn a_board_that_comes_again_is_told_on_its_newest_connection() {
    // §12.5
    let bench = Bench::new();
    let mut old = bench.board();
    old.says("5,1,20");
    bench.stores(5, 1);
    let mut new = bench.board();
    new.says("5,2,20");
    bench.stores(5, 2);
    bench.queue(5, "LED", &json!("on"));
    new.hears(&LED_ON);
    assert!(old.hears_nothing(Duration::from_millis(200)));
    assert_eq!(bench.values(5, |values| values["SendCounter"] == 2)["lost"], Value::Null, "one series");
    // Both at once are two boards with one number.
    old.says("5,70,20");
    bench.stores(5, 3);
    new.says("5,3,20");
    bench.stores(5, 4);
    let facts = bench.device(5);
    assert!(facts["same_number"]["warning"].is_string(), "{facts}");
    assert_eq!(facts["lost"], 0, "what two boards say together is no loss");
}

#[test]
fn what_was_heard_survives_a_kill() {
    // §12.7
    let mut bench = Bench::new();
    let mut board = bench.board();
    board.says("5,1,21.5");
    bench.stores(5, 1);
    bench.program.kill();
    bench.program.start();
    let values = bench.values(5, |values| values["TempSensor"] == 21.5);
    assert_eq!(values["SendCounter"], 1);
}

#[test]
fn bad_messages_keep_the_connection_and_are_told() {
    // §9, §12.8
    let bench = Bench::new();
    let mut board = bench.board();
    board.says("5,1,20");
    for bad in ["abc,1,2", "1.0,2,3", "-5,1,2", "1000000,1,2", "", " \r\n"] {
        board.says(bad);
    }
    board.says("5,2,abc,7");
    board.says("5,3,nan");
    board.says("5");
    board.says("5,4,20.5\r\n");
    bench.stores(5, 5);
    let values = bench.values(5, |values| values["SendCounter"] == 4);
    assert_eq!((&values["TempSensor"], &values["v3"]), (&json!(20.5), &json!(7)));
    let facts = bench.device(5);
    assert_eq!(
        (&facts["noticed"]["bad_fields"], &facts["noticed"]["malformed"]),
        (&json!(2), &json!(4)),
        "{facts}"
    );
    let path = format!("/api/v1/messages?device={}&limit=500", bench.id(5));
    let messages = bench.program.all(&bench.token, &path);
    assert_eq!(messages.iter().filter(|message| message["verdict"] == "malformed").count(), 4);
    // A ping is answered, and a message that is too large is the end.
    board.write(&frame(0x89, b"x", Mask::Zero));
    board.hears(&[0x8A, 0x01, b'x']);
    board.write(&frame(0x81, &[b'5'; 600], Mask::Zero));
    board.hears(&[0x88, 0x02, 0x03, 0xF1]);
    assert!(board.rest().is_empty());
}

#[test]
fn frames_that_are_none_end_the_connection_and_nothing_else() {
    let bench = Bench::new();
    for bad in [
        frame(0x81, &[0xFF, 0xFE], Mask::Zero),
        frame(0xC1, b"5,1,2", Mask::Zero),
        frame(0x83, b"x", Mask::Zero),
    ] {
        let mut board = bench.board();
        board.write(&bad);
        board.rest();
    }
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
}

#[test]
fn a_board_that_vanishes_is_no_error_and_soon_offline() {
    // §12.9; half a minute of waiting is left out: `core::rhythm` shows it with a clock of its own.
    let bench = Bench::new();
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    assert_eq!(bench.device(5)["online"], true);
    drop(board);
    settled(|| (bench.device(5)["connected"] == false).then_some(())).expect("its end is seen");
    let log = bench.program.log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}

#[test]
fn a_silent_connection_and_a_flood_are_ended() {
    let settings = "[mcu]\nsilent_s = 9\nmessages_per_second_max = 5\n";
    let program = Program::new();
    std::fs::write(program.folder().join("homeport.toml"), settings).unwrap();
    let bench = Bench::start(program);
    let mut silent = bench.board();
    let mut flood = bench.board();
    let burst: Vec<u8> =
        (0..200).flat_map(|n| frame(0x81, format!("5,{n},20").as_bytes(), Mask::Zero)).collect();
    flood.write(&burst);
    flood.hears(&[0x88, 0x02, 0x03, 0xF0]);
    let facts = bench.device(5);
    assert!(facts["noticed"]["dropped"].as_u64().is_some_and(|dropped| dropped > 40), "{facts}");
    silent.hears(&[0x88, 0x02, 0x03, 0xE9]);
    assert!(silent.rest().is_empty());
}

#[test]
fn a_stop_ends_connections_in_good_order() {
    let mut bench = Bench::new();
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    let reader = std::thread::spawn(move || {
        board.hears(&[0x88, 0x02, 0x03, 0xE9]);
        board.rest()
    });
    assert!(bench.program.stop().success());
    assert!(reader.join().unwrap().is_empty());
}
