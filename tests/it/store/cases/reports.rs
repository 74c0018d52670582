//! Messages and what they measured.

use homeport::model::{Gap, HmacCheck, Reading, Seq, Value, Verdict};
use homeport::store::{
    After, BucketFilter, DataFilter, MessageFilter, Outcome, ReportWrite, StoreError, Write, audit,
};
use std::sync::Arc;

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
    let values = DataFilter { whose: a.names.id.into(), limit: 9, ..DataFilter::default() };
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
        counts: true,
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
            let filter = DataFilter {
                whose: device.clone().map(homeport::store::Whose::One).unwrap_or_default(),
                after,
                limit: 3,
                ..DataFilter::default()
            };
            let before = filter.after.clone();
            let page = store.read().data(filter).await.unwrap();
            if page.is_empty() {
                break;
            }
            after = After::last_of(&page, before.as_ref());
            seen.extend(page.into_iter().map(|(_, datum)| (datum.seq, datum.sensor)));
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted());
    }
    let count = |filter: DataFilter| async { store.read().data(filter).await.unwrap().len() };
    let of_a = DataFilter { whose: a.names.id.into(), limit: 99, ..DataFilter::default() };
    assert_eq!(count(DataFilter { sensors: vec!["s".to_owned()], ..of_a.clone() }).await, 3);
    assert_eq!(count(DataFilter { from: Some(at(2)), ..of_a.clone() }).await, 2);
    assert_eq!(count(DataFilter { to: Some(at(3)), ..of_a }).await, 4);
    store.close().await;
}

pub(crate) async fn many_values_of_one_sensor_come_in_one_message(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    for n in 0..2 {
        let mut message = report(&a, at(n), "rows");
        let row = |sensor: &str, row| Reading {
            sensor: sensor.into(),
            value: Value::Integer(10 * n + row),
            created: Some(at(100 * n + row)),
            counts: true,
        };
        message.readings = (0..5).flat_map(|of| [row("hr", of), row("sv", of)]).collect();
        store_report(&store, message).await;
    }
    let of_hr: Vec<i64> = (0..2).flat_map(|n| (0..5).map(move |row| 10 * n + row)).collect();
    for limit in 1..12 {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let filter = DataFilter { after: after.clone(), limit, ..DataFilter::default() };
            let page = store.read().data(filter).await.unwrap();
            assert!(page.len() <= usize::try_from(limit).unwrap());
            seen.extend(page.iter().map(|(_, datum)| datum.clone()));
            let Some(next) = After::last_of(&page, after.as_ref()) else { break };
            after = Some(next);
        }
        assert_eq!(seen.len(), 20, "{limit}");
        seen.retain(|datum| datum.sensor == *"hr");
        let values: Vec<_> = seen.iter().map(|datum| datum.value.clone()).collect();
        assert_eq!(values, of_hr.iter().copied().map(Value::Integer).collect::<Vec<_>>(), "{limit}");
    }
    store.close().await;
}

pub(crate) async fn numbers_come_in_buckets(base: Base) {
    let store = base.open().await;
    let a = device("a", "A");
    // Minutes 0 and 1 by the device's clock, which is trusted; the last message's clock is not.
    for (second, created, value) in [
        (1, Some(0), Value::Integer(4)),
        (61, Some(59), Value::Real(1.5)),
        (62, Some(60), Value::Integer(7)),
        (63, None, Value::Gap(Gap)),
        (64, None, Value::Text("9".to_owned())),
        (150, Some(100_000), Value::Integer(8)),
    ] {
        let mut message = report(&a, at(second + 40), "x");
        let created = created.map(|second| at(second + 40));
        message.readings = vec![Reading { sensor: "s".into(), value, created, counts: true }];
        store_report(&store, message).await;
    }
    let filter = BucketFilter { device: a.names.id, sensors: vec![], from: at(40), to: at(41), length_s: 60 };
    let buckets = |filter: BucketFilter| async { store.read().buckets(filter).await.unwrap() };
    // 1,700,000,000 is 20 s after a full minute.
    let first = buckets(filter.clone()).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].start, first[0].count), (at(40), 2));
    assert_eq!((first[0].min, first[0].max, first[0].avg(), first[0].last), (1.5, 4.0, 2.75, 1.5));
    let all = buckets(BucketFilter { to: at(1000), ..filter.clone() }).await;
    let shown: Vec<_> = all.iter().map(|bucket| (bucket.start, bucket.count, bucket.last)).collect();
    assert_eq!(shown, [(at(40), 2, 1.5), (at(100), 1, 7.0), (at(160), 1, 8.0)]);
    let other = BucketFilter { to: at(1000), sensors: vec!["t".to_owned()], ..filter };
    assert_eq!(buckets(other).await, []);
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
            tokio::spawn(async move { store.write(Write::Report(Arc::new(report))).await })
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
    let a = device("a", "A");
    // The third is brought over from elsewhere, which is no sign of life.
    for (arrived, past, expected) in
        [(5, None, at(5)), (3, None, at(5)), (9, Some(at(7)), at(5)), (8, None, at(8))]
    {
        store_report(&store, ReportWrite { past, ..report(&a, at(arrived), "x") }).await;
        assert_eq!(store.read().all_devices().await.unwrap()[0].last_seen, Some(expected));
    }
    store.close().await;
}
