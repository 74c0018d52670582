//! Removing what is old.

use bytes::Bytes;
use homeport::model::{HmacCheck, MessageRecord, Seq, Verdict};
use homeport::store::{
    Bulk, CommandFilter, DataFilter, MessageFilter, Outcome, PAGE_BYTES, Prune, Pruned, Store, Write, audit,
};

use super::queue::lease;
use super::{at, device, draft, make, report, store_report, text_reading};
use crate::store::Base;

async fn prune(store: &Store, work: Prune) -> Pruned {
    match store.write(Write::Prune(work)).await.unwrap() {
        Outcome::Pruned(pruned) => pruned,
        other => panic!("{other:?}"),
    }
}

/// Nine messages of a device, a second apart, each with a value or two.
async fn nine(store: &Store) {
    for n in 1..=9 {
        let mut message = report(&device("a", "A"), at(n), &format!("message {n}"));
        message.readings = vec![text_reading("s", "xyz")];
        if n < 5 {
            message.readings.push(text_reading("early", "x"));
        }
        store_report(store, message).await;
        // Each in a page of its own.
        store.write(Write::File).await.unwrap();
    }
}

fn raw(below: i64) -> Prune {
    Prune::Entries { what: Bulk::Raw, below: Seq(below), limit: 100, bytes: None }
}

fn readings(below: i64) -> Prune {
    Prune::Entries { what: Bulk::Readings, below: Seq(below), limit: 100, bytes: None }
}

pub(crate) async fn bytes_go_and_the_ledger_stays_whole(base: Base) {
    let store = base.open().await;
    nine(&store).await;
    let mut large = report(&device("b", "B"), at(10), &"x".repeat(9000));
    large.hmac = Some(HmacCheck::Bad);
    store_report(&store, large).await;
    let page = MessageFilter { limit: 99, ..MessageFilter::default() };
    let before = store.read().messages(page.clone()).await.unwrap();
    let pruned = prune(&store, raw(5)).await;
    assert_eq!((pruned.rows, pruned.bytes, pruned.more), (4, 4 * 9, false));
    assert_eq!(pruned.stretch, Some((Seq(0), Seq(4))));
    assert_eq!(prune(&store, raw(5)).await, Pruned::default(), "nothing is done twice");
    store.close().await;

    let store = base.open().await;
    assert_eq!(store.read().pruned(Bulk::Raw).await.unwrap(), Seq(4));
    // The rest one by one, so that small and large ones come alone.
    for below in 6..=11 {
        for (now, then) in store.read().messages(page.clone()).await.unwrap().into_iter().zip(&before) {
            let pruned = now.seq < Seq(below - 1);
            let raw = if pruned { Bytes::new() } else { then.raw.clone() };
            assert_eq!(now, MessageRecord { raw, pruned, ..then.clone() });
        }
        assert_eq!(prune(&store, raw(below)).await.rows, 1);
    }
    store_report(&store, report(&device("a", "A"), at(11), "the next")).await;
    let findings = audit::check(store.read(), &mut |_| ()).await.unwrap();
    assert_eq!((findings.entries, findings.faults), (11, vec![]));
    store.close().await;
}

pub(crate) async fn old_values_go_but_the_newest_of_each_sensor(base: Base) {
    let store = base.open().await;
    nine(&store).await;
    let before = store.read().latest(device("a", "A").names.id).await.unwrap();
    let pruned = prune(&store, readings(8)).await;
    assert_eq!(pruned.rows, 7);
    // Of the fourth a value stays.
    let pages = u64::from(PAGE_BYTES) * 6;
    assert!((pages + 1..pages + 600).contains(&pruned.bytes), "{}", pruned.bytes);
    let values = DataFilter { limit: 99, ..DataFilter::default() };
    let left = store.read().data(values).await.unwrap();
    let left: Vec<_> = left.iter().map(|(_, datum)| (datum.seq.0, datum.sensor.as_str())).collect();
    assert_eq!(left, [(4, "early"), (8, "s"), (9, "s")]);
    assert_eq!(store.read().latest(device("a", "A").names.id).await.unwrap(), before);
    assert!(!store.read().message(Seq(1)).await.unwrap().unwrap().pruned, "bytes have their own bound");
    store.close().await;
}

pub(crate) async fn a_piece_of_work_is_bounded(base: Base) {
    let store = base.open().await;
    nine(&store).await;
    let mut stretches = Vec::new();
    loop {
        let work = Prune::Entries { what: Bulk::Raw, below: Seq(8), limit: 3, bytes: None };
        let pruned = prune(&store, work).await;
        stretches.extend(pruned.stretch);
        if !pruned.more {
            break;
        }
    }
    assert_eq!(stretches, [(0, 3), (3, 6), (6, 7)].map(|(from, upto)| (Seq(from), Seq(upto))));
    // A message has 9 bytes; the page of its values has about 130.
    for (what, bytes, upto) in [(Bulk::Raw, 10, 9), (Bulk::Readings, 150, 2)] {
        let work = Prune::Entries { what, below: Seq(10), limit: 9, bytes: Some(bytes) };
        assert_eq!(prune(&store, work).await.stretch.unwrap().1, Seq(upto));
    }
    store.close().await;
}

pub(crate) async fn repeats_are_forgotten(base: Base) {
    let store = base.open().await;
    let devices = ["a", "b", "c"].map(|id| device(id, id));
    let say = |index: usize, mark: u8| {
        let mut message = report(&devices[index], at(1), "same");
        message.fingerprint = Some([mark; 16]);
        message
    };
    for mark in 0..4 {
        for index in 0..3 {
            store_report(&store, say(index, mark)).await;
        }
    }
    // Entries 1 to 6 have the marks 0 and 1.
    let (mut after, mut rows) = (None, 0);
    loop {
        let pruned = prune(&store, Prune::Fingerprints { below: Seq(7), after, limit: 5 }).await;
        rows += pruned.rows;
        assert_eq!(pruned.more, pruned.place.is_some());
        after = pruned.place;
        if !pruned.more {
            break;
        }
    }
    assert_eq!(rows, 6);
    for (mark, expected) in
        [(0, Verdict::Ok), (1, Verdict::Ok), (2, Verdict::Duplicate), (3, Verdict::Duplicate)]
    {
        for index in 0..3 {
            assert_eq!(store_report(&store, say(index, mark)).await.verdict, expected);
        }
    }
    store.close().await;
}

pub(crate) async fn commands_that_are_done_go(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    for n in 1..=5 {
        store.write(Write::Enqueue(Box::new(draft(&format!("c{n}"), &cwm, &cwm, at(n))))).await.unwrap();
    }
    // c1 and c2 are taken, c3 is on its way, c4 and c5 wait.
    for n in 6..=8 {
        assert!(lease(&store, &cwm, at(n)).await.lease.is_some());
    }
    let all = CommandFilter { limit: 9, ..CommandFilter::default() };
    let old = Prune::Commands { before: at(2), limit: 9 };
    assert_eq!(prune(&store, old).await.rows, 1);
    let old = Prune::Commands { before: at(9), limit: 9 };
    assert_eq!(prune(&store, old).await.rows, 1);
    let left = store.read().commands(all).await.unwrap();
    let left: Vec<&str> = left.iter().map(|command| command.id.as_str()).collect();
    assert_eq!(left, ["c5", "c4", "c3"]);
    store.close().await;
}

pub(crate) async fn what_is_there_is_weighed(base: Base) {
    let store = base.open().await;
    assert_eq!(store.read().weigh(Bulk::Raw, Seq(0), 5).await.unwrap().upto, None);
    nine(&store).await;
    for (what, bytes) in [(Bulk::Raw, [4 * 9, 4 * 9, 9]), (Bulk::Readings, [0, 0, 0])] {
        let mut after = Seq(0);
        let mut total = 0;
        for part in bytes {
            let weight = store.read().weigh(what, after, 4).await.unwrap();
            assert!(what == Bulk::Readings || weight.bytes == part);
            total += weight.bytes;
            after = weight.upto.unwrap();
        }
        assert_eq!(after, Seq(9));
        // What it weighs is what pruning says it removed, and what is left.
        let work = Prune::Entries { what, below: Seq(10), limit: 100, bytes: None };
        let removed = prune(&store, work).await.bytes;
        let left = store.read().weigh(what, Seq(0), 100).await.unwrap().bytes;
        assert_eq!(removed + left, total);
        assert_eq!(left > 0, what == Bulk::Readings);
    }
    store.close().await;
}

pub(crate) async fn entries_are_found_by_time(base: Base) {
    let store = base.open().await;
    assert_eq!(store.read().first_since(at(1)).await.unwrap(), Seq(1));
    nine(&store).await;
    for (second, seq) in [(-5, 1), (1, 1), (2, 2), (9, 9), (10, 10)] {
        assert_eq!(store.read().first_since(at(second)).await.unwrap(), Seq(seq), "{second}");
    }
    store.close().await;
}

pub(crate) async fn the_store_can_be_tried(base: Base) {
    let store = base.open().await;
    for n in 1..=2 {
        assert!(matches!(store.write(Write::Probe { at: at(n), bytes: 9000 }).await, Ok(Outcome::Done)));
    }
    let note = store.read().note("probe").await.unwrap().unwrap();
    assert_eq!(note.trim_ascii_end(), at(2).to_string().as_bytes());
    assert!(note.len() > 9000);
    store.close().await;
}
