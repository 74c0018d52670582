//! Gathers numbers into buckets of time.

use std::collections::BTreeMap;

use crate::model::{Timestamp, Value};
use crate::store::{Bucket, BucketFilter, TRUSTED};

/// The numbers of one sensor in one stretch of time, as far as they were seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sum {
    /// How many.
    pub(crate) count: u64,
    /// The least.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
    /// All together.
    pub(crate) total: f64,
    /// The latest.
    pub(crate) last: f64,
    /// Its time.
    pub(crate) last_us: i64,
}

/// Sums by the bucket's start in microseconds, of several sensors.
#[derive(Debug)]
pub(crate) struct Tally {
    length_us: i64,
    from_us: i64,
    to_us: i64,
    sensors: BTreeMap<String, BTreeMap<i64, Sum>>,
}

impl Sum {
    /// Of one number.
    pub(crate) const fn of(number: f64, at_us: i64) -> Self {
        Self { count: 1, min: number, max: number, total: number, last: number, last_us: at_us }
    }

    /// Takes in what came later in the ledger.
    pub(crate) fn add(&mut self, later: &Self) {
        self.count += later.count;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
        self.total += later.total;
        if later.last_us >= self.last_us {
            (self.last, self.last_us) = (later.last, later.last_us);
        }
    }
}

impl Tally {
    /// An empty one.
    pub(crate) fn new(filter: &BucketFilter) -> Self {
        let length_us = i64::from(filter.length_s.max(1)) * 1_000_000;
        let from_us = start_of(filter.from.micros(), length_us);
        // A `to` in the middle of a bucket takes the whole of it.
        let last = start_of(filter.to.micros().saturating_sub(1), length_us);
        Self { length_us, from_us, to_us: last.saturating_add(length_us), sensors: BTreeMap::new() }
    }

    /// The first moment of the first bucket, and the first after the last one.
    pub(crate) const fn span(&self) -> (i64, i64) {
        (self.from_us, self.to_us)
    }

    /// Takes in the sum of a stretch that begins at `at_us` and ends within the bucket that it begins in.
    pub(crate) fn add(&mut self, sensor: &str, at_us: i64, sum: &Sum) {
        if at_us < self.from_us || at_us >= self.to_us {
            return;
        }
        let start = start_of(at_us, self.length_us);
        if !self.sensors.contains_key(sensor) {
            self.sensors.insert(sensor.to_owned(), BTreeMap::new());
        }
        if let Some(buckets) = self.sensors.get_mut(sensor) {
            buckets.entry(start).and_modify(|so_far| so_far.add(sum)).or_insert(*sum);
        }
    }

    /// The buckets, by (start, sensor).
    pub(crate) fn buckets(self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        for (sensor, sums) in self.sensors {
            buckets.extend(sums.into_iter().map(|(start, sum)| Bucket {
                sensor: sensor.as_str().into(),
                start: Timestamp::from_micros(start),
                count: sum.count,
                min: sum.min,
                max: sum.max,
                sum: sum.total,
                last: sum.last,
            }));
        }
        // Stable: the sensors of one start stay in their order.
        buckets.sort_by_key(|bucket| bucket.start);
        buckets
    }
}

/// The value as a number, if it is one.
#[expect(clippy::cast_precision_loss, reason = "a mean needs no more than the 53 bits that a float has")]
pub(crate) const fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        Value::Bool(_) | Value::Text(_) | Value::Gap(_) => None,
    }
}

/// The time that a value is plotted by.
pub(crate) const fn plotted_at(received_us: i64, created_us: Option<i64>) -> i64 {
    match created_us {
        Some(created) if created.abs_diff(received_us) <= TRUSTED.as_secs() * 1_000_000 => created,
        Some(_) | None => received_us,
    }
}

/// The start of the stretch of this length that a moment is in.
pub(crate) const fn start_of(at_us: i64, length_us: i64) -> i64 {
    at_us.saturating_sub(at_us.rem_euclid(length_us))
}
