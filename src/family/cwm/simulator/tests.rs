//! A pretend module against answers made by hand.

use super::*;
use crate::family::CommandText;
use crate::family::cwm::draft;
use crate::family::cwm::{envelope, okm};
use crate::family::simulator::Purpose;
use crate::model::HmacCheck;

fn module(number: u32) -> Module {
    Module::new(Arc::new(CwmSettings::default()), Role { number, behind: 1, seed: 1 })
}

fn now() -> Timestamp {
    Timestamp::parse("2024-03-01T12:00:00Z").unwrap()
}

fn answered(body: &str) -> Outcome {
    Outcome::Answered { status: 200, head: Bytes::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn hear(module: &mut Module, outcome: &Outcome) -> Vec<Fact> {
    let mut facts = Vec::new();
    module.heard(now(), outcome, &mut |fact| facts.push(fact));
    facts
}

/// A module that has its certificates and its time.
fn running(number: u32) -> Module {
    let mut module = module(number);
    assert_eq!(module.next(now()).unwrap().purpose, Purpose::Provision);
    hear(&mut module, &Outcome::Answered { status: 404, head: Bytes::new(), body: Bytes::new() });
    assert_eq!(module.next(now()).unwrap().purpose, Purpose::Time);
    hear(&mut module, &answered(r#"{"ts":"2024-03-01T12:00:00"}"#));
    module
}

fn text_of(call: &Call) -> Bytes {
    let query = call.target.split_once('?').map(|(_, query)| query);
    let settings = CwmSettings::default();
    envelope::messages(query, &call.body, &settings, |_, _| HmacCheck::Absent).messages[0].text.clone()
}

fn command(module: &Module, dst: &[&str], payload: &str, id: WireId) -> Bytes {
    let text = CommandText {
        address: None,
        parent: None,
        cmd: "wr".to_owned(),
        payload: payload.to_owned(),
        dst: Some(dst.iter().map(|name| (*name).to_owned()).collect()),
        at: now(),
    };
    (draft::draft(&text, &module.settings).unwrap().encode)(id).unwrap()
}

#[test]
fn a_message_stays_in_the_queue_until_it_is_confirmed() {
    let mut module = running(1);
    module.tick(now());
    let first = text_of(&module.next(now()).unwrap());
    for outcome in
        [Outcome::Broken, Outcome::Answered { status: 503, head: Bytes::new(), body: Bytes::new() }]
    {
        let facts = hear(&mut module, &outcome);
        assert!(matches!(&facts[..], [Fact::Said { confirmed: false, .. }]), "{facts:?}");
        assert_eq!(text_of(&module.next(now()).unwrap()), first);
    }
    assert_eq!(hear(&mut module, &Outcome::Unsent), []);
    module.next(now()).unwrap();
    let facts = hear(&mut module, &answered(r#"{"push":true,"pull":false}"#));
    assert!(matches!(
        &facts[..],
        [Fact::Said { confirmed: true, from: Some(0), .. }, Fact::Shows { value: Some(1), .. }]
    ));
    let second = text_of(&module.next(now()).unwrap());
    assert_ne!(second, first);
    hear(&mut module, &answered(r#"{"push":true,"pull":false}"#));
    assert_eq!(module.next(now()), None);
}

#[test]
fn a_command_is_fetched_when_announced_carried_out_once_and_replied_to() {
    let mut module = running(4);
    let [cwm, oke] = [0, 1].map(|place| module.addresses()[place].clone());
    module.tick(now());
    module.next(now()).unwrap();
    hear(&mut module, &answered(r#"{"push":true,"pull":true}"#));
    let pull = module.next(now()).unwrap();
    assert_eq!(pull.purpose, Purpose::Pull);
    assert!(pull.target.contains("%22lokm%22%3Atrue"), "{}", pull.target);
    let text = command(&module, &[&oke, &cwm], r#"{"cmd":{"relay":1}}"#, 5);
    let body = format!(r#"{{"okm":{},"pull":true}}"#, String::from_utf8_lossy(&text));
    assert_eq!(hear(&mut module, &answered(&body)), [Fact::Got { text: text.clone(), first: true }]);
    // The same once more, since nobody heard that it was taken.
    assert_eq!(module.next(now()).unwrap().purpose, Purpose::Pull);
    assert_eq!(hear(&mut module, &answered(&body)), [Fact::Got { text: text.clone(), first: false }]);
    module.next(now()).unwrap();
    hear(&mut module, &answered(r#"{"pull":false}"#));
    let mut replies = 0;
    while let Some(call) = module.next(now()) {
        let sent = text_of(&call);
        let read = okm::read(&sent, &CwmSettings::default());
        for fact in hear(&mut module, &answered(r#"{"push":true,"pull":false}"#)) {
            if let Fact::Replied { to, text: reply } = fact {
                replies += 1;
                assert_eq!((to, reply, read.okm.id), (text.clone(), sent.clone(), Some(5)));
                assert_eq!(read.okm.src, [oke.clone(), cwm.clone()]);
            }
        }
    }
    assert_eq!(replies, 1);
}

#[test]
fn a_pull_that_was_cut_off_is_repeated_and_says_that_nothing_was_taken() {
    let mut module = running(1);
    module.pull.wanted = true;
    module.next(now()).unwrap();
    hear(&mut module, &Outcome::Broken);
    for outcome in [Outcome::Unsent, Outcome::Broken] {
        let again = module.next(now()).unwrap();
        assert_eq!(again.purpose, Purpose::Pull);
        assert!(again.target.contains("%22lokm%22%3Afalse"), "{}", again.target);
        hear(&mut module, &outcome);
    }
    hear(&mut module, &Outcome::Broken);
    module.next(now()).unwrap();
    hear(&mut module, &answered(r#"{"pull":true}"#));
    // What did not leave says nothing about what came before.
    module.next(now()).unwrap();
    hear(&mut module, &Outcome::Unsent);
    let again = module.next(now()).unwrap();
    assert!(again.target.contains("%22lokm%22%3Atrue"), "{}", again.target);
}

#[test]
fn the_port_command_shows_in_the_next_heartbeat() {
    let mut module = running(1);
    let cwm = module.addresses()[0].clone();
    let text = command(&module, &[&cwm], r#"{"oke":{"port":"485","baud":9600}}"#, 1);
    module.pull.wanted = true;
    module.next(now()).unwrap();
    hear(&mut module, &answered(&format!(r#"{{"okm":{},"pull":false}}"#, String::from_utf8_lossy(&text))));
    module.tick(now());
    let heartbeat = text_of(&module.next(now()).unwrap());
    let heartbeat = String::from_utf8_lossy(&heartbeat).into_owned();
    assert!(heartbeat.contains(r#""port":"485","baud":9600"#), "{heartbeat}");
}

#[test]
fn faults_spoil_some_messages_and_say_which() {
    let settings = CwmSettings::default();
    for (fault, verdict) in [(Fault::BadCrc, Verdict::BadCrc), (Fault::NoCrc, Verdict::NoCrc)] {
        let mut module = running(1);
        module.suffer(Some(fault));
        let mut spoilt = 0;
        for _ in 0..500 {
            module.tick(now());
        }
        while let Some(call) = module.next(now()) {
            let found = okm::read(&text_of(&call), &settings).verdict;
            spoilt += u32::from(found == verdict);
            let facts = hear(&mut module, &answered(r#"{"push":true,"pull":false}"#));
            assert!(matches!(&facts[0], Fact::Said { verdict, .. } if *verdict == found), "{facts:?}");
        }
        assert!((20..150).contains(&spoilt), "{spoilt} of 533 with {fault:?}");
    }
}

#[test]
fn a_duplicate_is_sent_again_though_it_was_confirmed() {
    let mut module = running(1);
    module.suffer(Some(Fault::Duplicate));
    for _ in 0..500 {
        module.tick(now());
    }
    let (mut twice, mut before) = (0, Bytes::new());
    while let Some(call) = module.next(now()) {
        let text = text_of(&call);
        twice += u32::from(text == before);
        before = text;
        let outcome = if call.trouble == Trouble::None {
            answered(r#"{"push":true,"pull":false}"#)
        } else {
            Outcome::Broken
        };
        hear(&mut module, &outcome);
    }
    assert!((20..150).contains(&twice), "{twice}");
}

#[test]
fn every_fault_leaves_the_text_readable_but_for_its_checksum() {
    for (number, fault) in (1..).zip(Fault::ALL) {
        let mut module = running(number);
        module.suffer(Some(fault));
        module.tick(now());
        while let Some(call) = module.next(now()) {
            let read = okm::read(&text_of(&call), &CwmSettings::default());
            assert!(read.fault.is_none() && read.okm.created.is_some(), "{fault:?}: {read:?}");
            hear(&mut module, &answered(r#"{"push":true,"pull":false}"#));
        }
    }
}
