//! The live feed: what happened, told after it was committed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::model::{
    Alert, AlertNote, CommandRecord, Datum, Device, DeviceRef, Direction, Seq, Timestamp, Verdict,
};
use crate::store::{ReportWrite, Reported};

/// Something that happened and is on disk.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// A message was stored.
    Message(Heard),
    /// A value was stored.
    Reading {
        /// Whose.
        device: DeviceRef,
        /// The value.
        datum: Datum,
    },
    /// A device was made or changed: its state, its name, its parent.
    State(Device),
    /// A command was queued or changed its state.
    Command(CommandRecord),
    /// An alert fired, was over, or a person did something about it.
    Alert(Box<Alert>, Box<AlertNote>),
}

/// A message as the feed tells it: everything but its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its place in the ledger.
    pub seq: Seq,
    /// When it arrived.
    pub at: Timestamp,
    /// Whose it is, if it said.
    pub device: Option<DeviceRef>,
    /// Which way it went.
    pub direction: Direction,
    /// What the check found, as stored.
    pub verdict: Verdict,
    /// Its length in bytes.
    pub size: usize,
}

impl Heard {
    /// A message that came in, as it was stored.
    pub(super) fn of(report: &ReportWrite, reported: &Reported) -> Self {
        Self {
            seq: reported.seq,
            at: report.at,
            device: report.names().cloned(),
            direction: Direction::In,
            verdict: reported.verdict,
            size: report.raw.len(),
        }
    }
}

/// What a watcher gets next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Something happened.
    Event(Arc<FeedEvent>),
    /// The watcher was too slow and missed so many events.
    Missed(u64),
    /// The hub is gone; nothing will follow.
    Ended,
}

/// A watcher's place at the feed.
#[derive(Debug)]
pub struct Feed(broadcast::Receiver<Arc<FeedEvent>>);

impl Feed {
    /// Waits for what happens next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Next {
        match self.0.recv().await {
            Ok(event) => Next::Event(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Next::Missed(count),
            Err(broadcast::error::RecvError::Closed) => Next::Ended,
        }
    }
}

/// The hub's end of the feed.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    told: broadcast::Sender<Arc<FeedEvent>>,
    stirred: watch::Sender<()>,
    slow: Arc<Mutex<Slow>>,
}

/// The last events that are in no ledger, counted: devices and commands.
#[derive(Debug)]
pub(super) struct Slow {
    /// Tells this run of the server from others.
    run: u32,
    /// How many there were.
    count: u64,
    last: VecDeque<Arc<FeedEvent>>,
}

impl Slow {
    /// This run of the server, and how many events there were.
    pub(super) const fn mark(&self) -> (u32, u64) {
        (self.run, self.count)
    }

    /// The events after the first `count`; `None` when they are not all there any more.
    pub(super) fn since(&self, count: u64) -> Option<Vec<Arc<FeedEvent>>> {
        let missing = usize::try_from(self.count.checked_sub(count)?).ok()?;
        let from = self.last.len().checked_sub(missing)?;
        Some(self.last.iter().skip(from).cloned().collect())
    }

    fn add(&mut self, event: Arc<FeedEvent>) {
        self.count += 1;
        self.last.push_back(event);
        if self.last.len() > SLOW_MAX {
            self.last.pop_front();
        }
    }
}

/// Events that are in no ledger, for watchers who were away for a moment.
const SLOW_MAX: usize = 1024;

impl Teller {
    /// A feed whose watchers may be `backlog` events behind.
    pub(super) fn new(backlog: usize) -> Self {
        let run = uuid::Uuid::new_v4().as_fields().0;
        Self {
            told: broadcast::Sender::new(backlog.clamp(1, 1 << 20)),
            stirred: watch::Sender::new(()),
            slow: Arc::new(Mutex::new(Slow { run, count: 0, last: VecDeque::new() })),
        }
    }

    /// Tells everybody who watches now.
    pub(super) fn tell(&self, event: FeedEvent) {
        let event = Arc::new(event);
        match *event {
            FeedEvent::Message(_) | FeedEvent::Reading { .. } => {}
            FeedEvent::State(_) | FeedEvent::Command(_) | FeedEvent::Alert(..) => {
                self.slow().add(Arc::clone(&event));
            }
        }
        // An error only says that nobody watches.
        if self.watched() {
            drop(self.told.send(event));
        }
        self.stir();
    }

    /// Lets those know who read for themselves that something is there to be read.
    pub(super) fn stir(&self) {
        if self.stirred.receiver_count() > 0 {
            self.stirred.send_replace(());
        }
    }

    /// Whoever reads for itself hears of everything by this.
    pub(super) fn stirred(&self) -> watch::Receiver<()> {
        self.stirred.subscribe()
    }

    /// What is in no ledger.
    pub(super) fn slow(&self) -> MutexGuard<'_, Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether telling is worth the trouble.
    pub(super) fn watched(&self) -> bool {
        self.told.receiver_count() > 0
    }

    /// A new watcher, who hears what happens from now on.
    pub(super) fn watch(&self) -> Feed {
        Feed(self.told.subscribe())
    }
}
