//! Retention over a real store, in rounds as the server makes them.

use super::*;
use crate::core::tests::Bench;
use crate::core::{HubSettings, MessageFilter};
use crate::store::DataFilter;

const DAY: Duration = days(1);

fn keep(retention: RetentionSettings) -> HubSettings {
    HubSettings { retention, ..HubSettings::default() }
}

/// Ten days of one message of 100 bytes with one value each day.
async fn ten_days(bench: &Bench) {
    for day in 0..10 {
        bench.pass(DAY);
        bench.measure("A1", &format!("{day:0100}"), "s", day).await;
        file(bench).await;
    }
}

/// Puts what was measured last into a page of its own.
async fn file(bench: &Bench) {
    drop(bench.hub.data(DataFilter { limit: 1, ..DataFilter::default() }).await.unwrap());
}

async fn rounds(work: &mut Retention, bench: &Bench) {
    for _ in 0..50 {
        if !work.round(&bench.hub).await.unwrap() {
            return;
        }
    }
    panic!("there is no end to it");
}

/// How many messages have their bytes, and how many values there are.
async fn left(bench: &Bench) -> (usize, usize) {
    let messages =
        bench.hub.messages(MessageFilter { limit: 999, ..MessageFilter::default() }).await.unwrap();
    let values = bench.hub.data(DataFilter { limit: 999, ..DataFilter::default() }).await.unwrap();
    (messages.iter().filter(|message| !message.pruned).count(), values.len())
}

#[tokio::test]
async fn nothing_goes_unless_somebody_says_so() {
    let bench = Bench::new(HubSettings::default()).await;
    ten_days(&bench).await;
    rounds(&mut Retention::default(), &bench).await;
    assert_eq!(left(&bench).await, (10, 10));
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let settings = RetentionSettings { raw_days: 3, telemetry_days: 5, ..RetentionSettings::default() };
    let bench = Bench::new(keep(settings)).await;
    ten_days(&bench).await;
    bench.pass(Duration::from_hours(1));
    rounds(&mut Retention::default(), &bench).await;
    assert_eq!(left(&bench).await, (3, 5));
    bench.pass(DAY * 100);
    rounds(&mut Retention::default(), &bench).await;
    assert_eq!(left(&bench).await, (0, 1), "the newest value stays");
    assert!(bench.hub.audit(&mut |_| ()).await.unwrap().is_sound());
}

#[tokio::test]
async fn the_oldest_of_too_much_goes() {
    let settings =
        RetentionSettings { raw_bytes_max: 450, telemetry_bytes_max: 950, ..RetentionSettings::default() };
    let bench = Bench::new(keep(settings.clone())).await;
    let mut work = Retention::default();
    ten_days(&bench).await;
    rounds(&mut work, &bench).await;
    let (raw, values) = left(&bench).await;
    // A page with one value takes a little more than a hundred bytes.
    assert!(raw == 4 && (7..10).contains(&values), "{raw} {values}");
    let most = values;
    // As it goes on, and with another that knows nothing yet.
    for mut work in [work, Retention::default()] {
        bench.measure("A1", &"x".repeat(100), "s", 1).await;
        file(&bench).await;
        rounds(&mut work, &bench).await;
        let (raw, values) = left(&bench).await;
        assert!(raw == 4 && values <= most, "{raw} {values}");
    }
    // A forgotten device takes its values with it: what the others have does not go for that.
    bench.measure("B1", "b", "s", 1).await;
    let mut work = Retention::default();
    rounds(&mut work, &bench).await;
    let id = bench.hub.find_device("A1").unwrap().names.id;
    bench.hub.forget(&id).await.unwrap();
    for n in 0..5 {
        bench.measure("B1", &format!("b{n}"), "s", 1).await;
    }
    rounds(&mut work, &bench).await;
    assert_eq!(left(&bench).await.1, 6);
}

#[tokio::test]
async fn repeats_are_known_for_a_while() {
    let settings = RetentionSettings { repeats_days: 2, ..RetentionSettings::default() };
    let bench = Bench::new(keep(settings)).await;
    let mut work = Retention::default();
    let mut duplicates = Vec::new();
    for _ in 0..4 {
        duplicates.push(bench.measure("A1", "same", "s", 1).await.verdict.as_str());
        bench.pass(DAY + Duration::from_hours(1));
        rounds(&mut work, &bench).await;
    }
    assert_eq!(duplicates, ["ok", "duplicate", "ok", "duplicate"]);
}
