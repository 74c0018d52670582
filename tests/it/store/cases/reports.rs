//! Messages and what they measured.

use homeport::model::{Gap, HmacCheck, Reading, Seq, Value, Verdict};
use homeport::store::{DataFilter, MessageFilter, Outcome, StoreError, Write, audit};

use super::{at, device, flood, make, report, store_report, text_reading};
use crate::store::Base;

pub(crate) async fn a_report_is_kept_with_its_bytes(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    let mut message = report(&a, at(1), "");
    message.raw = (0..=255).collect::<Vec<u8>>().into();
    let raw = message.raw.clone();
    assert_eq!(store_report(&store, message).await.seq, Seq(1));
    let mut nobody = report(&a, at(2), "who am I");
    (nobody.device, nobody.devices, nobody.verdict, nobody.via) = (None, vec![], Verdict::Malformed, None);
    store_report(&store, nobody).await;
    store.close().await;

    let store = base.open().await;
    let kept = store.read().message(Seq(1)).await.unwrap().unwrap();
    assert_eq!((kept.raw, kept.at, kept.verdict), (raw, at(1), Verdict::Ok));
    assert_eq!(kept.device, Some(a.names.clone()));
    let all = MessageFilter { limit: 10, ..MessageFilter::default() };
    let seqs = |filter: MessageFilter| async {
        let page = store.read().messages(filter).await.unwrap();
        page.iter().map(|message| message.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(seqs(all.clone()).await, [2, 1]);
    assert_eq!(seqs(MessageFilter { device: Some(a.names.id), ..all.clone() }).await, [1]);
    assert_eq!(seqs(MessageFilter { verdict: Some(Verdict::Malformed), ..all.clone() }).await, [2]);
    assert_eq!(seqs(MessageFilter { before: Some(Seq(2)), ..all.clone() }).await, [1]);
    assert_eq!(seqs(MessageFilter { from: Some(at(2)), ..all.clone() }).await, [2]);
    assert_eq!(seqs(MessageFilter { to: Some(at(2)), ..all }).await, [1]);
    assert_eq!(store.read().message(Seq(3)).await.unwrap(), None);
    store.close().await;
}

pub(crate) async fn what_the_hmac_check_found_is_kept(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    let all: Vec<Option<HmacCheck>> = HmacCheck::ALL.into_iter().map(Some).chain([None]).collect();
    for hmac in &all {
        let mut message = report(&a, at(1), "x");
        message.hmac = *hmac;
        let seq = store_report(&store, message).await.seq;
        let kept = store.read().message(seq).await.unwrap().unwrap();
        assert_eq!((kept.hmac, kept.size, kept.pruned), (*hmac, 1, false));
    }
    assert!(audit::check(store.read(), &mut |_| ()).await.unwrap().is_sound());
    store.close().await;
}

pub(crate) async fn the_same_message_is_kept_once(base: Base) {
    let store = base.open().await;
    let (a, b) = (device("a", "A"), device("b", "B"));
    let mut verdicts = Vec::new();
    for (n, device) in [&a, &a, &b, &a].into_iter().enumerate() {
        let mut message = report(device, at(i64::try_from(n).unwrap()), "same");
        message.fingerprint = Some([7; 16]);
        message.readings = vec![text_reading("s", "x")];
        verdicts.push(store_report(&store, message).await.verdict);
    }
    assert_eq!(verdicts, [Verdict::Ok, Verdict::Duplicate, Verdict::Ok, Verdict::Duplicate]);
    assert_eq!(store.read().stats().await.unwrap().messages, 4);
    let values = DataFilter { device: Some(a.names.id), limit: 9, ..DataFilter::default() };
    assert_eq!(store.read().data(values).await.unwrap().len(), 1);
    store.close().await;
}

pub(crate) async fn bad_messages_are_never_duplicates_unless_they_may_be(base: Base) {
    let store = base.open().await;
    for (verdict, second) in [
        (Verdict::BadCrc, Verdict::Duplicate),
        (Verdict::NoCrc, Verdict::Duplicate),
        (Verdict::Malformed, Verdict::Malformed),
        (Verdict::None, Verdict::None),
    ] {
        let device = device(verdict.as_str(), verdict.as_str());
        for expected in [verdict, second] {
            let mut message = report(&device, at(0), "same");
            (message.verdict, message.fingerprint) = (verdict, Some([1; 16]));
            assert_eq!(store_report(&store, message).await.verdict, expected);
        }
    }
    store.close().await;
}

pub(crate) async fn all_kinds_of_values_come_back(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    let values = [
        ("a", Value::Bool(true)),
        ("b", Value::Bool(false)),
        ("c", Value::Integer(i64::MIN)),
        ("d", Value::Integer(1)),
        ("e", Value::Real(1.0)),
        ("f", Value::Real(0.1)),
        ("g", Value::Text("ä \" 1".to_owned())),
        ("h", Value::Gap(Gap)),
    ];
    let mut message = report(&a, at(1), "x");
    let reading = |(sensor, value): &(&str, Value)| Reading {
        sensor: (*sensor).into(),
        value: value.clone(),
        created: Some(at(-9)),
    };
    message.readings = values.iter().map(reading).collect();
    let seq = store_report(&store, message).await.seq;
    let latest = store.read().latest(a.names.id.clone()).await.unwrap();
    for (datum, (sensor, value)) in latest.iter().zip(&values) {
        assert_eq!((datum.sensor.as_str(), &datum.value), (*sensor, value));
        assert_eq!((datum.time_received, datum.time_created, datum.seq), (at(1), Some(at(-9)), seq));
    }
    let page = DataFilter { limit: 99, ..DataFilter::default() };
    let data = store.read().data(page).await.unwrap();
    assert_eq!(data.into_iter().map(|(_, datum)| datum).collect::<Vec<_>>(), latest);
    store.close().await;
}

pub(crate) async fn values_come_in_pages(base: Base) {
    let store = base.open().await;
    let (a, b) = (device("a", "A"), device("b", "B"));
    // Both at the same moment: both are kept.
    for (n, device) in [(1, &a), (1, &a), (2, &b), (3, &a)] {
        let mut message = report(device, at(n), "x");
        message.readings = vec![text_reading("t", "x"), text_reading("s", "x")];
        store_report(&store, message).await;
    }
    for (device, expected) in [(Some(a.names.id.clone()), 6), (None, 8)] {
        let mut after = None;
        let mut seen = Vec::new();
        loop {
            let filter = DataFilter { device: device.clone(), after, limit: 3, ..DataFilter::default() };
            let page = store.read().data(filter).await.unwrap();
            let Some((_, last)) = page.last() else { break };
            after = Some((last.seq, last.sensor.to_string()));
            seen.extend(page.into_iter().map(|(_, datum)| (datum.seq, datum.sensor)));
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted());
    }
    let count = |filter: DataFilter| async { store.read().data(filter).await.unwrap().len() };
    let of_a = DataFilter { device: Some(a.names.id), limit: 99, ..DataFilter::default() };
    assert_eq!(count(DataFilter { sensor: Some("s".to_owned()), ..of_a.clone() }).await, 3);
    assert_eq!(count(DataFilter { from: Some(at(2)), ..of_a.clone() }).await, 2);
    assert_eq!(count(DataFilter { to: Some(at(3)), ..of_a }).await, 4);
    store.close().await;
}

pub(crate) async fn sequence_has_no_gaps_under_many_writers(base: Base) {
    let store = base.open().await;
    let mut seqs = Vec::new();
    for one in flood(&store, 300) {
        match one.await.unwrap().unwrap() {
            Outcome::Reported(reported) => seqs.push(reported.seq.0),
            other => panic!("{other:?}"),
        }
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=300).collect::<Vec<_>>());
    let findings = audit::check(store.read(), &mut |_| ()).await.unwrap();
    assert_eq!((findings.entries, findings.faults.len()), (300, 0));
    store.close().await;
}

pub(crate) async fn a_refused_write_rejects_no_neighbour(base: Base) {
    let store = base.open().await;
    make(&store, &[&device("d0", "D0")]).await;
    let writers = flood(&store, 30);
    let refusals: Vec<_> = (0..30)
        .map(|n| {
            let store = store.clone();
            // Its message is in the ledger already when the address turns out to be taken.
            let report = report(&device(&format!("x{n}"), "d0"), at(n), "not mine");
            tokio::spawn(async move { store.write(Write::Report(Box::new(report))).await })
        })
        .collect();
    for one in writers {
        one.await.unwrap().unwrap();
    }
    for one in refusals {
        assert!(matches!(one.await.unwrap(), Err(StoreError::Conflict(_))));
    }
    let findings = audit::check(store.read(), &mut |_| ()).await.unwrap();
    assert_eq!((findings.entries, findings.faults.len()), (30, 0));
    store.close().await;
}

pub(crate) async fn last_seen_never_goes_back(base: Base) {
    let store = base.open().await;
    let mut a = device("a", "A");
    for (seen, expected) in [(Some(at(5)), at(5)), (Some(at(3)), at(5)), (None, at(5)), (Some(at(8)), at(8))]
    {
        a.last_seen = seen;
        store_report(&store, report(&a, at(9), "x")).await;
        assert_eq!(store.read().all_devices().await.unwrap()[0].last_seen, Some(expected));
    }
    store.close().await;
}
