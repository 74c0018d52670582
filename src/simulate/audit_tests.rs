//! An audit finds what is wrong, and nothing in what is right.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::family::simulator::{Door, Fact, Given, Orders};

const MODULE: &str = "0002515000000001";
const FRYER: &str = "5150000000000001";

const HABITS: Habits = Habits {
    called: "modules",
    door: Door::Https,
    every: Duration::from_mins(1),
    a_minute: 1.0,
    span: "1h",
    faults: &[],
    files: false,
    orders: Orders::Each,
    given: Given::Nothing,
    alike_is_new: false,
};

fn said(text: &'static str, verdict: Verdict, confirmed: bool) -> Fact {
    Fact::Said { text: Bytes::from_static(text.as_bytes()), from: Some(1), verdict, confirmed }
}

fn audit(facts: Vec<Fact>) -> Audit {
    let mut book = Book::default();
    for fact in facts {
        book.note(fact);
    }
    Audit::new(vec![(vec![MODULE.to_owned(), FRYER.to_owned()], book)], HABITS)
}

fn stored(audit: &mut Audit, seq: i64, address: &str, verdict: Verdict, text: &str) {
    let text = text.as_bytes();
    audit.message(&StoredMessage { seq, address, direction: Direction::In, verdict, text });
}

fn faults(audit: Audit) -> Vec<String> {
    audit
        .finish()
        .faults
        .iter()
        .map(|fault| fault.to_string().split(':').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_is_as_it_should_be_is_passed() {
    let mut audit = audit(vec![
        said("a", Verdict::Ok, true),
        said("b", Verdict::BadCrc, true),
        // Sent twice, heard once: both stored.
        said("c", Verdict::Ok, false),
        said("c", Verdict::Ok, true),
        // Sent once and never heard of: stored or not, nothing was promised.
        said("d", Verdict::Ok, false),
        said("e", Verdict::Ok, false),
    ]);
    stored(&mut audit, 1, FRYER, Verdict::Ok, "a");
    stored(&mut audit, 2, FRYER, Verdict::BadCrc, "b");
    stored(&mut audit, 3, FRYER, Verdict::Ok, "c");
    stored(&mut audit, 4, FRYER, Verdict::Duplicate, "c");
    stored(&mut audit, 5, FRYER, Verdict::Ok, "d");
    stored(&mut audit, 6, "somebody else", Verdict::Ok, "x");
    let found = audit.finish();
    assert!(found.is_clean(), "{found:?}");
    assert_eq!((found.confirmed, found.stored), (3, 5));
}

#[test]
fn what_was_confirmed_and_is_not_stored_is_missing() {
    let mut one = audit(vec![said("a", Verdict::Ok, true), said("b", Verdict::Ok, true)]);
    stored(&mut one, 1, FRYER, Verdict::Ok, "a");
    assert_eq!(faults(one), ["missing"]);
    // Confirmed twice, one entry.
    let mut two = audit(vec![said("a", Verdict::Ok, true), said("a", Verdict::Ok, true)]);
    stored(&mut two, 1, FRYER, Verdict::Ok, "a");
    assert_eq!(faults(two), ["missing"]);
    // Only ever stored as a repeat.
    let mut three = audit(vec![said("a", Verdict::Ok, true)]);
    stored(&mut three, 1, FRYER, Verdict::Duplicate, "a");
    assert_eq!(faults(three), ["missing"]);
}

#[test]
fn what_is_stored_twice_or_was_never_sent_is_found() {
    let mut one = audit(vec![said("a", Verdict::Ok, false), said("a", Verdict::Ok, true)]);
    stored(&mut one, 1, FRYER, Verdict::Ok, "a");
    stored(&mut one, 2, FRYER, Verdict::Ok, "a");
    assert_eq!(faults(one), ["twice"]);
    let mut two = audit(vec![said("a", Verdict::Ok, true)]);
    stored(&mut two, 1, FRYER, Verdict::Ok, "a");
    stored(&mut two, 2, FRYER, Verdict::Duplicate, "a");
    assert_eq!(faults(two), ["twice"]);
    let mut three = audit(Vec::new());
    stored(&mut three, 1, FRYER, Verdict::Ok, "a");
    assert_eq!(faults(three), ["never sent"]);
}

#[test]
fn a_wrong_verdict_a_wrong_device_and_a_wrong_value_are_found() {
    let mut one = audit(vec![said("a", Verdict::BadCrc, true)]);
    stored(&mut one, 1, FRYER, Verdict::Ok, "a");
    assert_eq!(faults(one), ["wrong verdict"]);
    let mut two = audit(vec![said("a", Verdict::Ok, true)]);
    stored(&mut two, 1, MODULE, Verdict::Ok, "a");
    assert_eq!(faults(two), ["astray"]);
    let mut three = audit(vec![Fact::Shows { from: 1, sensor: "beat", value: Some(7) }]);
    assert_eq!(three.values(), [(FRYER.to_owned(), "beat", 7)]);
    three.value(FRYER, "beat", 7, Some(6));
    assert_eq!(faults(three), ["wrong value"]);
}

#[test]
fn a_command_is_what_its_device_knows_of_it() {
    let (text, reply) = (Bytes::from_static(b"order"), Bytes::from_static(b"done"));
    let command = |state: &str, reply: Option<&str>| StoredCommand {
        id: "1".to_owned(),
        state: state.to_owned(),
        text: "order".to_owned(),
        reply: reply.map(str::to_owned),
    };
    let got = || vec![Fact::Got { text: text.clone(), first: true }];
    let replied = || {
        let mut facts = got();
        facts.push(Fact::Replied { to: text.clone(), text: reply.clone() });
        facts
    };
    for (facts, state, reply, clean) in [
        (got(), "accepted", None, true),
        (replied(), "answered", Some("done"), true),
        (replied(), "answered", Some("else"), false),
        (replied(), "accepted", None, false),
        (Vec::new(), "accepted", None, false),
        (Vec::new(), "failed", None, false),
        (got(), "queued", None, false),
    ] {
        let mut audit = audit(facts);
        audit.message(&StoredMessage {
            seq: 1,
            address: MODULE,
            direction: Direction::Out,
            verdict: Verdict::None,
            text: b"order",
        });
        audit.command(MODULE, &command(state, reply));
        assert_eq!(audit.finish().is_clean(), clean, "{state} {reply:?}");
    }
}

#[test]
fn a_message_that_does_not_say_whose_it_is_may_stand_anywhere() {
    let bare = |text: &'static str| Fact::Said {
        text: Bytes::from_static(text.as_bytes()),
        from: None,
        verdict: Verdict::Ok,
        confirmed: true,
    };
    let mut audit = audit(vec![bare("a"), bare("b"), bare("c"), bare("d")]);
    for (seq, address, text) in [(1, "", "a"), (2, "192.0.2.1", "b"), (3, MODULE, "c")] {
        stored(&mut audit, seq, address, Verdict::Ok, text);
    }
    // Others say such things, too.
    stored(&mut audit, 4, "", Verdict::Malformed, "x");
    assert_eq!(faults(audit), ["missing"]);
}

#[test]
fn values_are_counted_and_some_of_them_need_not_be_there() {
    let holds = |count, sure| Fact::Holds { from: 1, sensor: "status", count, sure };
    for (found, clean) in [(14, false), (15, true), (18, true), (20, true), (21, false)] {
        let mut audit = audit(vec![holds(10, true), holds(5, true), holds(5, false)]);
        assert_eq!(audit.counts(), [(FRYER.to_owned(), "status")]);
        audit.count(FRYER, "status", found);
        let found = audit.finish();
        assert_eq!((found.is_clean(), found.counted), (clean, 15), "{found:?}");
    }
}
