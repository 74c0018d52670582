//! Many at once: clients that pull for one device, modules that push, silent clients beside them.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::json;

use crate::harness::{Client, Module, Program};

const CLIENTS: usize = 12;
const COMMANDS: usize = 20;

#[test]
fn of_many_clients_of_one_device_each_command_reaches_one() {
    let program = Program::started();
    let address = "0002010203040506";
    let mut module = Module::new(program.client(), address);
    let hello = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&hello);
    let token = program.token();
    let device = program.all(&token, "/api/v1/devices")[0]["id"].as_str().expect("an id").to_owned();
    for number in 0..COMMANDS {
        let order = json!({"cmd": "wr", "payload": {"cmd": {"relay": number}}});
        let answer = program.post(&token, &format!("/api/v1/devices/{device}/commands"), &order);
        assert!(matches!(answer.status, 200..=202), "{}", answer.text());
    }
    let start = Arc::new(Barrier::new(CLIENTS));
    let pullers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut module = Module::new(program.client(), address);
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                let mut got = Vec::new();
                loop {
                    let body = module.pull(Some(true));
                    if body == r#"{"pull":false}"# {
                        return got;
                    }
                    got.push(body);
                }
            })
        })
        .collect();
    let got: Vec<String> =
        pullers.into_iter().flat_map(|puller| puller.join().expect("a client ends")).collect();
    let texts: BTreeSet<&str> = got.iter().filter_map(|body| body.split(",\"pull\":").next()).collect();
    assert_eq!(texts.len(), got.len(), "a command was handed to two clients");
    assert_eq!(texts.len(), COMMANDS, "{texts:?}");
    program.done(&["audit"]);
}

#[test]
fn the_same_message_from_many_connections_is_stored_once() {
    let program = Program::started();
    let message = Module::new(program.client(), "0002010203040506").next(r#"{"_hbt":{"door":7}}"#);
    let start = Arc::new(Barrier::new(CLIENTS));
    let pushers: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut module = Module::new(program.client(), "0002010203040506");
            let (start, message) = (Arc::clone(&start), message.clone());
            thread::spawn(move || {
                start.wait();
                module.pushes(&message)
            })
        })
        .collect();
    for pusher in pushers {
        pusher.join().expect("a client ends");
    }
    let token = program.token();
    let messages = program.all(&token, "/api/v1/messages");
    let fresh = messages.iter().filter(|message| message["verdict"] == "ok").count();
    assert_eq!(fresh, 1, "{messages:?}");
    let device = program.all(&token, "/api/v1/devices")[0]["id"].as_str().expect("an id").to_owned();
    let data = program.all(&token, &format!("/api/v1/devices/{device}/data?sensor=door"));
    assert_eq!(data.len(), 1, "{data:?}");
}

#[test]
fn silent_and_slow_clients_hold_nobody_up() {
    let program = Program::started();
    // A hundred that connect and say nothing, a few of them half a handshake or half a request.
    let mut silent = Vec::new();
    for number in 0..100 {
        let mut client = Client::plain(program.https()).expect("the server takes connections");
        if number % 3 == 0 {
            client.write(&[0x16, 0x03, 0x01, 0x02, 0x00]).expect("bytes can be written");
        }
        silent.push(client);
    }
    let mut slow = program.client();
    slow.write(b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        .expect("bytes can be written");
    let mut module = Module::new(program.client(), "0002010203040506");
    for _ in 0..50 {
        let message = module.next(r#"{"_hbt":{"door":1}}"#);
        module.pushes(&message);
    }
    drop((silent, slow));
}

#[test]
fn a_slow_body_and_a_silent_client_are_cut() {
    let mut program = Program::new()
        .set("HOMEPORT_LIMITS_BODY_TIME_MS", "500")
        .set("HOMEPORT_LIMITS_HEADER_TIME_MS", "500")
        .set("HOMEPORT_LIMITS_HANDSHAKE_TIME_MS", "500");
    program.start();
    let mut body = program.client();
    body.write(b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        .expect("bytes can be written");
    let answer = body.read();
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 408), "{answer:?}");
    let mut head = program.client();
    head.write(b"GET /pull HT").expect("bytes can be written");
    assert!(head.read().map_or(true, |answer| answer.status == 408));
    let mut silent = Client::plain(program.https()).expect("the server takes connections");
    assert!(silent.read().is_err());
    program.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
}
