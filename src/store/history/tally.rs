//! Gathers numbers into buckets of time.

use super::page::Page;
use super::sums::Sums;
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

/// The buckets that somebody asked for, as far as they are filled.
#[derive(Debug)]
pub(crate) struct Tally {
    length_us: i64,
    from_us: i64,
    to_us: i64,
    sensors: Vec<String>,
    sums: Sums,
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
        let to_us = last.saturating_add(length_us);
        Self { length_us, from_us, to_us, sensors: filter.sensors.clone(), sums: Sums::default() }
    }

    /// The first and the last arrival of a value that can be in a bucket.
    pub(crate) const fn arrivals(&self) -> (i64, i64) {
        (self.from_us.saturating_sub(TRUSTED_US), self.to_us.saturating_add(TRUSTED_US))
    }

    /// Which summaries make the buckets, if any do.
    pub(crate) const fn summary(&self) -> Option<Summary> {
        if self.length_us % HOUR_US == 0 {
            Some(Summary::Hours)
        } else if self.length_us % MINUTE_US == 0 {
            Some(Summary::Minutes)
        } else {
            None
        }
    }

    /// Whether a sensor is asked for.
    pub(crate) fn wants(&self, sensor: &str) -> bool {
        self.sensors.is_empty() || self.sensors.iter().any(|wanted| wanted == sensor)
    }

    /// Takes in a page; of it the ledger entries beyond one.
    pub(crate) fn take_page(&mut self, page: &Page, beyond: i64) {
        self.take(&Sums::of(page, self.length_us, beyond));
    }

    /// Takes in sums, each of a stretch that lies within one bucket. Later in the ledger than all before.
    pub(crate) fn take(&mut self, sums: &Sums) {
        for (sensor, sums) in &sums.0 {
            let within = sums.range(self.from_us..self.to_us);
            for (start, sum) in within {
                let buckets = match self.sums.0.get_mut(sensor) {
                    Some(buckets) => buckets,
                    None => self.sums.0.entry(sensor.clone()).or_default(),
                };
                let start = start_of(*start, self.length_us);
                buckets.entry(start).and_modify(|so_far| so_far.add(sum)).or_insert(*sum);
            }
        }
    }

    /// The buckets, by (start, sensor).
    pub(crate) fn buckets(self) -> Vec<Bucket> {
        let mut buckets: Vec<Bucket> = Vec::new();
        for (sensor, sums) in self.sums.0 {
            buckets.extend(sums.into_iter().map(|(start, sum)| Bucket {
                sensor: sensor.to_string(),
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

/// Sums that are kept beside a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    /// By the minute.
    Minutes,
    /// By the hour.
    Hours,
}

impl Summary {
    /// The length of a stretch in microseconds.
    pub(crate) const fn length_us(self) -> i64 {
        match self {
            Self::Minutes => MINUTE_US,
            Self::Hours => HOUR_US,
        }
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
        Some(created) if created.abs_diff(received_us) <= TRUSTED_US.cast_unsigned() => created,
        Some(_) | None => received_us,
    }
}

/// The start of the stretch of this length that a moment is in.
pub(crate) const fn start_of(at_us: i64, length_us: i64) -> i64 {
    at_us.saturating_sub(at_us.rem_euclid(length_us))
}

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const TRUSTED_US: i64 = TRUSTED.as_secs().cast_signed() * 1_000_000;
