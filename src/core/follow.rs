//! What happens, in one order, without loss: for watchers who go on where they were.
//!
//! Messages and values are told in the order of the ledger, out of the store; what the feed says is only that there is
//! something new. So nothing is lost that a watcher was too slow for, what another server on the same store took in is told
//! too, and a place means the same after a restart. Who watches shares what was read last. Everything else (devices,
//! commands, alerts) has no place in the ledger: the last of it is kept in memory, and who was away for longer is told so.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::{After, DataFilter, FeedEvent, Heard, Hub, HubError};
use crate::model::{MessageRecord, Seq, Timestamp};
use crate::store::Bulk;

/// A place among all that happened; its text is what a watcher names to go on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The ledger entry that was told last.
    seq: i64,
    /// How much of it was: its message is 0, its values follow. [`ALL`] is all of it.
    nth: u32,
    /// The run of the server, and how many of its other events were told; `None` when it is not known.
    others: Option<(u32, u64)>,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Something happened.
    Event(Place, Arc<FeedEvent>),
    /// What was said after one ledger entry, up to another, is not told: there is too much of it, it was removed, or the
    /// place is none of this store.
    Skipped {
        /// Where it goes on.
        place: Place,
        /// The entry that was told last; `None` is unknown.
        after: Option<Seq>,
        /// The last that is not told.
        upto: Seq,
    },
    /// Changes of devices and commands are not told: they are too many, or of an earlier run of the server.
    Changed(Place),
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Follower {
    hub: Hub,
    place: Place,
    stirred: watch::Receiver<()>,
    /// What is to be told before anything else.
    first: Vec<Told>,
    _among: Among,
}

/// What was read from the ledger last, shared by all who watch.
#[derive(Debug, Default)]
pub(super) struct Tail {
    window: Mutex<Window>,
    watchers: AtomicUsize,
}

type Entry = (i64, u32, Arc<FeedEvent>);

#[derive(Debug, Default)]
struct Window {
    /// Of the entries behind this one...
    begin: i64,
    /// ...up to this one, everything is here.
    end: i64,
    entries: VecDeque<Entry>,
    /// The end of the ledger as it was read last, and when.
    ledger_end: i64,
    read: Option<Instant>,
}

/// One of those who watch; the last one clears up.
#[derive(Debug)]
struct Among(Hub);

impl Hub {
    /// Watches from a place on, or from now on.
    pub async fn follow(&self, from: Option<&str>) -> Result<Follower, HubError> {
        let among = Among::new(self);
        let stirred = self.0.teller.stirred();
        let end = self.last_entry().await?.0;
        let mark = self.0.teller.slow().mark();
        let now = Place { seq: end, nth: ALL, others: Some(mark) };
        let mut first = Vec::new();
        let place = match from {
            None => now,
            Some(text) => {
                let place = Place::parse(text);
                let pruned = self.reader().pruned(Bulk::Readings).await?.0;
                let seq = place.filter(|place| place.seq <= end && end - place.seq <= BEHIND_MAX);
                let seq = seq.filter(|place| place.seq >= pruned);
                let after = place.map(|place| Seq(place.seq));
                let others = place.and_then(|place| place.others).filter(|known| known.0 == mark.0);
                let start = Place { others: others.or(now.others), ..seq.unwrap_or(now) };
                if seq.is_none() {
                    first.push(Told::Skipped { place: start, after, upto: Seq(end) });
                }
                if others.is_none() {
                    first.push(Told::Changed(start));
                }
                start
            }
        };
        Ok(Follower { hub: self.clone(), place, stirred, first, _among: among })
    }
}

impl Follower {
    /// Where it is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Waits for what happens next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Told>, HubError> {
        if !self.first.is_empty() {
            return Ok(std::mem::take(&mut self.first));
        }
        loop {
            self.stirred.borrow_and_update();
            let mut place = self.place;
            let mut told = self.others(&mut place);
            told.extend(self.said(&mut place).await?);
            if !told.is_empty() {
                self.place = place;
                return Ok(told);
            }
            // Another server may have stored something; the hub, when it is gone, tells by the end of its tasks.
            drop(timeout(LOOK_AGAIN, self.stirred.changed()).await);
        }
    }

    /// What happened beside the ledger.
    fn others(&self, place: &mut Place) -> Vec<Told> {
        let slow = self.hub.0.teller.slow();
        let Some((run, count)) = place.others else { return Vec::new() };
        let Some(events) = slow.since(count) else {
            place.others = Some(slow.mark());
            return vec![Told::Changed(*place)];
        };
        let mut told = Vec::with_capacity(events.len());
        for (count, event) in (count + 1..).zip(events) {
            place.others = Some((run, count));
            told.push(Told::Event(*place, event));
        }
        told
    }

    /// What the ledger has behind the place.
    async fn said(&self, place: &mut Place) -> Result<Vec<Told>, HubError> {
        let hub = &self.hub;
        let read = {
            let mut window = hub.0.tail.window.lock().await;
            window.advance(hub, place.seq).await?;
            let end = window.ledger_end;
            if end.saturating_sub(place.seq) > BEHIND_MAX {
                let after = Some(Seq(place.seq));
                (place.seq, place.nth) = (end, ALL);
                return Ok(vec![Told::Skipped { place: *place, after, upto: Seq(end) }]);
            }
            let whole = if place.nth == ALL { place.seq } else { place.seq - 1 };
            (window.begin > whole).then_some(whole).map_or_else(|| Ok(window.since(place)), Err)
        };
        let entries = match read {
            Ok(entries) => entries,
            // It is far behind, and reads for itself.
            Err(whole) => {
                let (entries, _) = entries_after(hub, whole).await?;
                entries.into_iter().filter(|entry| place.is_before(entry)).collect()
            }
        };
        Ok(entries
            .into_iter()
            .map(|(seq, nth, event)| {
                (place.seq, place.nth) = (seq, nth);
                Told::Event(*place, event)
            })
            .collect())
    }
}

impl Window {
    /// Reads what was stored since, unless that was done a moment ago.
    async fn advance(&mut self, hub: &Hub, wanted: i64) -> Result<(), HubError> {
        if self.end > wanted {
            return Ok(());
        }
        if let Some(read) = self.read.filter(|_| self.end >= self.ledger_end) {
            sleep_until(read + PAUSE).await;
        }
        let end = hub.last_entry().await?.0;
        (self.ledger_end, self.read) = (end, Some(Instant::now()));
        if self.entries.is_empty() && (self.end == 0 || end - self.end > READ_COUNT.into()) {
            // Nobody watched for long: who is behind reads for itself.
            (self.begin, self.end) = (wanted.min(end), wanted.min(end));
        }
        if end <= self.end {
            return Ok(());
        }
        let (entries, upto) = entries_after(hub, self.end).await?;
        self.entries.extend(entries);
        self.end = self.end.max(upto);
        while self.entries.len() > WINDOW_MAX {
            let Some((seq, ..)) = self.entries.pop_front() else { break };
            // What is left of this entry is not all of it.
            self.begin = self.begin.max(seq);
        }
        Ok(())
    }

    fn since(&self, place: &Place) -> Vec<Entry> {
        let from = self.entries.partition_point(|entry| !place.is_before(entry));
        self.entries.range(from..).take(TOLD_MAX).cloned().collect()
    }
}

impl Place {
    const fn is_before(&self, (seq, nth, _): &Entry) -> bool {
        *seq > self.seq || (*seq == self.seq && *nth > self.nth)
    }

    /// Reads a place's text; a bare number is a ledger entry that was told whole.
    fn parse(text: &str) -> Option<Self> {
        let (ledger, others) = match text.split_once('~') {
            None => (text, None),
            Some((ledger, others)) => {
                let (run, count) = others.split_once('.')?;
                (ledger, Some((u32::from_str_radix(run, 16).ok()?, count.parse().ok()?)))
            }
        };
        let (seq, nth) = match ledger.split_once('.') {
            None => (ledger, ALL),
            Some((seq, nth)) => (seq, nth.parse().ok()?),
        };
        let seq = seq.parse().ok().filter(|seq| *seq >= 0)?;
        Some(Self { seq, nth, others })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seq)?;
        if self.nth != ALL {
            write!(f, ".{}", self.nth)?;
        }
        match self.others {
            Some((run, count)) => write!(f, "~{run:x}.{count}"),
            None => Ok(()),
        }
    }
}

impl Among {
    fn new(hub: &Hub) -> Self {
        hub.0.tail.watchers.fetch_add(1, Ordering::Relaxed);
        Self(hub.clone())
    }
}

impl Drop for Among {
    fn drop(&mut self) {
        let tail = &self.0.0.tail;
        if tail.watchers.fetch_sub(1, Ordering::Relaxed) == 1
            && let Ok(mut window) = tail.window.try_lock()
        {
            *window = Window::default();
        }
    }
}

/// What some entries of the ledger behind one hold, and the last of them.
async fn entries_after(hub: &Hub, after: i64) -> Result<(Vec<Entry>, i64), HubError> {
    let messages = hub.reader().messages_after(Seq(after), READ_COUNT).await?;
    let Some(end) = messages.last().map(|message| message.seq) else { return Ok((Vec::new(), after)) };
    hub.filed().await?;
    let mut values = Values { after, end, page: VecDeque::new(), last: None, ended: false };
    let mut entries = Vec::new();
    for message in messages {
        let (seq, device, at) = (message.seq.0, message.device.clone(), message.at);
        entries.push((seq, 0, Arc::new(FeedEvent::Message(heard(message)))));
        let mut nth = 0;
        while let Some(datum) = values.of(hub, seq).await? {
            nth += 1;
            // What was brought over was said long ago, and elsewhere.
            if let Some(device) = device.as_ref().filter(|_| is_of_now(at, datum.time_received)) {
                let event = FeedEvent::Reading { device: device.clone(), datum };
                entries.push((seq, nth, Arc::new(event)));
            }
        }
    }
    Ok((entries, end.0))
}

fn is_of_now(message: Timestamp, value: Timestamp) -> bool {
    message == value
}

fn heard(message: MessageRecord) -> Heard {
    Heard {
        seq: message.seq,
        at: message.at,
        device: message.device,
        direction: message.direction,
        verdict: message.verdict,
        size: message.size,
    }
}

/// Values of a stretch of the ledger, one after the other.
struct Values {
    after: i64,
    end: Seq,
    page: VecDeque<crate::model::Datum>,
    last: Option<After>,
    ended: bool,
}

impl Values {
    /// The next value, if it is of this entry.
    async fn of(&mut self, hub: &Hub, seq: i64) -> Result<Option<crate::model::Datum>, HubError> {
        if self.page.is_empty() && !self.ended {
            let begin = || After { seq: Seq(self.after), sensor: BEYOND.to_owned(), count: 0 };
            let after = Some(self.last.clone().unwrap_or_else(begin));
            let filter = DataFilter {
                upto: Some(self.end),
                after: after.clone(),
                limit: VALUES,
                ..DataFilter::default()
            };
            let page = hub.data(filter).await?;
            self.ended = page.len() < usize::try_from(VALUES).unwrap_or(usize::MAX);
            self.last = After::last_of(&page, after.as_ref());
            self.page = page.into_iter().map(|(_, datum)| datum).collect();
        }
        while self.page.front().is_some_and(|datum| datum.seq.0 < seq) {
            self.page.pop_front();
        }
        Ok(if self.page.front().is_some_and(|datum| datum.seq.0 == seq) {
            self.page.pop_front()
        } else {
            None
        })
    }
}

/// All of a ledger entry.
const ALL: u32 = u32::MAX;
/// Behind every sensor's name.
const BEYOND: &str = "\u{10ffff}";
/// Entries of the ledger read at a time.
const READ_COUNT: u32 = 128;
/// Values read at a time.
const VALUES: u32 = 2000;
/// Messages and values that are kept for all who watch.
const WINDOW_MAX: usize = 8192;
/// Messages and values told at a time.
const TOLD_MAX: usize = 512;
/// Who is further behind than so many entries is told that it was too much.
const BEHIND_MAX: i64 = 100_000;
/// Between two reads of what is new: what comes meanwhile is read together.
const PAUSE: Duration = Duration::from_millis(50);
/// How long until the store is asked although nothing is known to have happened.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
