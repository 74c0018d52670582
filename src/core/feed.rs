//! The live feed: what happened, told after it was committed.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::model::{CommandRecord, Datum, Device, DeviceRef, Direction, Seq, Timestamp, Verdict};
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
            device: report.device.clone(),
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
pub(super) struct Teller(broadcast::Sender<Arc<FeedEvent>>);

impl Teller {
    /// A feed whose watchers may be `backlog` events behind.
    pub(super) fn new(backlog: usize) -> Self {
        Self(broadcast::Sender::new(backlog.clamp(1, 1 << 20)))
    }

    /// Tells everybody who watches now.
    pub(super) fn tell(&self, event: FeedEvent) {
        // An error only says that nobody watches.
        if self.0.receiver_count() > 0 {
            drop(self.0.send(Arc::new(event)));
        }
    }

    /// Whether telling is worth the trouble.
    pub(super) fn watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// A new watcher, who hears what happens from now on.
    pub(super) fn watch(&self) -> Feed {
        Feed(self.0.subscribe())
    }
}
