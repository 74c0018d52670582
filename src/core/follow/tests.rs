//! Places, and what is told of them.

use super::*;
use crate::core::tests::Bench;
use crate::core::{HubSettings, Retention, RetentionSettings};

fn line(told: &Told) -> String {
    match told {
        Told::Event(_, event) => match &**event {
            FeedEvent::Message(heard) => format!("message {}", heard.seq),
            FeedEvent::Reading { datum, .. } => format!("reading {} {}", datum.seq, datum.sensor),
            FeedEvent::State(device) => format!("state {}", device.names.name),
            FeedEvent::Command(command) => format!("command {}", command.state.as_str()),
            FeedEvent::Alert(alert, _) => format!("alert {}", alert.state.as_str()),
        },
        Told::Skipped { after, upto, .. } => format!("skipped {:?}..{upto}", after.map(|seq| seq.0)),
        Told::Changed(_) => "changed".to_owned(),
    }
}

fn place(told: &Told) -> Place {
    match told {
        Told::Event(place, _) | Told::Skipped { place, .. } | Told::Changed(place) => *place,
    }
}

/// The next so many things.
async fn hear(follower: &mut Follower, count: usize) -> Vec<Told> {
    let mut told = Vec::new();
    while told.len() < count {
        told.extend(follower.next().await.unwrap());
    }
    assert_eq!(told.len(), count, "{:?}", told.iter().map(line).collect::<Vec<_>>());
    told
}

fn lines(told: &[Told]) -> Vec<String> {
    told.iter().map(line).collect()
}

#[test]
fn a_place_is_read_as_it_was_written() {
    for text in ["0", "17", "17.0", "17.3", "17~ff.0", "17.3~1234abcd.99"] {
        assert_eq!(Place::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "x",
        "-1",
        "1.",
        ".1",
        "1.x",
        "1~",
        "1~x.1",
        "1~1",
        "1~1.x",
        "1.5000000000",
        "99999999999999999999",
    ] {
        assert_eq!(Place::parse(text), None, "{text}");
    }
}

#[tokio::test]
async fn whoever_comes_back_hears_the_rest_and_nothing_twice() {
    let bench = Bench::new(HubSettings::default()).await;
    bench.measure("A", "before", "t", 0).await;
    let mut follower = bench.hub.follow(None).await.unwrap();
    let start = follower.place();
    for number in 1..4 {
        bench.measure("A", &format!("a{number}"), "t", number).await;
        bench.measure("B", &format!("b{number}"), "u", number).await;
    }
    let all = hear(&mut follower, 13).await;
    let mut wanted = vec!["state B".to_owned()];
    wanted.extend((2..8).flat_map(|seq| {
        [format!("message {seq}"), format!("reading {seq} {}", if seq % 2 == 0 { "t" } else { "u" })]
    }));
    assert_eq!(lines(&all), wanted);
    let mut places = vec![start];
    places.extend(all.iter().map(place));
    for (told, place) in places.iter().enumerate() {
        let mut again = bench.hub.follow(Some(&place.to_string())).await.unwrap();
        if told < all.len() {
            assert_eq!(lines(&hear(&mut again, all.len() - told).await), wanted[told..], "{place}");
        }
        assert_eq!(again.place(), places[all.len()], "{place}");
    }
    // And goes on with what happens then.
    bench.measure("A", "later", "t", 9).await;
    assert_eq!(lines(&hear(&mut follower, 2).await), ["message 8", "reading 8 t"]);
}

#[tokio::test]
async fn what_another_server_takes_in_is_told_too_and_a_restart_loses_no_message() {
    let bench = Bench::new(HubSettings::default()).await;
    bench.measure("A", "one", "t", 1).await;
    let other = bench.beside().await;
    let mut follower = other.follow(None).await.unwrap();
    bench.measure("A", "two", "t", 2).await;
    let heard = hear(&mut follower, 2).await;
    assert_eq!(lines(&heard), ["message 2", "reading 2 t"]);
    let left = place(&heard[0]).to_string();
    drop((follower, other));
    bench.measure("A", "three", "t", 3).await;
    let after_restart = bench.beside().await;
    let mut back = after_restart.follow(Some(&left)).await.unwrap();
    let heard = hear(&mut back, 4).await;
    assert_eq!(lines(&heard), ["changed", "reading 2 t", "message 3", "reading 3 t"]);
}

#[tokio::test]
async fn a_place_that_is_none_is_said_to_be_none() {
    let bench = Bench::new(HubSettings::default()).await;
    for number in 0..3 {
        bench.measure("A", &format!("{number}"), "t", number).await;
    }
    for text in ["nonsense", "77", "4.1~1.2"] {
        let mut follower = bench.hub.follow(Some(text)).await.unwrap();
        let told = hear(&mut follower, 2).await;
        let after = Place::parse(text).map(|place| place.seq);
        assert_eq!(lines(&told), [format!("skipped {after:?}..3"), "changed".to_owned()]);
        assert_eq!(follower.place().to_string(), bench.hub.follow(None).await.unwrap().place().to_string());
    }
    let mut whole = bench.hub.follow(Some("0")).await.unwrap();
    assert_eq!(lines(&hear(&mut whole, 7).await)[..2], ["changed", "message 1"]);
    // What was pruned cannot be told any more.
    let retention = RetentionSettings { telemetry_days: 1, ..RetentionSettings::default() };
    bench.hub.settings_reload(HubSettings { retention, ..HubSettings::default() });
    bench.pass(Duration::from_hours(72));
    let mut work = Retention::default();
    let held = bench.hub.hold_history();
    while work.round(&bench.hub).await.unwrap() {}
    let mut early = bench.hub.follow(Some("1")).await.unwrap();
    assert_eq!(lines(&hear(&mut early, 5).await)[1], "message 2", "whoever reads all of it is waited for");
    drop(held);
    while work.round(&bench.hub).await.unwrap() {}
    let mut late = bench.hub.follow(Some("1")).await.unwrap();
    assert_eq!(lines(&hear(&mut late, 2).await), ["skipped Some(1)..3", "changed"]);
}

#[tokio::test]
async fn too_many_changes_are_told_as_such() {
    let bench = Bench::new(HubSettings::default()).await;
    bench.measure("A", "x", "t", 1).await;
    let mut follower = bench.hub.follow(None).await.unwrap();
    let id = bench.hub.devices(crate::core::DeviceFilter { limit: 1, ..Default::default() }).await.unwrap();
    for number in 0..1025 {
        bench.hub.rename(&id[0].names.id, &format!("name {number}")).await.unwrap();
    }
    assert_eq!(lines(&hear(&mut follower, 1).await), ["changed"]);
    bench.hub.rename(&id[0].names.id, "last").await.unwrap();
    assert_eq!(lines(&hear(&mut follower, 1).await), ["state last"]);
}
