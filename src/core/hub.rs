//! The hub's own state: what every part of it works on.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::{AtomicBool, AtomicU64};

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::task::TaskTracker;

use super::alerts::{Counted, Turns};
use super::audit_log::Unwritten;
use super::bell::Bell;
use super::captures::Rate;
use super::certificates::Shown;
use super::credentials::Credentials;
use super::device_tokens::Tokens;
use super::feed::{Feed, FeedEvent, Teller};
use super::files::Shelf;
use super::follow::Tail;
use super::holds::Holds;
use super::recording::Recordings;
use super::registry::Registry;
use super::secrets::Passwords;
use super::sight::Table;
use super::standing::Stays;
use super::tally::Tally;
use super::throttle::Throttle;
use super::transfers::Porters;
use super::upkeep::Tried;
use super::whole::Whole;
use super::{HubError, HubSettings};
use crate::model::{Clock, CommandRecord, Timestamp};
use crate::store::{Outcome, Reader, Store, StoreError, Write};

/// The only door from families and pages to what is stored. Cheap to clone.
#[derive(Clone)]
pub struct Hub(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) settings: ArcSwap<HubSettings>,
    pub(super) registry: Registry,
    pub(super) teller: Teller,
    pub(super) bell: Bell,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) shelf: Shelf,
    pub(super) shown: Shown,
    pub(super) tally: Tally,
    pub(super) credentials: Credentials,
    pub(super) device_tokens: Tokens,
    pub(super) sight: Table,
    pub(super) unwritten: Unwritten,
    pub(super) capture_rate: Rate,
    pub(super) password_changes: broadcast::Sender<String>,
    pub(super) stays: Stays,
    pub(super) tried: Tried,
    /// How many devices this server has forgotten.
    pub(super) forgets: AtomicU64,
    /// Whether the first password is known to have been used.
    pub(super) entered: AtomicBool,
    pub(super) holds: Arc<Holds>,
    pub(super) tail: Tail,
    pub(super) porters: Porters,
    pub(super) recordings: Recordings,
    pub(super) alert_turns: Turns,
    pub(super) firing: Counted,
    /// When learned rhythms were kept last, in microseconds.
    pub(super) rhythms_kept: AtomicI64,
    tasks: TaskTracker,
}

impl Hub {
    /// Opens the hub over a store and loads the registry from it.
    pub async fn start(store: Store, clock: Clock, settings: HubSettings) -> Result<Self, HubError> {
        let registry = Registry::default();
        registry.load(store.read().all_devices().await?, &HashSet::new());
        let passwords = Passwords::new(Arc::new(Semaphore::new(settings.hash_parallel.max(1))));
        let hub = Self(Arc::new(Shared {
            store,
            rhythms_kept: AtomicI64::new(clock.now().micros()),
            clock,
            registry,
            teller: Teller::new(settings.feed_backlog),
            bell: Bell::default(),
            passwords,
            throttle: Throttle::new(settings.login_per_minute, settings.registrations_per_hour),
            shelf: Shelf::new(&settings.files_dir),
            shown: Shown::default(),
            tally: Tally::default(),
            password_changes: broadcast::Sender::new(16),
            stays: Stays::default(),
            tried: Tried::default(),
            forgets: AtomicU64::new(0),
            entered: AtomicBool::new(false),
            holds: Arc::default(),
            tail: Tail::default(),
            porters: Porters::default(),
            recordings: Recordings::default(),
            alert_turns: Turns::default(),
            firing: Counted::default(),
            tasks: TaskTracker::new(),
            settings: ArcSwap::from_pointee(settings),
            credentials: Credentials::default(),
            device_tokens: Tokens::default(),
            sight: Table::default(),
            unwritten: Unwritten::default(),
            capture_rate: Rate::default(),
        }));
        hub.load_credentials().await?;
        hub.load_device_tokens().await?;
        hub.read_sight().await?;
        hub.hand_over_what_is_left().await?;
        hub.rhythms_restore().await?;
        hub.recordings_read().await?;
        Ok(hub)
    }

    /// Replaces the settings; what is under way finishes with the old ones.
    pub fn settings_reload(&self, settings: HubSettings) {
        self.0.settings.store(Arc::new(settings));
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<HubSettings> {
        self.0.settings.load_full()
    }

    /// What the hub's clock says.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A place at the live feed, from now on.
    pub fn watch(&self) -> Feed {
        self.0.teller.watch()
    }

    /// Waits until every change that was begun is on disk, in the registry and told. For the shutdown: after the
    /// last request, before the store is closed.
    pub async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Carries a change through although its asker may hang up: else what was committed would be missing
    /// from the registry and the feed.
    pub fn whole<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, HubError>> + Send + 'static,
    ) -> Whole<Result<T, HubError>> {
        Whole::new(change, &self.0.tasks)
    }

    /// Does something that nobody waits for; the shutdown does.
    pub(super) fn behind(&self, chore: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.tasks.spawn(chore));
    }

    pub(super) fn reader(&self) -> &dyn Reader {
        self.0.store.read()
    }

    /// Sends a change to the store. The future says what became of it.
    pub(super) fn write(&self, write: Write) -> impl Future<Output = Result<Outcome, StoreError>> + use<> {
        let (written, hub) = (self.0.store.write(write), self.clone());
        async move { written.await.inspect_err(|error| hub.0.tried.hear(error)) }
    }

    pub(super) fn tell_commands(&self, changed: Vec<CommandRecord>) {
        for command in changed {
            self.0.tally.command(&command.device.family, command.state);
            self.0.teller.tell(FeedEvent::Command(command));
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hub")
    }
}

/// The error for an outcome that does not belong to its write; only a fault in an engine makes it.
pub(super) fn astray(outcome: &Outcome) -> HubError {
    HubError::Store(StoreError::Failed(format!("an outcome that does not fit its write: {outcome:?}")))
}
