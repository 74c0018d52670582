//! Bed sensors and those who pass as one, on the plain-HTTP port of the real program.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::{Client, Program, settled};

const A: &str = include_str!("../../../src/family/sca11h/samples/a.xml");
const DONE: &[u8] = b"done";

/// Sample A of a node, some seconds later.
fn body(node: &str, seconds: usize) -> String {
    let text = A.replace("00:11:22:33:44:55", node);
    (120..125).rev().fold(text, |text, index| {
        text.replace(&format!("\r\n{index},"), &format!("\r\n{},", index + seconds))
    })
}

/// Rows with these indexes.
fn rows(indexes: Range<usize>) -> String {
    indexes.fold(String::new(), |mut text, index| {
        write!(text, "{index},61,14,55,31,912,1,978,1004,0\r\n").unwrap();
        text
    })
}

fn push(client: &mut Client, body: &str) -> Option<String> {
    let answer = client.try_post("/data/push/", body.as_bytes()).ok()?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Some(answer.text())
}

/// What nodes said: what they tried to say, and what was answered `done`.
type Said = Mutex<(BTreeSet<String>, BTreeSet<String>)>;

fn push_until_the_end(mut client: Client, node: &str, done: &AtomicUsize, said: &Said) {
    for message in 0.. {
        let text = body(node, message * 5);
        said.lock().unwrap().0.insert(text.clone());
        if push(&mut client, &text).is_none() {
            return;
        }
        said.lock().unwrap().1.insert(text);
        done.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_was_answered_done_survives_kill_9() {
    let mut program = Program::new();
    let said = Arc::new(Said::default());
    for round in 0..3_usize {
        program.start();
        let done = Arc::new(AtomicUsize::new(0));
        let nodes: Vec<_> = (0..4)
            .map(|number| {
                let (said, done, client) = (Arc::clone(&said), Arc::clone(&done), program.plain_client());
                thread::spawn(move || {
                    push_until_the_end(client, &format!("bed {round} {number}"), &done, &said);
                })
            })
            .collect();
        settled(|| (done.load(Ordering::SeqCst) >= 5 + round * 20).then_some(())).expect("pushes are taken");
        program.kill();
        for node in nodes {
            node.join().expect("a node ends when its server does");
        }
    }
    program.done(&["audit"]);
    program.start();
    let token = program.token();
    let mut client = program.client();
    let kept: Vec<String> = program
        .all(&token, "/api/v1/messages?limit=200")
        .iter()
        .map(|message| client.get_as(&token, &format!("/api/v1/messages/{}/raw", message["seq"])).text())
        .collect();
    let (tried, done) = &*said.lock().unwrap();
    let distinct: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(distinct.len(), kept.len(), "something is stored twice");
    assert!(done.is_subset(&distinct) && distinct.is_subset(tried));
    // The next second of a node that was there before the power cut is new, and an old one is not.
    let device = &program.api(&token, "/api/v1/devices?q=bed%200%200")["items"][0];
    assert_eq!(device["address"], "bed 0 0", "{device}");
    let path = format!("/api/v1/devices/{}/data?sensor=status&limit=1000", device["id"].as_str().unwrap());
    let before = program.all(&token, &path).len();
    assert_eq!(before % 5, 0);
    let more = rows(120 + before..123 + before);
    let last = body("bed 0 0", before - 5).replace("</Values>", &format!("{more}</Values>"));
    push(&mut program.plain_client(), &last).expect("it is taken");
    assert_eq!(program.all(&token, &path).len(), before + 3, "five of the eight seconds were there");
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let program = Program::started();
    let large = "x".repeat(300 * 1024);
    let answer = program.plain_client().post("/data/push/", large.as_bytes());
    assert_eq!(answer.status, 413, "{}", answer.text());
    let mut client = program.plain_client();
    client
        .write(b"POST /data/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4b000\r\n")
        .unwrap();
    client.write(large.as_bytes()).unwrap();
    client.write(b"\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.read().expect("an answer").status, 413);
    let fits = "x".repeat(256 * 1024);
    assert_eq!(program.plain_client().post("/data/push/", fits.as_bytes()).body, DONE);
    assert_eq!(program.all(&program.token(), "/api/v1/messages").len(), 1);
}

#[test]
fn a_large_night_is_stored_whole() {
    let program = Program::started();
    // An hour of seconds: more than any node sends at once, and less than the cap.
    let rows = rows(0..3600);
    let (head, _) = A.split_once("120,").unwrap();
    let text = format!("{head}{rows}</Values></Measurement></Sensor></Node></Network></Data>");
    assert_eq!(program.plain_client().post("/data/push/", text.as_bytes()).body, DONE);
    assert_eq!(program.plain_client().post("/data/push/", text.as_bytes()).body, DONE);
    let token = program.token();
    let device = &program.api(&token, "/api/v1/devices")["items"][0];
    let path = format!("/api/v1/devices/{}/data?sensor=status&limit=1000", device["id"].as_str().unwrap());
    assert_eq!(program.all(&token, &path).len(), 3600);
    let verdicts: Vec<_> = program.all(&token, "/api/v1/messages");
    assert_eq!(verdicts[0]["verdict"], "duplicate");
}

#[test]
fn hostile_bodies_end_nothing() {
    let program = Program::started();
    let mut laughs = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a0 \"ha\">".to_owned();
    for n in 1..10 {
        write!(laughs, "<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)).unwrap();
    }
    laughs.push_str("]><Data>&a9;</Data>");
    let bodies: Vec<Vec<u8>> = vec![
        laughs.into(),
        "<a>".repeat(80_000).into(),
        "<Values>".repeat(30_000).into(),
        format!("<Data {}></Data>", "a='b' ".repeat(40_000)).into(),
        format!("<Values>{}</Values>", ",".repeat(250_000)).into(),
        format!("<Values>{}</Values>", "1,2,3,4,5,6,1,8,9,0 ".repeat(12_000)).into(),
        vec![0xFF; 200_000],
        b"\xFF\xFE".repeat(100_000),
        vec![b'<'; 260_000],
        A.replace("00:11:22:33:44:55", "../../etc/passwd").into(),
        A.replace("00:11:22:33:44:55", "&lt;script&gt;alert(1)&lt;/script&gt;").into(),
    ];
    let count = bodies.len();
    for body in bodies {
        let answer = program.plain_client().post("/data/push/", &body);
        assert_eq!((answer.status, &*answer.body), (200, DONE), "{}", String::from_utf8_lossy(&body[..40]));
    }
    assert_eq!(program.all(&program.token(), "/api/v1/messages").len(), count, "all are kept");
    assert!(!program.log().contains("panicked"), "{}", program.log());
}

#[test]
fn nodes_that_call_as_one_are_taken_in_turn() {
    let program = Program::started();
    let pushers: Vec<_> = (0..8)
        .map(|number| {
            let mut client = program.plain_client();
            thread::spawn(move || {
                for message in 0..20 {
                    // Four of the eight say what another says, too.
                    let text = body("00:11:22:33:44:55", (message * 8 + number / 2) * 5);
                    assert_eq!(push(&mut client, &text).as_deref(), Some("done"));
                }
            })
        })
        .collect();
    for pusher in pushers {
        pusher.join().expect("all are answered");
    }
    let token = program.token();
    let device = &program.api(&token, "/api/v1/devices")["items"][0];
    let path = format!("/api/v1/devices/{}/data?sensor=status&limit=1000", device["id"].as_str().unwrap());
    assert_eq!(program.all(&token, &path).len(), 20 * 4 * 5, "each second once");
}
