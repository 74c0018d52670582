//! A pretend node's life, without sockets.

use std::collections::BTreeSet;

use super::*;
use crate::family::sca11h::body as reader;

const DONE_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 4\r\nDate: x\r\n\r\n";
const SYNC_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nDate: x\r\n\r\n";
const OLD_HEAD: &[u8] =
    b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nDate: x\r\n\r\n";

fn answered(head: &'static [u8], body: impl Into<Bytes>) -> Outcome {
    Outcome::Answered { status: 200, head: Bytes::from_static(head), body: body.into() }
}

/// What a good server answers; a sync hears of `pars` if there are any.
fn good(call: &Call, wanted: Option<&str>) -> Outcome {
    match (call.purpose, call.form, wanted) {
        (Purpose::Sync, Form::Old, _) => answered(OLD_HEAD, "{}"),
        (Purpose::Sync, _, None) => answered(SYNC_HEAD, "2\r\n{}\r\n0\r\n\r\n"),
        (Purpose::Sync, _, Some(pars)) => {
            let json = format!(r#"{{"pars":"{pars}"}}"#);
            answered(SYNC_HEAD, format!("{:X}\r\n{json}\r\n0\r\n\r\n", json.len()))
        }
        (_, _, _) => answered(DONE_HEAD, "done"),
    }
}

fn node(number: u32) -> Node {
    Node::new(Role { number, behind: 0, seed: 7 })
}

fn at(second: u64) -> Timestamp {
    Timestamp::parse("2026-11-21T22:00:00Z").unwrap().plus(Duration::from_secs(second))
}

/// Lets it live so many minutes and answers as `answer` does; gives every call and fact.
fn live(
    node: &mut Node,
    minutes: std::ops::Range<u64>,
    answer: impl Fn(&Call) -> Outcome,
) -> (Vec<Call>, Vec<Fact>) {
    let (mut calls, mut facts) = (Vec::new(), Vec::new());
    for minute in minutes {
        let now = at(minute * 60);
        node.tick(now);
        while let Some(call) = node.next(now) {
            let outcome = answer(&call);
            node.heard(now, &outcome, &mut |fact| facts.push(fact));
            calls.push(call);
        }
    }
    (calls, facts)
}

#[test]
fn it_syncs_at_its_start_and_pushes_a_row_for_each_second() {
    for number in 1..=15 {
        let mut node = node(number);
        let (calls, facts) = live(&mut node, 0..31, |call| good(call, None));
        assert_eq!(calls[0].purpose, Purpose::Sync);
        let rows: u64 = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Holds { count, .. } => Some(*count),
                _ => None,
            })
            .sum();
        let waiting = u64::try_from(node.rows.len()).unwrap();
        assert_eq!(rows + waiting, 30 * 60, "node {number}");
        assert!(!facts.iter().any(|fact| matches!(fact, Fact::Odd(_))), "{facts:?}");
        assert!(facts.iter().all(|fact| !matches!(fact, Fact::Said { confirmed: false, .. })));
    }
}

#[test]
fn no_two_messages_are_alike_and_each_spelling_form_and_kind_occurs() {
    let mut node = node(1);
    (node.number, node.fault) = (3, Some(Fault::Garbage));
    let (calls, _) = live(&mut node, 0..120, |call| good(call, None));
    let bodies: BTreeSet<&Bytes> = calls.iter().map(|call| &call.body).collect();
    assert_eq!(bodies.len(), calls.len());
    let forms: BTreeSet<Form> = calls.iter().map(|call| call.form).collect();
    assert_eq!(forms.len(), 4);
    let kinds: BTreeSet<&str> =
        calls.iter().map(|call| call.headers.first().map_or("", |(_, kind)| kind.as_str())).collect();
    assert!(kinds.len() >= KINDS.len(), "{kinds:?}");
    let has = |words: &str| calls.iter().any(|call| String::from_utf8_lossy(&call.body).contains(words));
    for words in ["<data>", "<b:Data", "xmlns=", "\u{feff}", "CDATA", "id='", "<!DOCTYPE", "<html>"] {
        assert!(has(words), "{words}");
    }
}

#[test]
fn parameters_are_taken_and_told_at_the_next_sync() {
    let mut node = node(2);
    let (_, facts) = live(&mut node, 0..1, |call| good(call, Some("7000,270,5000,0,1400,7")));
    let command = r#"{"pars":"7000,270,5000,0,1400,7"}"#;
    assert!(facts.contains(&Fact::Got { text: command.into(), first: true }), "{facts:?}");
    let (calls, facts) = live(&mut node, 1..2, |call| good(call, None));
    let sync = calls.iter().find(|call| call.purpose == Purpose::Sync).expect("a node restarts with them");
    assert!(String::from_utf8_lossy(&sync.body).contains("7000,270,5000,0,1400,7"));
    assert!(facts.contains(&Fact::Replied { to: command.into(), text: sync.body.clone() }), "{facts:?}");
    // The same again is none, and a node keeps what it has when an answer cannot be read.
    let (_, facts) = live(&mut node, 2..12, |call| good(call, Some("7000,270,5000,0,1400,7")));
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::Got { .. })), "{facts:?}");
    let (_, facts) = live(&mut node, 12..22, |call| match call.purpose {
        Purpose::Sync => answered(SYNC_HEAD, "02\r\n{}\r\n0\r\n\r\n"),
        _ => good(call, None),
    });
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Odd(_))), "{facts:?}");
}

#[test]
fn what_is_not_confirmed_comes_again_unless_it_says_not_whose_it_is() {
    let mut node = node(1);
    live(&mut node, 0..1, |call| good(call, None));
    node.tick(at(120));
    let mut said = Vec::new();
    let mut before = None;
    for _ in 0..60 {
        let Some(call) = node.next(at(120)) else { break };
        let named = String::from_utf8_lossy(&call.body).contains('<');
        let again = before.as_ref() == Some(&call.body);
        let outcome =
            if again || call.purpose == Purpose::Sync { good(&call, None) } else { Outcome::Broken };
        node.heard(at(120), &outcome, &mut |fact| {
            if let Fact::Said { confirmed, .. } = fact {
                said.push((named, again, confirmed));
            }
        });
        before = Some(call.body);
    }
    assert!(said.contains(&(true, false, false)) && said.contains(&(true, true, true)), "{said:?}");
    assert!(said.iter().all(|(named, again, _)| *named || !again), "{said:?}");
    assert!(node.queue.is_empty());
}

#[test]
fn a_wrong_answer_is_odd() {
    for (status, body) in [(200, "ok"), (404, "no"), (200, "done\n")] {
        let wrong = Outcome::Answered { status, head: Bytes::from_static(DONE_HEAD), body: body.into() };
        assert!(judged(&wrong).is_some(), "{status} {body}");
    }
    assert_eq!(judged(&answered(DONE_HEAD, "done")), None);
    assert!(judged(&answered(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", "done")).is_some());
}

#[test]
fn every_spelling_says_the_same() {
    let second = Second { hr: 61, rr: 14, sv: 55, hrv: 31, strength: 912, status: 1, beats: [978, 1004, 0] };
    let rows: Vec<(u32, Second)> = (120..126).map(|index| (index, second)).collect();
    let around = Around { network: "home", node: "00:11:22:33:44:55", time: "2017-03-19T23:00:00Z" };
    for spelling in Spelling::ALL {
        let text = body::body(spelling, &around, &rows);
        let read = reader::read(&text);
        let shown = String::from_utf8_lossy(&text);
        assert_eq!((read.nodes.len(), read.fault), (1, None), "{spelling:?}: {shown}");
        let said = &read.nodes[0];
        let indexes: Vec<Option<i64>> =
            said.measured.iter().flat_map(|measured| measured.rows.iter().map(|row| row.index)).collect();
        assert_eq!(indexes, (120..126).map(Some).collect::<Vec<_>>(), "{spelling:?}: {shown}");
        let named = (spelling != Spelling::Bare).then_some("00:11:22:33:44:55");
        assert_eq!(said.node.as_deref(), named, "{spelling:?}");
        assert_eq!(said.skipped > 0, spelling == Spelling::Damaged, "{spelling:?}");
        assert!(said.measured.iter().all(|measured| measured.rows[0].hr == Some(61)), "{spelling:?}");
    }
    for kind in Garbage::ALL {
        let read = reader::read(&body::garbage(kind, &around, 7));
        assert!(!read.nodes.iter().any(reader::Said::has_rows), "{kind:?}");
    }
}
