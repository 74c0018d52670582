//! The hub over a real SQLite store, with a clock that the tests turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::model::{
    Clock, CommandState, DeviceState, EncodeError, FamilyName, Priority, Reading, Timestamp, Value, Verdict,
};
use crate::store::{Store, Target, WriterSettings};

/// A hub with its clock and the folder it lives in.
pub(super) struct Bench {
    pub(super) hub: Hub,
    pub(super) store: Store,
    now: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(super) async fn new(settings: HubSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(dir.path().join("homeport.db"));
        let store = Store::open(
            &target,
            WriterSettings { queue_max: 64, batch_max: 16, ..WriterSettings::default() },
        )
        .await
        .unwrap();
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        let hub = Hub::start(store.clone(), clock(&now), settings).await.unwrap();
        Self { hub, store, now, _dir: dir }
    }

    pub(super) fn pass(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// A second hub over the same store, as after a restart.
    async fn again(&self) -> Hub {
        Hub::start(self.store.clone(), Clock::system(), HubSettings::default()).await.unwrap()
    }

    /// Another server on the same store, by the same clock.
    pub(super) async fn beside(&self) -> Hub {
        Hub::start(self.store.clone(), clock(&self.now), HubSettings::default()).await.unwrap()
    }

    /// A sound message that brings one value.
    pub(super) async fn measure(&self, address: &str, raw: &str, sensor: &str, number: i64) -> Accepted {
        self.say(address, raw, vec![value(sensor, number)]).await
    }

    async fn say(&self, address: &str, raw: &str, events: Vec<Event>) -> Accepted {
        let known = self.hub.claim(Claim { family: &kin(), address, parent: None }).unwrap();
        self.hub.accept(report(&self.hub, Some(known), raw, Verdict::Ok, events)).await.unwrap()
    }
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let hands = Arc::clone(now);
    Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)))
}

fn kin() -> FamilyName {
    FamilyName::new("kin")
}

fn policy(unknown: UnknownPolicy) -> HubSettings {
    HubSettings { unknown, ..HubSettings::default() }
}

fn report(hub: &Hub, device: Option<Known>, raw: &str, verdict: Verdict, events: Vec<Event>) -> Report {
    Report {
        device,
        at: hub.now(),
        raw: Bytes::copy_from_slice(raw.as_bytes()),
        verdict,
        hmac: None,
        fingerprint: Some(crate::store::ledger::digest(raw.as_bytes())[..16].try_into().unwrap()),
        events,
        peer: "192.0.2.7".to_owned(),
    }
}

fn value(sensor: &str, value: i64) -> Event {
    Event::Readings(vec![Reading {
        sensor: sensor.into(),
        value: Value::Integer(value),
        created: None,
        counts: true,
    }])
}

fn order(address: &str, via: Option<&str>) -> Order {
    Order {
        id: None,
        family: kin(),
        address: address.to_owned(),
        via: via.map(str::to_owned),
        cmd: "wr".to_owned(),
        payload: r#"{"port":1}"#.to_owned(),
        encode: Arc::new(|wire_id| Ok(Bytes::from(format!("say {wire_id}")))),
        priority: Priority::Normal,
        expires_in: None,
        by: "user:admin".to_owned(),
    }
}

async fn pull(hub: &Hub, address: &str, last: Acknowledgement) -> Pulled {
    hub.lease(&kin(), address, last, "192.0.2.7").await.unwrap()
}

#[tokio::test]
async fn the_policy_decides_about_newcomers() {
    let bench = Bench::new(policy(UnknownPolicy::Refuse)).await;
    let claim = Claim { family: &kin(), address: "A1", parent: None };
    assert!(matches!(bench.hub.claim(claim), Err(HubError::Refused(_))));
    bench.hub.settings_reload(policy(UnknownPolicy::Hold));
    assert_eq!(bench.hub.claim(claim).unwrap().state(), DeviceState::Held);
    assert_eq!(bench.hub.device_by_address(&kin(), "A1"), None, "nothing was stored yet");
    bench.hub.settings_reload(policy(UnknownPolicy::Accept));
    let fresh = Claim { address: "B2", ..claim };
    assert_eq!(bench.hub.claim(fresh).unwrap().state(), DeviceState::Active);
    for odd in ["", "a\nb", &"x".repeat(65)] {
        let answer = bench.hub.claim(Claim { address: odd, ..claim });
        assert!(matches!(answer, Err(HubError::Invalid { field: "address", .. })), "{odd:?}");
    }
}

#[tokio::test]
async fn letter_case_of_an_address_does_not_count_and_a_restart_forgets_nothing() {
    let bench = Bench::new(HubSettings::default()).await;
    bench.say("aBc", "one", vec![value("t", 1)]).await;
    bench.say("AbC", "two", vec![value("t", 2)]).await;
    let devices = bench.hub.devices(DeviceFilter { limit: 10, ..DeviceFilter::default() }).await.unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].names.address, "aBc");
    let again = bench.again().await;
    assert_eq!(again.device_by_address(&kin(), "ABC").unwrap(), devices[0]);
    let latest = again.latest(&devices[0].names.id).await.unwrap();
    assert_eq!((latest.len(), &latest[0].value), (1, &Value::Integer(2)));
}

#[tokio::test]
async fn a_held_device_is_heard_but_not_commanded_until_adopted() {
    let bench = Bench::new(HubSettings::default()).await;
    let accepted = bench.say("dev", "one", vec![value("t", 1)]).await;
    assert_eq!((accepted.verdict, accepted.pending), (Verdict::Ok, false));
    let device = bench.hub.device_by_address(&kin(), "dev").unwrap();
    assert_eq!(bench.hub.latest(&device.names.id).await.unwrap().len(), 1, "held data are kept");
    bench.hub.enqueue(order("dev", None)).await.unwrap();
    let adopted = bench.hub.device(&device.names.id).unwrap();
    assert_eq!(adopted.state, DeviceState::Active, "to command is to adopt");
    assert!(bench.say("dev", "two", vec![]).await.pending);

    bench.hub.block(&device.names.id).await.unwrap();
    let claim = Claim { family: &kin(), address: "dev", parent: None };
    assert!(matches!(bench.hub.claim(claim), Err(HubError::Refused(_))));
    assert_eq!(pull(&bench.hub, "dev", Acknowledgement::Taken).await, Pulled::default());
    assert!(matches!(bench.hub.enqueue(order("dev", None)).await, Err(HubError::Conflict { .. })));
    bench.hub.adopt(&device.names.id).await.unwrap();
    assert!(pull(&bench.hub, "dev", Acknowledgement::Taken).await.lease.is_some());
}

#[tokio::test]
async fn a_child_is_commanded_through_its_parent() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let known = bench.hub.claim(Claim { family: &kin(), address: "child", parent: Some("PARENT") }).unwrap();
    bench.hub.accept(report(&bench.hub, Some(known), "hello", Verdict::Ok, vec![])).await.unwrap();
    let parent = bench.hub.device_by_address(&kin(), "parent").unwrap();
    let child = bench.hub.device_by_address(&kin(), "child").unwrap();
    assert_eq!(child.parent.as_ref(), Some(&parent.names.id));
    assert_eq!(bench.hub.children(&parent.names.id), std::slice::from_ref(&child));

    let command = bench.hub.enqueue(order("child", None)).await.unwrap();
    assert_eq!(command.device, child.names);
    assert!(bench.say("parent", "beat", vec![]).await.pending, "the parent fetches");
    assert!(bench.say("child", "beat", vec![]).await.pending, "whoever speaks through it hears so too");
    assert_eq!(pull(&bench.hub, "child", Acknowledgement::Taken).await, Pulled::default());
    let lease = pull(&bench.hub, "parent", Acknowledgement::Taken).await.lease.unwrap();
    assert_eq!((lease.id, lease.bytes), (command.id, command.bytes));
}

#[tokio::test]
async fn an_order_for_unseen_devices_makes_and_adopts_both() {
    let bench = Bench::new(HubSettings::default()).await;
    bench.hub.enqueue(order("oven", Some("box"))).await.unwrap();
    let carrier = bench.hub.device_by_address(&kin(), "box").unwrap();
    let target = bench.hub.device_by_address(&kin(), "oven").unwrap();
    assert_eq!((carrier.state, target.state), (DeviceState::Active, DeviceState::Active));
    assert_eq!(target.parent, Some(carrier.names.id));
    assert!(pull(&bench.hub, "BOX", Acknowledgement::Taken).await.lease.is_some());
}

#[tokio::test]
async fn a_command_is_fetched_acknowledged_and_answered() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let dry = bench.hub.dry_run(&order("dev", None)).await.unwrap();
    assert_eq!(bench.hub.device_by_address(&kin(), "dev"), None, "a dry run changes nothing");
    let command = bench.hub.enqueue(order("dev", None)).await.unwrap();
    assert_eq!(command.bytes, dry);
    let lease = pull(&bench.hub, "dev", Acknowledgement::Taken).await.lease.unwrap();
    assert_eq!(lease.bytes, command.bytes);
    let again = pull(&bench.hub, "dev", Acknowledgement::NotTaken).await.lease.unwrap();
    assert_eq!(again, lease, "the same bytes at once");
    assert_eq!(pull(&bench.hub, "dev", Acknowledgement::Taken).await, Pulled::default());
    let state = |id| bench.hub.command(id);
    assert_eq!(state(&command.id).await.unwrap().unwrap().state, CommandState::Accepted);
    let reply = Event::Reply { wire_id: lease.wire_id, keys: vec!["port".to_owned()], within: None };
    bench.say("dev", "done", vec![reply, value("port", 1)]).await;
    let answered = state(&command.id).await.unwrap().unwrap();
    assert_eq!(answered.state, CommandState::Answered);
    assert_eq!(answered.reply, Some(Bytes::from_static(b"done")));
    let device = bench.hub.device_by_address(&kin(), "dev").unwrap();
    assert_eq!(bench.hub.latest(&device.names.id).await.unwrap().len(), 1, "a reply is data as well");
}

#[tokio::test]
async fn orders_that_cannot_be_carried_out_leave_nothing_behind() {
    let bench = Bench::new(HubSettings::default()).await;
    let bad = Order { encode: Arc::new(|_| Err(EncodeError("too long".to_owned()))), ..order("dev", None) };
    let refusal = bench.hub.enqueue(bad).await.unwrap_err();
    assert_eq!(refusal, HubError::invalid("payload", "too long"));
    let empty = Order { cmd: String::new(), ..order("dev", None) };
    assert!(matches!(bench.hub.enqueue(empty).await, Err(HubError::Invalid { field: "cmd", .. })));
    assert_eq!(bench.hub.stats().await.unwrap(), Stats::default());
}

#[tokio::test]
async fn commands_are_cancelled_and_expire() {
    let bench = Bench::new(HubSettings::default()).await;
    let one = bench.hub.enqueue(order("dev", None)).await.unwrap();
    let cancelled = bench.hub.cancel(&one.id, "user:admin").await.unwrap();
    assert_eq!(cancelled.state, CommandState::Cancelled);
    assert!(matches!(bench.hub.cancel(&one.id, "user:admin").await, Err(HubError::Conflict { .. })));
    let short = Order { expires_in: Some(Duration::from_secs(5)), ..order("dev", None) };
    let two = bench.hub.enqueue(short).await.unwrap();
    bench.pass(Duration::from_secs(6));
    bench.hub.sweep().await.unwrap();
    assert_eq!(bench.hub.command(&two.id).await.unwrap().unwrap().state, CommandState::Expired);
    assert_eq!(pull(&bench.hub, "dev", Acknowledgement::Taken).await, Pulled::default());
}

#[tokio::test]
async fn a_message_that_fails_its_check_is_kept_and_not_believed() {
    let bench = Bench::new(HubSettings::default()).await;
    let known = bench.hub.claim(Claim { family: &kin(), address: "dev", parent: None }).unwrap();
    let bad = report(&bench.hub, Some(known.clone()), "bad", Verdict::BadCrc, vec![value("t", 1)]);
    assert_eq!(bench.hub.accept(bad).await.unwrap().verdict, Verdict::BadCrc);
    let nobody = report(&bench.hub, None, "}{", Verdict::Malformed, vec![]);
    let nobody = bench.hub.accept(nobody).await.unwrap();
    assert_eq!(bench.hub.latest(&known.names().id).await.unwrap(), []);
    let kept = bench.hub.message(nobody.seq).await.unwrap().unwrap();
    assert_eq!((kept.device, &kept.raw[..]), (None, &b"}{"[..]));
}

#[tokio::test]
async fn the_same_message_is_confirmed_again_and_measured_once() {
    let bench = Bench::new(HubSettings::default()).await;
    assert_eq!(bench.say("dev", "same", vec![value("t", 1)]).await.verdict, Verdict::Ok);
    assert_eq!(bench.say("dev", "same", vec![value("t", 1)]).await.verdict, Verdict::Duplicate);
    let data = bench.hub.data(DataFilter { limit: 10, ..DataFilter::default() }).await.unwrap();
    assert_eq!(data.len(), 1);
}

#[tokio::test]
async fn the_feed_tells_what_was_committed() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let mut feed = bench.hub.watch();
    bench.say("dev", "one", vec![value("t", 1)]).await;
    bench.hub.enqueue(order("dev", None)).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..4 {
        let Next::Event(event) = feed.next().await else { panic!("the feed ended") };
        told.push(match &*event {
            FeedEvent::State(device) => format!("state {}", device.state.as_str()),
            FeedEvent::Message(heard) => format!("message {} {}", heard.seq, heard.verdict.as_str()),
            FeedEvent::Reading { device, datum } => format!("reading {} {}", device.address, datum.sensor),
            FeedEvent::Command(command) => format!("command {}", command.state.as_str()),
            FeedEvent::Alert(alert, _) => format!("alert {}", alert.state.as_str()),
        });
    }
    assert_eq!(told, ["state active", "message 1 ok", "reading dev t", "command queued"]);
}

#[tokio::test]
async fn a_device_is_online_for_a_while() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    bench.say("dev", "one", vec![]).await;
    let device = bench.hub.device_by_address(&kin(), "dev").unwrap();
    bench.pass(Duration::from_mins(3));
    assert!(bench.hub.online(&device));
    bench.pass(Duration::from_secs(1));
    assert!(!bench.hub.online(&device));
    pull(&bench.hub, "dev", Acknowledgement::Taken).await;
    assert!(bench.hub.online(&device), "asking for commands is a sign of life");
}

#[tokio::test]
async fn a_rhythm_is_learned_and_outlives_a_restart() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    for n in 0..7 {
        bench.say("dev", &format!("{n}"), vec![]).await;
        bench.pass(Duration::from_mins(15));
    }
    let device = bench.hub.device_by_address(&kin(), "dev").unwrap();
    let presence = bench.hub.presence(&device);
    assert_eq!(presence.rhythm, Some(Duration::from_mins(15)));
    assert!(presence.online && !presence.late, "it is due now");
    bench.hub.sweep().await.unwrap();
    bench.pass(Duration::from_mins(10));
    assert!(bench.hub.presence(&device).late);
    let again = bench.again().await;
    assert_eq!(again.presence(&device).rhythm, Some(Duration::from_mins(15)));
    again.rename(&device.names.id, "Oven").await.unwrap();
    assert!(again.presence(&device).rhythm.is_some(), "a new name changes no rhythm");
}

#[tokio::test]
async fn an_asker_that_hangs_up_changes_nothing_about_the_change() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let mut feed = bench.hub.watch();
    let known = bench.hub.claim(Claim { family: &kin(), address: "dev", parent: None }).unwrap();
    let mut asked = Box::pin(bench.hub.accept(report(&bench.hub, Some(known), "one", Verdict::Ok, vec![])));
    // Begun, then dropped.
    tokio::select! { biased; _ = &mut asked => {}, () = std::future::ready(()) => {} }
    drop(asked);
    bench.hub.settle().await;
    assert!(bench.hub.device_by_address(&kin(), "dev").is_some());
    assert!(matches!(feed.next().await, Next::Event(_)));
}

#[tokio::test]
async fn devices_are_made_found_renamed_and_forgotten() {
    let bench = Bench::new(HubSettings::default()).await;
    let device = bench.hub.create(&kin(), "0A0B", Some("Oven")).await.unwrap();
    assert!(matches!(bench.hub.create(&kin(), "0a0b", None).await, Err(HubError::Conflict { .. })));
    for text in [device.names.id.as_str(), "0a0B", "oven"] {
        assert_eq!(bench.hub.find_device(text).unwrap(), device);
    }
    let renamed = bench.hub.rename(&device.names.id, " Grill ").await.unwrap();
    assert_eq!(renamed.names.name, "Grill");
    assert!(bench.hub.rename(&device.names.id, "  ").await.is_err());
    bench.hub.forget(&device.names.id).await.unwrap();
    assert_eq!(bench.hub.find_device("Grill"), Err(HubError::NotFound("device")));
    assert!(bench.again().await.device_by_address(&kin(), "0a0b").is_none());
    bench.say("0a0b", "back again", vec![]).await;
}

#[tokio::test]
async fn a_command_that_was_taken_and_not_yet_acknowledged_is_asked_about_and_not_sent_twice() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let queued = bench.hub.enqueue(order("A1", None)).await.unwrap();
    assert!(bench.say("A1", "one", Vec::new()).await.pending);
    assert!(pull(&bench.hub, "A1", Acknowledgement::Taken).await.lease.is_some());
    assert!(!bench.say("A1", "two", Vec::new()).await.pending, "it is on its way");
    bench.pass(Duration::from_mins(1));
    bench.hub.sweep().await.unwrap();
    assert!(bench.say("A1", "three", Vec::new()).await.pending, "what became of it?");
    assert_eq!(pull(&bench.hub, "A1", Acknowledgement::Taken).await, Pulled::default());
    assert_eq!(bench.hub.command(&queued.id).await.unwrap().unwrap().state, CommandState::Accepted);
    assert!(!bench.say("A1", "four", Vec::new()).await.pending);
}

#[tokio::test]
async fn a_reply_to_an_earlier_try_settles_a_command_that_went_back_to_the_queue() {
    let bench = Bench::new(policy(UnknownPolicy::Accept)).await;
    let queued = bench.hub.enqueue(order("A1", None)).await.unwrap();
    let lease = pull(&bench.hub, "A1", Acknowledgement::Taken).await.lease.unwrap();
    bench.pass(Duration::from_mins(6));
    bench.hub.sweep().await.unwrap();
    assert_eq!(bench.hub.command(&queued.id).await.unwrap().unwrap().state, CommandState::Queued);
    let reply = Event::Reply { wire_id: lease.wire_id, keys: vec!["port".to_owned()], within: None };
    assert!(!bench.say("A1", "done", vec![reply]).await.pending);
    assert_eq!(bench.hub.command(&queued.id).await.unwrap().unwrap().state, CommandState::Answered);
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Remark {
    name: String,
    text: String,
}

impl Kept for Remark {
    const KIND: &'static str = "remark";
    const KEEP_MAX: Option<u32> = Some(2);

    fn key(&self) -> String {
        self.name.clone()
    }
}

#[tokio::test]
async fn small_documents_are_kept_and_come_back() {
    let bench = Bench::new(HubSettings::default()).await;
    let hub = &bench.hub;
    let remark = |name: &str, text: &str| Remark { name: name.to_owned(), text: text.to_owned() };
    for (name, text) in [("a", "one"), ("b", "two"), ("b", "three"), ("c", "four")] {
        hub.keep(&remark(name, text)).await.unwrap();
    }
    assert_eq!(hub.kept::<Remark>("b").await.unwrap(), Some(remark("b", "three")));
    assert_eq!(hub.kept::<Remark>("a").await.unwrap(), None, "only the newest two are kept");
    let page = hub.kept_all::<Remark>(None, None, 1).await.unwrap();
    assert_eq!(page[0].1, remark("c", "four"));
    let before = Some((page[0].0, page[0].1.key()));
    assert_eq!(hub.kept_all::<Remark>(None, before, 9).await.unwrap()[0].1, remark("b", "three"));
    assert!(!hub.keep_new(&remark("c", "five")).await.unwrap());
    hub.forget_kept::<Remark>("c").await.unwrap();
    assert!(hub.keep_new(&remark("c", "five")).await.unwrap());
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Leaf(u32);

impl Kept for Leaf {
    const KIND: &'static str = "leaf";

    fn key(&self) -> String {
        self.0.to_string()
    }
}

#[tokio::test]
async fn each_small_document_is_handed_over_once_whatever_a_page_holds() {
    let bench = Bench::new(HubSettings::default()).await;
    // As many at once as the store's queue takes.
    for some in (0..1001).collect::<Vec<u32>>().chunks(16) {
        let keeping = some.iter().map(|&number| {
            let hub = bench.hub.clone();
            async move { hub.keep(&Leaf(number)).await.unwrap() }
        });
        keeping.collect::<tokio::task::JoinSet<_>>().join_all().await;
    }
    let mut found = Vec::new();
    bench.hub.kept_each(|Leaf(number)| found.push(number)).await.unwrap();
    found.sort_unstable();
    assert_eq!(found, (0..1001).collect::<Vec<_>>());
}
