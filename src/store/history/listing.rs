//! Values out of pages, in the order in which they are listed: by ledger entry, then sensor, then as the message has
//! them.

use super::newest;
use super::page::Page;
use crate::model::{Datum, Timestamp};
use crate::store::DataFilter;

/// The page of a list that is being filled.
pub(crate) struct Listing<'f, K> {
    filter: &'f DataFilter,
    /// Entries up to here were pruned: of them only newest values are listed.
    pruned: i64,
    /// How many values at the place where the list goes on are to be passed by.
    passed: u32,
    values: Vec<(K, Datum)>,
}

impl<'f, K: Clone> Listing<'f, K> {
    /// An empty one.
    pub(crate) fn new(filter: &'f DataFilter, pruned: i64) -> Self {
        let passed = filter.after.as_ref().map_or(0, |after| after.count);
        Self { filter, pruned, passed, values: Vec::new() }
    }

    /// The arrivals that may be on it: at or after, and before.
    pub(crate) fn times(&self) -> (i64, i64) {
        let from = self.filter.from.map_or(i64::MIN, Timestamp::micros);
        (from, self.filter.to.map_or(i64::MAX, Timestamp::micros))
    }

    /// The first and the last entry that may be on it.
    pub(crate) fn entries(&self) -> (i64, i64) {
        let upto = self.filter.upto.map_or(i64::MAX, |upto| upto.0);
        match &self.filter.after {
            None => (i64::MIN, upto),
            Some(after) if self.filter.newest_first => (i64::MIN, upto.min(after.seq.0)),
            Some(after) => (after.seq.0, upto),
        }
    }

    /// Whether a sensor may be on it.
    pub(crate) fn wants(&self, sensor: &str) -> bool {
        let sensors = &self.filter.sensors;
        sensors.is_empty() || sensors.iter().any(|wanted| wanted == sensor)
    }

    /// Whether a page with entries up to `last`, the first being `first`, needs the device's newest values beside it.
    pub(crate) const fn needs_newest(&self, first: i64) -> bool {
        first <= self.pruned
    }

    /// Adds the values of a device's page, of the entries from `from` to `upto`. `newest` is what the device measured
    /// last, if [`Listing::needs_newest`].
    pub(crate) fn take(&mut self, device: &K, page: &Page, newest: Option<&Page>, (from, upto): (i64, i64)) {
        let kept = newest.and_then(|newest| newest::kept(page, newest));
        let is_newest = |sensor: &str, seq: i64| {
            kept.as_ref().is_some_and(|kept| {
                kept.columns.iter().any(|column| {
                    *column.sensor == *sensor
                        && column
                            .points
                            .iter()
                            .any(|point| kept.head(point).is_some_and(|head| head.seq == seq))
                })
            })
        };
        let (first, last) = self.entries();
        let (from, upto) = (from.max(first), upto.min(last));
        let mut next = vec![0; page.columns.len()];
        for (place, head) in page.messages.iter().enumerate() {
            let listed = head.seq >= from && head.seq <= upto && self.in_time(head.at_us);
            for (column, next) in page.columns.iter().zip(&mut next) {
                let points = column.points.get(*next..).unwrap_or_default();
                let run = points.iter().take_while(|point| point.message == place).count();
                *next += run;
                let seen = head.seq > self.pruned || is_newest(&column.sensor, head.seq);
                if !listed || !seen || !self.wants(&column.sensor) || self.is_before(head.seq, &column.sensor)
                {
                    continue;
                }
                // Of the newest message of a pruned stretch the newest value alone is left.
                let skipped = if head.seq > self.pruned { 0 } else { run.saturating_sub(1) };
                let points = points.iter().take(run).skip(skipped);
                self.values.extend(
                    points.map(|point| (device.clone(), newest::datum(&column.sensor, *head, point))),
                );
            }
        }
    }

    /// Adds what another list of the same filter has.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// Whether the list is full, if no value that belongs before the last one is still to come.
    pub(crate) fn is_full(&self) -> bool {
        self.values.len() >= self.limit() + usize::try_from(self.passed).unwrap_or(usize::MAX)
    }

    /// How many messages to look at next, after `seen` of them: about as many as have what is missing. So neither a list
    /// of messages with many values holds far more than its own, nor is one of few read in many steps.
    pub(crate) fn stretch(&self, seen: u32) -> u32 {
        let found = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        if seen == 0 {
            return STRETCH_MIN;
        }
        let missing =
            u64::from(self.filter.limit.saturating_sub(found)).saturating_add(u64::from(self.passed));
        let wanted = missing.saturating_mul(u64::from(seen)) / u64::from(found.max(1)) + 1;
        u32::try_from(wanted).unwrap_or(u32::MAX).clamp(STRETCH_MIN, STRETCH_MAX)
    }

    /// The list.
    pub(crate) fn finish(mut self) -> Vec<(K, Datum)> {
        // Stable: values of one sensor in one message stay in their order.
        self.values.sort_by(|(_, one), (_, other)| (one.seq, &one.sensor).cmp(&(other.seq, &other.sensor)));
        if self.filter.newest_first {
            self.values.reverse();
        }
        let passed = self.values.iter().take_while(|(_, datum)| self.is_at(datum));
        let passed = passed.count().min(usize::try_from(self.passed).unwrap_or(usize::MAX));
        drop(self.values.drain(..passed));
        self.values.truncate(self.limit());
        self.values
    }

    fn limit(&self) -> usize {
        usize::try_from(self.filter.limit).unwrap_or(usize::MAX)
    }

    fn in_time(&self, at_us: i64) -> bool {
        self.filter.from.map(Timestamp::micros).is_none_or(|from| at_us >= from)
            && self.filter.to.map(Timestamp::micros).is_none_or(|to| at_us < to)
    }

    /// Whether a sensor's values of an entry were listed before.
    fn is_before(&self, seq: i64, sensor: &str) -> bool {
        let newest_first = self.filter.newest_first;
        self.filter.after.as_ref().is_some_and(|after| {
            let before =
                if newest_first { sensor > after.sensor.as_str() } else { sensor < after.sensor.as_str() };
            seq == after.seq.0 && before
        })
    }

    fn is_at(&self, datum: &Datum) -> bool {
        self.filter
            .after
            .as_ref()
            .is_some_and(|after| datum.seq == after.seq && *datum.sensor == *after.sensor)
    }
}

/// Ledger entries whose values are looked for at a time.
const STRETCH_MIN: u32 = 64;
const STRETCH_MAX: u32 = 2000;
