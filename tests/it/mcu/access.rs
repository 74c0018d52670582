//! Who gets a connection (`websocket-mcu.md §10, §11`): origins, networks, the key in the path.

use std::fs;

use super::Bench;
use crate::harness::{ACCEPT, Board, Program};

fn with(settings: &str) -> Bench {
    let program = Program::new();
    fs::write(program.folder().join("homeport.toml"), settings).unwrap();
    Bench::start(program)
}

/// The head of the answer to one request.
fn asks(bench: &Bench, path: &str, more: &str) -> String {
    let addr = bench.program.listener("ws://");
    let mut board = Board::open(addr);
    board.write(Board::request(path, addr, more).concat().as_bytes());
    board.answer()
}

#[test]
fn libraries_connect_and_pages_of_strangers_do_not() {
    let bench = Bench::new();
    let arduino =
        "Sec-WebSocket-Protocol: arduino\r\nOrigin: file://\r\nUser-Agent: arduino-WebSocket-Client\r\n";
    let answer = asks(&bench, "/ws", arduino);
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT), "{answer}");
    assert!(!answer.to_lowercase().contains("protocol:"), "no subprotocol is echoed: {answer}");
    let own = format!("Origin: http://{}\r\n", bench.program.listener("ws://"));
    let library = "Origin: https://github.com/gilmaimon/TinyWebsockets\r\n";
    for welcome in ["Origin: null\r\n", library, &own] {
        assert!(asks(&bench, "/ws", welcome).starts_with("HTTP/1.1 101 "), "{welcome}");
    }
    for stranger in [
        "Origin: https://evil.example\r\n",
        "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
    ] {
        let answer = asks(&bench, "/ws", stranger);
        assert!(answer.starts_with("HTTP/1.1 403 "), "{stranger}: {answer}");
    }
}

#[test]
fn what_is_no_handshake_is_refused_with_the_way_to_put_it_right() {
    let bench = Bench::new();
    let addr = bench.program.listener("ws://");
    let key = "Sec-WebSocket-Key: L159VM0TWUzyDxwJEIEzjw==\r\n";
    let upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let cases = [
        (format!("GET /ws HTTP/1.0\r\n{upgrade}{key}Sec-WebSocket-Version: 13\r\n\r\n"), "426", ""),
        ("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "426", "Upgrade: websocket"),
        (
            format!("GET /ws HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 25\r\n\r\n"),
            "426",
            "Version: 13",
        ),
        (format!("GET /ws HTTP/1.1\r\n{upgrade}Sec-WebSocket-Version: 13\r\n\r\n"), "400", ""),
        (format!("POST /ws HTTP/1.1\r\n{upgrade}{key}\r\n"), "405", "Allow: GET"),
        (format!("GET /other HTTP/1.1\r\n{upgrade}{key}\r\n"), "404", ""),
        (format!("GET /ws HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 8\r\n\r\n"), "101", ACCEPT),
        (format!("GET /ws HTTP/1.1\r\n{upgrade}{key}\r\n"), "101", ACCEPT),
        (format!("GET /ws HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: short\r\n\r\n"), "101", ""),
    ];
    for (request, status, part) in cases {
        let mut board = Board::open(addr);
        board.write(request.as_bytes());
        let answer = board.answer();
        let code = answer.split(' ').nth(1).unwrap();
        assert!(code == status && answer.contains(part), "{request}\n{answer}");
    }
    // Garbage before the handshake harms nobody.
    let mut board = Board::open(addr);
    board.write(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0xFF, b'\r', b'\n', b'\r', b'\n']);
    board.rest();
    bench.board().says("5,1,20");
    bench.stores(5, 1);
}

#[test]
fn networks_that_are_not_let_in_are_refused() {
    let bench = with("[mcu]\nnetworks = [\"10.0.0.0/8\"]\n");
    assert!(asks(&bench, "/ws", "").starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_key_in_the_path_or_query_opens_and_nothing_else_does() {
    let bench = with("[mcu]\naccess = \"key\"\nkey = \"green-7\"\n");
    for path in ["/ws/green-7", "/ws/green-7/", "/ws?key=green-7", "/?a=b&key=green-7"] {
        assert!(asks(&bench, path, "").starts_with("HTTP/1.1 101 "), "{path}");
    }
    for path in ["/ws", "/ws/green-8", "/ws/", "/ws?key=", "/ws?key=green-77", "/"] {
        assert!(asks(&bench, path, "").starts_with("HTTP/1.1 403 "), "{path}");
    }
    assert!(!bench.program.log().contains("green-"), "keys are not logged");
    let printed = bench.program.done(&["config", "print"]);
    assert!(!printed.contains("green-7") && printed.contains("key = \"***\""), "{printed}");
}

#[test]
fn a_known_board_needs_no_key_and_another_one_does() {
    let bench = with("[mcu]\naccess = \"key_or_known\"\nkey = \"green-7\"\nknown = [\"127.0.0.1=5\"]\n");
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    board.says("6,1,20");
    board.hears(&[0x88, 0x02, 0x03, 0xF0]);
    assert!(board.rest().is_empty());
}

#[test]
fn a_board_that_is_held_is_heard_and_not_commanded() {
    let bench = Bench::start(Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold"));
    let mut board = bench.board();
    board.says("5,1,20");
    bench.stores(5, 1);
    assert_eq!(bench.device(5)["state"], "held");
    bench.program.done(&["devices", "adopt", "5"]);
    let told = bench.program.done(&["send", "5", "--cmd", "LED", "--payload", "1", "--wait"]);
    assert_eq!(told.trim(), "sent");
    board.hears(&[0x81, 0x03, 0x31, 0x2C, 0x31]);
    let bench = Bench::start(Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "refuse"));
    let mut board = bench.board();
    board.says("5,1,20");
    board.says("5,2,20");
    assert!(bench.program.says("not let in"), "{}", bench.program.log());
    assert!(board.hears_nothing(std::time::Duration::from_millis(100)), "its connection stays");
    assert!(bench.program.all(&bench.token, "/api/v1/devices").is_empty());
}
