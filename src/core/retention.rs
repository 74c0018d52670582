//! Keeping what is wanted and no more: what is old, or too much, goes in small pieces between other writes.
//!
//! The ledger's entries and hashes stay for ever; what goes is the exact bytes of messages, what they measured,
//! fingerprints of repeats, and commands that are done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::hub::astray;
use super::{Hub, HubError};
use crate::model::{Seq, Timestamp};
use crate::store::{Bulk, Outcome, Place, Prune, Pruned, Write};

/// How long and how much is kept. Zero is for ever, or without bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Days for which messages keep their exact bytes.
    pub raw_days: u32,
    /// Exact bytes of all messages together.
    pub raw_bytes_max: u64,
    /// Days for which values are kept.
    pub telemetry_days: u32,
    /// Values of all devices together, in bytes of the pages that hold them.
    pub telemetry_bytes_max: u64,
    /// Days for which commands are kept that nothing will happen to any more.
    pub commands_days: u32,
    /// Days for which the rows of the audit log are kept.
    pub audit_days: u32,
    /// Days for which the repeat of a message is found to be one.
    pub repeats_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            raw_days: 0,
            raw_bytes_max: 0,
            telemetry_days: 0,
            telemetry_bytes_max: 0,
            commands_days: 0,
            audit_days: 0,
            repeats_days: 30,
        }
    }
}

/// The work of retention: what it knows from one round to the next. One per server.
#[derive(Debug, Default)]
pub struct Retention {
    raw: Tally,
    readings: Tally,
    repeats: Walk,
    removed: u64,
}

/// What the entries after `mark` hold, as far as they were counted.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Where pruning stands.
    mark: Seq,
    /// Counted up to here.
    upto: Seq,
    bytes: u64,
    /// How many devices had been forgotten, and when it was begun: both make it wrong some day.
    forgets: u64,
    begun: Timestamp,
}

/// A walk over all fingerprints.
#[derive(Debug, Default)]
struct Walk {
    place: Option<Place>,
    /// When the next one may begin, in seconds.
    next: i64,
}

impl Retention {
    /// Does a small piece of each kind of work that is due; says whether there is more to do now. Does nothing
    /// while the writer has its hands full.
    pub async fn round(&mut self, hub: &Hub) -> Result<bool, HubError> {
        if hub.0.store.waiting() > WAITING_MAX {
            return Ok(true);
        }
        let settings = hub.settings().retention.clone();
        let mut more = self.thin(hub, Bulk::Raw, settings.raw_days, settings.raw_bytes_max).await?;
        more |= self.thin(hub, Bulk::Readings, settings.telemetry_days, settings.telemetry_bytes_max).await?;
        if settings.commands_days > 0 {
            let before = hub.now().minus(days(settings.commands_days));
            more |= self.prune(hub, Prune::Commands { before, limit: COMMANDS }).await?.more;
        }
        if settings.audit_days > 0 {
            let before = hub.now().minus(days(settings.audit_days));
            more |= self.prune(hub, Prune::Audit { before, limit: AUDIT_ROWS }).await?.more;
        }
        if settings.repeats_days > 0 {
            more |= self.forget_repeats(hub, settings.repeats_days).await?;
        }
        if !more && self.removed > 0 {
            tracing::info!(rows = self.removed, "removed what was older or more than is to be kept");
            self.removed = 0;
        }
        Ok(more)
    }

    /// Removes what is too old, then the oldest of what is too much.
    async fn thin(&mut self, hub: &Hub, what: Bulk, age: u32, bytes_max: u64) -> Result<bool, HubError> {
        if what == Bulk::Readings && hub.history_is_held() {
            return Ok(false);
        }
        let mut more = false;
        if age > 0 {
            let below = hub.since(age).await?;
            more |= self.entries(hub, what, below, None).await?;
        }
        if bytes_max == 0 {
            return Ok(more);
        }
        more |= self.count(hub, what).await?;
        let tally = *self.tally(what);
        if tally.bytes > bytes_max {
            let too_much = Some(tally.bytes - bytes_max);
            let further = self.entries(hub, what, Seq(tally.upto.0 + 1), too_much).await?;
            more |= further && self.tally(what).bytes > bytes_max;
        }
        Ok(more)
    }

    /// Counts a stretch more; says whether there is more to count.
    async fn count(&mut self, hub: &Hub, what: Bulk) -> Result<bool, HubError> {
        let mark = hub.reader().pruned(what).await?;
        let (forgets, now) = (hub.0.forgets.load(Ordering::Relaxed), hub.now());
        let tally = self.tally(what);
        if tally.mark != mark || tally.forgets != forgets || now >= tally.begun.plus(RECOUNT_EVERY) {
            *tally = Tally { mark, upto: mark, bytes: 0, forgets, begun: now };
        }
        let from = tally.upto;
        let weight = hub.reader().weigh(what, from, COUNTED).await?;
        tally.bytes = tally.bytes.saturating_add(weight.bytes);
        tally.upto = weight.upto.unwrap_or(from);
        Ok(tally.upto.0 - from.0 >= i64::from(COUNTED))
    }

    async fn entries(
        &mut self,
        hub: &Hub,
        what: Bulk,
        below: Seq,
        bytes: Option<u64>,
    ) -> Result<bool, HubError> {
        let work = Prune::Entries { what, below, limit: ENTRIES, bytes };
        let pruned = self.prune(hub, work).await?;
        let tally = self.tally(what);
        match pruned.stretch {
            // Another mark than ours is seen by the next count.
            Some((mark, upto)) if mark == tally.mark => {
                tally.mark = upto;
                tally.upto = tally.upto.max(upto);
                tally.bytes = tally.bytes.saturating_sub(pruned.bytes);
            }
            Some(_) | None => {}
        }
        Ok(pruned.more)
    }

    fn tally(&mut self, what: Bulk) -> &mut Tally {
        match what {
            Bulk::Raw => &mut self.raw,
            Bulk::Readings => &mut self.readings,
        }
    }

    async fn forget_repeats(&mut self, hub: &Hub, days: u32) -> Result<bool, HubError> {
        let now = hub.now();
        if self.repeats.place.is_none() && now.seconds() < self.repeats.next {
            return Ok(false);
        }
        let below = hub.since(days).await?;
        let work = Prune::Fingerprints { below, after: self.repeats.place.take(), limit: FINGERPRINTS };
        let pruned = self.prune(hub, work).await?;
        if !pruned.more {
            self.repeats.next = now.plus(WALK_EVERY).seconds();
        }
        self.repeats.place = pruned.place;
        Ok(pruned.more)
    }

    async fn prune(&mut self, hub: &Hub, work: Prune) -> Result<Pruned, HubError> {
        let outcome = hub.write(Write::Prune(work)).await?;
        let Outcome::Pruned(pruned) = outcome else { return Err(astray(&outcome)) };
        self.removed += pruned.rows;
        Ok(pruned)
    }
}

impl Hub {
    /// The first ledger entry that is younger than so many days.
    async fn since(&self, age: u32) -> Result<Seq, HubError> {
        Ok(self.reader().first_since(self.now().minus(days(age))).await?)
    }
}

const fn days(count: u32) -> Duration {
    Duration::from_secs(count as u64 * 24 * 60 * 60)
}

/// As many writes may wait for a piece of this work to be done between them.
const WAITING_MAX: usize = 256;
/// Ledger entries that one piece looks at: with their places in the index up to a hundred pages of the
/// database.
const ENTRIES: u32 = 50;
/// Ledger entries that are counted at a time, by a reader.
const COUNTED: u32 = 2000;
/// Commands that one piece removes, with their transitions.
const COMMANDS: u32 = 50;
const AUDIT_ROWS: u32 = 500;
/// Fingerprints that one piece looks at: a few pages of the database.
const FINGERPRINTS: u32 = 300;
/// How often all fingerprints are looked at.
const WALK_EVERY: Duration = Duration::from_hours(6);
/// How often the bytes are counted anew.
const RECOUNT_EVERY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests;
