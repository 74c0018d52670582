//! Scheduled commands on a real store: each due time once, whoever looks and however often.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use homeport::core::{CommandFilter, Hub, HubSettings, Progress};
use homeport::family::{self, Family, FamilySettings, schedules};
use homeport::model::{Clock, CommandRecord, Device, FamilyName, Schedule, Timestamp, When};
use homeport::store::{Store, Target, WriterSettings};

struct Kitchen {
    hub: Hub,
    store: Store,
    families: Vec<Arc<dyn Family>>,
    now: Arc<AtomicI64>,
    oven: Device,
    _folder: tempfile::TempDir,
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let hands = Arc::clone(now);
    Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)))
}

impl Kitchen {
    /// It is 2026-11-21, 05:00 UTC.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let now = Arc::new(AtomicI64::new(Timestamp::parse("2026-11-21T05:00:00Z").unwrap().micros()));
        let hub = Hub::start(store.clone(), clock(&now), HubSettings::default()).await.unwrap();
        let oven = hub.create(&FamilyName::new("cwm"), "036334d0b8df1f05", None).await.unwrap();
        let issuer: Arc<dyn family::Issuer> = Arc::new(family::NoIssuer);
        let families = family::all(&FamilySettings::default(), &issuer);
        Self { hub, store, families, now, oven, _folder: folder }
    }

    fn pass(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    async fn plan(&self, times: &[&str], every_min: Option<u32>) -> Schedule {
        let times = times.iter().map(|time| time.parse().unwrap()).collect();
        let schedule = Schedule {
            id: Schedule::fresh_id(),
            name: "Relay".to_owned(),
            device: self.oven.names.id.clone(),
            cmd: "wr".to_owned(),
            payload: r#"{"cmd":{"relay":1}}"#.to_owned(),
            when: When { times, every_min, days: Vec::new(), zone: "UTC".to_owned() },
            enabled: true,
            expires_in_s: 600,
            by: "user:admin".to_owned(),
            changed: self.hub.now(),
        };
        self.hub.schedule(schedule).await.unwrap()
    }

    async fn look(&self) {
        schedules::look(&self.families, &self.hub).await.unwrap();
    }

    async fn commands(&self) -> Vec<CommandRecord> {
        let device = Some(self.oven.names.id.clone());
        self.hub.commands(CommandFilter { device, limit: 100, ..CommandFilter::default() }).await.unwrap()
    }

    async fn progress(&self, schedule: &Schedule) -> Progress {
        self.hub.kept::<Progress>(&schedule.id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_due_minute_is_queued_once_across_looks_restarts_and_servers() {
    let kitchen = Kitchen::new().await;
    kitchen.plan(&["06:30"], None).await;
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 0);
    kitchen.pass(Duration::from_mins(90));
    kitchen.look().await;
    kitchen.look().await;
    // A second server on the same store that looks at the same moment, knowing nothing of the first.
    let other = Hub::start(kitchen.store.clone(), clock(&kitchen.now), HubSettings::default()).await.unwrap();
    tokio::try_join!(
        schedules::look(&kitchen.families, &kitchen.hub),
        schedules::look(&kitchen.families, &other)
    )
    .unwrap();
    let commands = kitchen.commands().await;
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0].payload, r#"{"cmd":{"relay":1}}"#);
    assert_eq!(commands[0].transitions[0].by, "schedule:Relay");
    assert_eq!(commands[0].expires, commands[0].created.plus(Duration::from_mins(10)));
    kitchen.pass(Duration::from_hours(24));
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 2);
}

#[tokio::test]
async fn a_crash_between_queueing_and_noting_it_queues_nothing_twice() {
    let kitchen = Kitchen::new().await;
    let schedule = kitchen.plan(&[], Some(1)).await;
    kitchen.pass(Duration::from_mins(1));
    kitchen.look().await;
    kitchen.hub.forget_kept::<Progress>(&schedule.id).await.unwrap();
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 1);
    // The same when it is noticed only later.
    kitchen.hub.forget_kept::<Progress>(&schedule.id).await.unwrap();
    kitchen.pass(Duration::from_mins(4));
    kitchen.look().await;
    let progress = kitchen.progress(&schedule).await;
    assert_eq!(
        progress.missed, 1,
        "of minutes 1 to 5 the first was queued, 2 is too late, 3 to 5 are in time"
    );
    assert_eq!(kitchen.commands().await.len(), 4);
}

#[tokio::test]
async fn what_fell_due_while_no_server_ran_is_skipped_with_a_note() {
    let kitchen = Kitchen::new().await;
    let schedule = kitchen.plan(&["06:30", "18:00"], None).await;
    kitchen.pass(Duration::from_hours(14));
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 0);
    let progress = kitchen.progress(&schedule).await;
    assert_eq!((progress.missed, progress.last.note.as_deref()), (2, Some("no server ran when it was due")));
    assert_eq!(Some(progress.last.due), Timestamp::parse("2026-11-21T18:00:00Z"));
}

#[tokio::test]
async fn a_change_is_due_from_then_on_and_a_paused_one_never() {
    let kitchen = Kitchen::new().await;
    let mut schedule = kitchen.plan(&["06:30"], None).await;
    schedule.enabled = false;
    schedule = kitchen.hub.schedule(schedule).await.unwrap();
    kitchen.pass(Duration::from_hours(3));
    kitchen.look().await;
    schedule.enabled = true;
    kitchen.hub.schedule(schedule.clone()).await.unwrap();
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 0);
    assert_eq!(kitchen.hub.kept::<Progress>(&schedule.id).await.unwrap(), None, "nothing was missed");
}

#[tokio::test]
async fn a_device_that_is_not_let_in_is_not_commanded_and_not_adopted() {
    let kitchen = Kitchen::new().await;
    let schedule = kitchen.plan(&[], Some(60)).await;
    kitchen.hub.block(&kitchen.oven.names.id).await.unwrap();
    kitchen.pass(Duration::from_hours(1));
    kitchen.look().await;
    assert_eq!(kitchen.commands().await.len(), 0);
    assert_eq!(kitchen.progress(&schedule).await.last.note.as_deref(), Some("the device is blocked"));
    kitchen.hub.forget(&kitchen.oven.names.id).await.unwrap();
    assert_eq!(kitchen.hub.schedules(None).await.unwrap(), [], "a schedule goes with its device");
}
