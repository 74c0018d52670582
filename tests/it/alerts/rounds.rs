//! Rules over a real store, round by round, with a clock that the tests turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use homeport::alert::{AlertSettings, Lookout, Post};
use homeport::core::{
    AlertFilter, Claim, Delivered, Delivery, Event, Hub, HubSettings, Report, UnknownPolicy, Watch,
};
use homeport::model::{
    Alert, AlertState, Bounds, Check, Clock, Device, FamilyName, Reading, Rule, Target, Timestamp, Value,
    Verdict,
};
use homeport::store::{Store, Target as StoreTarget, WriterSettings};

struct House {
    hub: Hub,
    store: Store,
    now: Arc<AtomicI64>,
    count: AtomicI64,
    oven: Device,
    _folder: tempfile::TempDir,
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let hands = Arc::clone(now);
    Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)))
}

fn settings() -> HubSettings {
    HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() }
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = StoreTarget::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let hub = Hub::start(store.clone(), clock(&now), settings()).await.unwrap();
        let oven = hub.create(&FamilyName::new("cwm"), "036334d0b8df1f05", Some("Oven")).await.unwrap();
        Self { hub, store, now, count: AtomicI64::new(0), oven, _folder: folder }
    }

    async fn beside(&self) -> Hub {
        Hub::start(self.store.clone(), clock(&self.now), settings()).await.unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.now.fetch_add(i64::try_from(seconds * 1_000_000).unwrap(), Ordering::SeqCst);
    }

    /// A server's lookout; the mark is made by the first round.
    async fn lookout(&self, hub: &Hub, alone: bool) -> Lookout {
        let mut lookout = Lookout::new(hub.clone(), Post::new(hub.clone(), AlertSettings::default()), alone);
        for _ in 0..2 {
            lookout.round().await.unwrap();
        }
        lookout
    }

    async fn say(&self, address: &str, readings: Vec<Reading>) {
        let family = FamilyName::new("cwm");
        let known = self.hub.claim(Claim { family: &family, address, parent: None }).unwrap();
        let nth = self.count.fetch_add(1, Ordering::SeqCst);
        let report = Report {
            device: Some(known),
            at: self.hub.now(),
            raw: Bytes::from(format!("message {nth}")),
            verdict: Verdict::Ok,
            hmac: None,
            fingerprint: None,
            events: vec![Event::Readings(readings)],
            peer: "192.0.2.7".to_owned(),
        };
        self.hub.accept(report).await.unwrap();
    }

    async fn measure(&self, value: f64) {
        self.say(&self.oven.names.address, vec![reading("act_temp.0", Value::Real(value))]).await;
    }

    async fn rule(&self, change: impl FnOnce(&mut Rule)) -> Rule {
        let mut rule = Rule {
            id: Rule::fresh_id(),
            name: "too hot".to_owned(),
            target: Target::Device(self.oven.names.id.clone()),
            sensor: Some("act_temp.*".to_owned()),
            check: Check::Bounds(Bounds { low: None, high: Some(250.0), hysteresis: None }),
            hold_s: 0,
            clear_hold_s: 0,
            remind_every_s: None,
            channels: vec!["webhook:none".to_owned()],
            enabled: true,
            mute_until: None,
            owner: None,
            by: "user:admin".to_owned(),
            changed: self.hub.now(),
        };
        change(&mut rule);
        self.hub.rule_keep(rule).await.unwrap()
    }

    async fn alerts(&self) -> Vec<Alert> {
        let filter = AlertFilter { limit: 100, ..AlertFilter::default() };
        let mut alerts = self.hub.alerts(filter, |_| true).await.unwrap();
        alerts.sort_by_key(|(_, alert)| alert.fired);
        alerts.into_iter().map(|(_, alert)| alert).collect()
    }

    /// What people were told, in order, whatever became of it.
    async fn told(&self) -> Vec<String> {
        let mut all: Vec<Delivery> = Vec::new();
        self.hub.kept_each(|one: Delivery| all.push(one)).await.unwrap();
        self.hub.kept_each(|Delivered(one)| all.push(one)).await.unwrap();
        // One may come back between the two readings.
        all.sort_by_key(|one| (one.made, one.nth));
        all.dedup_by(|one, other| one.id == other.id);
        all.into_iter().map(|one| one.event).collect()
    }
}

fn reading(sensor: &str, value: Value) -> Reading {
    Reading { sensor: sensor.into(), value, created: None, counts: true }
}

#[tokio::test]
async fn an_alert_fires_once_and_clears_once_across_restarts_at_any_point() {
    let values = [240.0, 251.0, 249.0, 252.0, 245.0, 240.0, 260.0, 200.0];
    for restart in 0..=values.len() {
        let house = House::new().await;
        house.rule(|_| {}).await;
        let mut lookout = house.lookout(&house.hub, true).await;
        for (nth, value) in values.into_iter().enumerate() {
            house.pass(1);
            house.measure(value).await;
            if nth == restart {
                // What was stored last was not looked at: another start does.
                let again = house.beside().await;
                lookout = house.lookout(&again, true).await;
            }
            lookout.round().await.unwrap();
        }
        let again = house.beside().await;
        house.lookout(&again, true).await.round().await.unwrap();
        let alerts = house.alerts().await;
        assert_eq!(alerts.len(), 2, "{restart}: {alerts:?}");
        assert!(alerts.iter().all(|alert| alert.state == AlertState::Resolved && alert.events.len() == 2));
        assert_eq!(alerts[0].value, Some(251.0));
        assert_eq!(house.told().await, ["firing", "resolved", "firing", "resolved"], "{restart}");
    }
}

#[tokio::test]
async fn what_was_stored_while_nobody_looked_is_not_missed_and_not_believed_out_of_order() {
    let house = House::new().await;
    house.rule(|_| {}).await;
    drop(house.lookout(&house.hub, true).await);
    for value in [300.0, 200.0, 301.0] {
        house.pass(60);
        house.measure(value).await;
    }
    // Older than the last one, by the device's own clock; not one that counts; no numbers.
    let created = Some(house.hub.now().minus(Duration::from_secs(30)));
    let odd = [
        Reading { created, ..reading("act_temp.0", Value::Real(100.0)) },
        Reading { counts: false, ..reading("act_temp.0", Value::Real(100.0)) },
        reading("act_temp.0", Value::Text("off".to_owned())),
        reading("act_temp.0", Value::Gap(homeport::model::Gap)),
        reading("set_temp.0", Value::Real(999.0)),
    ];
    house.say(&house.oven.names.address, odd.to_vec()).await;
    house.lookout(&house.hub, true).await;
    let states: Vec<_> = house.alerts().await.into_iter().map(|alert| (alert.state, alert.value)).collect();
    assert_eq!(states, [(AlertState::Resolved, Some(300.0)), (AlertState::Firing, Some(301.0))]);
    assert_eq!(house.told().await, ["firing", "resolved", "firing"]);
}

#[tokio::test]
async fn hold_times_end_by_the_clock_also_after_a_restart() {
    let house = House::new().await;
    house.rule(|rule| (rule.hold_s, rule.clear_hold_s) = (60, 30)).await;
    let mut lookout = house.lookout(&house.hub, true).await;
    house.measure(260.0).await;
    lookout.round().await.unwrap();
    house.pass(59);
    lookout.round().await.unwrap();
    assert!(house.alerts().await.is_empty());
    let mut lookout = house.lookout(&house.beside().await, true).await;
    house.pass(1);
    lookout.round().await.unwrap();
    let alerts = house.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].fired, alerts[0].since.plus(Duration::from_mins(1)));
    assert_eq!(alerts[0].events.len(), 2, "pending and firing");
    house.measure(100.0).await;
    lookout.round().await.unwrap();
    house.pass(29);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await, ["firing"]);
    house.pass(1);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "resolved"]);
}

#[tokio::test]
async fn of_two_servers_one_looks_and_the_other_takes_over() {
    let house = House::new().await;
    house.rule(|_| {}).await;
    let mut one = house.lookout(&house.hub, false).await;
    let mut other = house.lookout(&house.beside().await, false).await;
    for value in [240.0, 260.0, 259.0] {
        house.pass(1);
        house.measure(value).await;
        other.round().await.unwrap();
        one.round().await.unwrap();
    }
    assert_eq!(house.told().await, ["firing"]);
    // The first is gone; the second waits until it is sure.
    house.measure(100.0).await;
    other.round().await.unwrap();
    assert_eq!(house.told().await, ["firing"]);
    house.pass(11);
    other.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "resolved"]);
    // And the first was not gone: it finds that another looks.
    house.measure(300.0).await;
    one.round().await.unwrap();
    other.round().await.unwrap();
    one.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "resolved", "firing"]);
    assert_eq!(house.alerts().await.len(), 2);
}

#[tokio::test]
async fn rules_that_are_edited_disabled_or_removed_are_judged_at_once() {
    let house = House::new().await;
    house.measure(200.0).await;
    let rule = house.rule(|_| {}).await;
    let mut lookout = house.lookout(&house.hub, true).await;
    let high = |high| Check::Bounds(Bounds { high: Some(high), ..Bounds::default() });
    assert!(house.alerts().await.is_empty());
    // The newest value is judged, although nothing new comes.
    for (check, enabled, told) in [
        (high(150.0), true, 1),
        (high(140.0), true, 1),
        (high(201.0), true, 2),
        (high(150.0), true, 3),
        (high(150.0), false, 4),
        (high(150.0), true, 5),
    ] {
        house.pass(1);
        house.hub.rule_keep(Rule { check, enabled, ..rule.clone() }).await.unwrap();
        lookout.round().await.unwrap();
        assert_eq!(house.told().await.len(), told);
    }
    house.hub.rule_remove(&rule.id).await.unwrap();
    lookout.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "resolved", "firing", "resolved", "firing", "resolved"]);
    let mut left = 0;
    house.hub.kept_each(|_: Watch| left += 1).await.unwrap();
    assert_eq!(left, 0);
    // Long without rules, and one again: what came meanwhile is not looked through.
    house.measure(300.0).await;
    house.measure(100.0).await;
    house.rule(|_| {}).await;
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.len(), 6);
}

#[tokio::test]
async fn a_rule_for_many_meets_newcomers_and_forgets_the_forgotten() {
    let house = House::new().await;
    house.rule(|rule| rule.target = Target::Family(FamilyName::new("cwm"))).await;
    let mut lookout = house.lookout(&house.hub, true).await;
    house.say("036334d0b8df1f99", vec![reading("act_temp.3", Value::Integer(251))]).await;
    lookout.round().await.unwrap();
    let alerts = house.alerts().await;
    assert_eq!((alerts.len(), alerts[0].sensor.as_deref()), (1, Some("act_temp.3")));
    house.hub.forget(&alerts[0].device.id).await.unwrap();
    house.pass(3);
    lookout.round().await.unwrap();
    assert!(house.alerts().await.is_empty());
    assert_eq!(house.told().await, ["firing", "resolved"]);
}

#[tokio::test]
async fn people_are_reminded_until_they_take_note_and_left_in_peace_when_they_want_it() {
    let house = House::new().await;
    let rule = house.rule(|rule| rule.remind_every_s = Some(60)).await;
    let mut lookout = house.lookout(&house.hub, true).await;
    house.measure(260.0).await;
    lookout.round().await.unwrap();
    for _ in 0..2 {
        house.pass(60);
        lookout.round().await.unwrap();
        lookout.round().await.unwrap();
    }
    assert_eq!(house.told().await, ["firing", "reminder", "reminder"]);
    let alert = house.alerts().await.remove(0);
    let until = Some(house.hub.now().plus(Duration::from_mins(5)));
    house.hub.alert_mute(&alert, until, "user:maria").await.unwrap();
    house.pass(120);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.len(), 3);
    house.pass(180);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.len(), 4);
    house.hub.alert_acknowledge(&alert, "user:maria").await.unwrap();
    house.pass(600);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.len(), 4);
    house.measure(100.0).await;
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.last().unwrap(), "resolved");

    // A rule that is mute when it fires tells when it is no longer, if it fires still.
    let mute_until = Some(house.hub.now().plus(Duration::from_secs(100)));
    house.hub.rule_keep(Rule { mute_until, ..rule }).await.unwrap();
    for value in [260.0, 100.0, 261.0] {
        house.pass(1);
        house.measure(value).await;
        lookout.round().await.unwrap();
    }
    assert_eq!(house.told().await.len(), 5, "nobody was told of either");
    house.pass(100);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await[5..], ["firing"]);
}

#[tokio::test]
async fn silences_fire_by_the_devices_rhythm_and_not_by_the_servers_absence() {
    let house = House::new().await;
    house.rule(|rule| (rule.check, rule.sensor) = (Check::Offline, None)).await;
    house
        .rule(|rule| {
            rule.name = "no data".to_owned();
            (rule.check, rule.sensor) =
                (Check::NoData { periods: 2.0, period_s: Some(60) }, Some("act_temp.0".to_owned()));
        })
        .await;
    let mut lookout = house.lookout(&house.hub, true).await;
    for _ in 0..8 {
        house.pass(60);
        house.measure(100.0).await;
        lookout.round().await.unwrap();
    }
    // It speaks each minute: without data after two, offline after three. Messages without that value are no data.
    house.pass(119);
    house.say(&house.oven.names.address, vec![reading("other", Value::Integer(1))]).await;
    lookout.round().await.unwrap();
    assert!(house.alerts().await.is_empty());
    house.pass(1);
    lookout.round().await.unwrap();
    let kinds = async || house.alerts().await.into_iter().map(|alert| alert.kind).collect::<Vec<_>>();
    assert_eq!(kinds().await, ["no_data"]);
    house.pass(400);
    lookout.round().await.unwrap();
    assert_eq!(kinds().await, ["no_data", "offline"]);
    // The server was away for a day: nothing is resolved by that, and nothing fires again.
    house.pass(86_400);
    let mut lookout = house.lookout(&house.beside().await, true).await;
    house.pass(10);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "firing"]);
    drop(lookout);
    let mut lookout = house.lookout(&house.hub, true).await;
    house.measure(100.0).await;
    lookout.round().await.unwrap();
    assert_eq!(house.told().await, ["firing", "firing", "resolved", "resolved"]);
    // Away again, with all well: the device has its time before it is missed.
    house.pass(86_400);
    let mut lookout = house.lookout(&house.hub, true).await;
    house.pass(60);
    lookout.round().await.unwrap();
    assert_eq!(house.told().await.len(), 4);
}

#[tokio::test]
async fn a_rule_by_tag_is_for_the_devices_that_have_it_now() {
    let house = House::new().await;
    house.measure(260.0).await;
    house.rule(|rule| rule.target = Target::Tag(" Kitchen".to_owned())).await;
    let mut lookout = house.lookout(&house.hub, true).await;
    assert!(house.alerts().await.is_empty());
    for (tags, told) in [(["kitchen"].as_slice(), 1), (&["cellar", "kitchen"], 1), (&["cellar"], 2)] {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        house.hub.tag_device(&house.oven.names.id, &tags).await.unwrap();
        house.pass(3);
        lookout.round().await.unwrap();
        assert_eq!(house.told().await.len(), told, "{tags:?}");
    }
}
