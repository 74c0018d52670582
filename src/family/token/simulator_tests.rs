//! What the pretend device says, and what it makes of answers.

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(seconds))
}

fn thing() -> Thing {
    let mut thing = Thing::new(Role { number: 1, behind: 0, seed: 7 });
    thing.entrust("dt_secret");
    thing
}

fn answered(status: u16, body: &str) -> Outcome {
    let head =
        if status == 429 { "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\n\r\n" } else { "\r\n\r\n" };
    Outcome::Answered {
        status,
        head: Bytes::from_static(head.as_bytes()),
        body: Bytes::from(body.to_owned()),
    }
}

fn hears(thing: &mut Thing, outcome: &Outcome) -> Vec<Fact> {
    let mut facts = Vec::new();
    thing.heard(at(0), outcome, &mut |fact| facts.push(fact));
    facts
}

/// The server's side: what a call says, if its token stands somewhere.
fn takes(call: &Call, records: u64) -> Outcome {
    let text = format!("{} {:?}", call.target, call.headers);
    let basics = ["dt_secret:", "thing:dt_secret"].map(|text| STANDARD.encode(text));
    assert!(text.contains("dt_secret") || basics.iter().any(|basic| text.contains(basic)), "{text}");
    answered(if call.method == "GET" { 200 } else { 202 }, &format!("{{\"accepted\":{records}}}"))
}

#[test]
fn every_kind_is_said_in_turn_and_counted() {
    let mut thing = thing();
    let (mut kinds, mut places, mut counted) = (Vec::new(), Vec::new(), 0);
    for turn in 0..66 {
        thing.tick(at(30 * turn));
        let call = thing.next(at(0)).unwrap();
        let upload = thing.queue.front().unwrap();
        let (kind, records, texts) = (upload.kind, upload.records, upload.texts.len());
        kinds.push(format!("{kind:?}"));
        places.push(call.headers.first().map_or("query", |(name, _)| name));
        let facts = hears(&mut thing, &takes(&call, records));
        assert_eq!(facts.len(), texts + 1, "{facts:?}");
        assert!(facts.iter().all(|fact| !matches!(fact, Fact::Odd(_))), "{facts:?}");
        counted += records;
        assert!(thing.next(at(0)).is_none());
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), KINDS.len());
    assert!(["Authorization", "X-Device-Token"].iter().all(|name| places.contains(name)));
    assert_eq!(counted, 66 + 2 * 12, "two kinds in eleven have three records");
}

#[test]
fn only_what_the_server_knows_again_is_said_again() {
    let mut thing = thing();
    for _ in 0..44 {
        thing.make(at(0));
    }
    while let Some(call) = thing.next(at(0)) {
        let (repeatable, left) = (thing.queue[0].repeatable, thing.queue.len());
        let facts = hears(&mut thing, &Outcome::Broken);
        assert!(matches!(facts[0], Fact::Said { confirmed: false, .. }));
        if repeatable {
            assert_eq!(thing.next(at(0)).map(|again| again.body), Some(call.body.clone()));
            let records = thing.queue[0].records;
            let known = answered(202, &format!("{{\"accepted\":{records},\"duplicate\":{records}}}"));
            let facts = hears(&mut thing, &known);
            assert!(matches!(facts.last(), Some(Fact::Holds { sure: true, .. })), "{facts:?}");
        } else {
            assert!(matches!(facts.last(), Some(Fact::Holds { sure: false, .. })), "{facts:?}");
        }
        assert_eq!(thing.queue.len(), left - 1);
    }
}

#[test]
fn a_device_that_is_too_fast_waits_and_a_wrong_answer_is_told() {
    let mut thing = thing();
    thing.tick(at(0));
    let call = thing.next(at(0)).unwrap();
    assert_eq!(hears(&mut thing, &answered(429, "")), []);
    assert_eq!(thing.next(at(0)).map(|again| again.target), Some(call.target));
    let facts = hears(&mut thing, &answered(204, ""));
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Odd(_))), "{facts:?}");
}
