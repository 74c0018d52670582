//! When something is wrong, and when it is over: a state machine for one sensor of one device under one rule. Pure.
//!
//! A latch says whether a value is outside its bounds; once it is, only a value that is inside by more than the
//! hysteresis opens it. Two hold times stand behind the latch: one before it fires, one before that is over
//! (`accounts-dashboard.md §5`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::rule::Bounds;

/// Where a sensor stands. What is stored of it is enough to go on after a restart as if there had been none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    phase: Phase,
    /// The last value that was looked at.
    last: Option<Sample>,
    /// How often it has fired.
    fired: u64,
}

/// What a sensor goes through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// All is well.
    #[default]
    Normal,
    /// Something is wrong, but not for long enough.
    Pending(Trip),
    /// Something is wrong.
    Firing(Trip),
    /// It seems over, but not for long enough.
    Clearing {
        /// What was wrong.
        trip: Trip,
        /// Since when it is not.
        since: Timestamp,
        /// The value that was well again.
        value: Option<f64>,
    },
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trip {
    /// When it began.
    pub at: Timestamp,
    /// On which side.
    pub side: Side,
    /// The value that was outside; `None` of a silence.
    pub value: Option<f64>,
    /// The bound that it crossed, or the seconds that a silence may last.
    pub bound: Option<f64>,
    /// The last sign of life when a silence fired.
    pub heard: Option<Timestamp>,
}

/// In which way something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Below the lower bound.
    Low,
    /// Above the upper bound.
    High,
    /// Nothing is heard.
    Silent,
}

/// A number and its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was measured.
    pub at: Timestamp,
    /// What.
    pub value: f64,
}

/// How long something must last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Before it fires.
    pub fire: Duration,
    /// Before that is over.
    pub clear: Duration,
}

/// A change that people are told of.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It fires: the `nth` time, counted from 1.
    Fired {
        /// When it began to: the hold time had passed.
        at: Timestamp,
        /// What is wrong.
        trip: Trip,
        /// Which time.
        nth: u64,
    },
    /// It is over.
    Resolved {
        /// Since when.
        at: Timestamp,
        /// The value that was well again.
        value: Option<f64>,
    },
}

impl Alarm {
    /// What it goes through now.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The last value that was looked at.
    pub const fn last(&self) -> Option<Sample> {
        self.last
    }

    /// Which time it fires or fired last, counted from 1; 0 before the first.
    pub const fn nth(&self) -> u64 {
        self.fired
    }

    /// Whether it fires.
    pub const fn is_firing(&self) -> bool {
        match self.phase {
            Phase::Firing(_) | Phase::Clearing { .. } => true,
            Phase::Normal | Phase::Pending(_) => false,
        }
    }

    /// Looks at a value. One that is older than the last one changes nothing, unless that one is of a time to come:
    /// then a clock was set back.
    pub fn sample(&mut self, bounds: &Bounds, holds: Holds, sample: Sample, now: Timestamp) -> Vec<Change> {
        if self.last.is_some_and(|last| sample.at < last.at && last.at <= now.plus(AHEAD)) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        // What fell due between two values: a hold that ends with this one is this one's to judge.
        self.due(holds, Timestamp::from_micros(sample.at.micros().saturating_sub(1)), &mut changes);
        self.last = Some(sample);
        let wrong = match &self.phase {
            Phase::Pending(trip) | Phase::Firing(trip) => bounds.still(trip.side, sample.value),
            Phase::Normal | Phase::Clearing { .. } => bounds.outside(sample.value),
        };
        self.step(holds, wrong.map(|(side, bound)| trip(sample, side, bound)), sample.at, &mut changes);
        changes
    }

    /// Lets time pass.
    pub fn tick(&mut self, holds: Holds, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.due(holds, now, &mut changes);
        changes
    }

    /// Looks at a silence: `silent` is what is wrong if it is, `heard` the last sign of life. What fires is over with
    /// the next sign of life and not before, so that a server that was away itself resolves nothing.
    pub fn silence(
        &mut self,
        holds: Holds,
        silent: Option<Trip>,
        heard: Option<Timestamp>,
        now: Timestamp,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        self.due(holds, now, &mut changes);
        let wrong = match &self.phase {
            Phase::Firing(trip) if heard <= trip.heard => Some(trip.clone()),
            Phase::Normal | Phase::Pending(_) | Phase::Firing(_) | Phase::Clearing { .. } => silent,
        };
        let at = if wrong.is_some() { now } else { heard.map_or(now, |heard| heard.min(now)) };
        self.step(holds, wrong, at, &mut changes);
        changes
    }

    /// Judges the last value anew by bounds that were edited, without their history: inside is inside, and at once.
    pub fn retune(&mut self, bounds: &Bounds, holds: Holds, now: Timestamp) -> Vec<Change> {
        let Some(last) = self.last else { return Vec::new() };
        let seen = Sample { at: now.max(last.at), ..last };
        let wrong = bounds.outside(last.value).map(|(side, bound)| trip(seen, side, bound));
        let mut changes = Vec::new();
        if wrong.is_none() && self.is_firing() {
            self.resolve(seen.at, Some(last.value), &mut changes);
        } else {
            self.step(holds, wrong, seen.at, &mut changes);
            self.due(holds, now, &mut changes);
        }
        changes
    }

    /// Ends it because nobody watches any more.
    pub fn end(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.is_firing() {
            self.resolve(now, None, &mut changes);
        }
        self.phase = Phase::Normal;
        changes
    }

    fn step(&mut self, holds: Holds, wrong: Option<Trip>, at: Timestamp, changes: &mut Vec<Change>) {
        let phase = std::mem::take(&mut self.phase);
        self.phase = match (phase, wrong) {
            (Phase::Normal | Phase::Pending(_), None) => Phase::Normal,
            (Phase::Normal, Some(trip)) | (Phase::Pending(trip), Some(_)) => Phase::Pending(trip),
            (Phase::Firing(trip), Some(_)) => Phase::Firing(trip),
            (Phase::Clearing { trip, .. }, Some(again)) => Phase::Firing(Trip { heard: again.heard, ..trip }),
            (Phase::Firing(trip), None) => {
                let value = self.last.map(|last| last.value);
                Phase::Clearing { trip, since: at, value }
            }
            (Phase::Clearing { trip, since, value }, None) => Phase::Clearing { trip, since, value },
        };
        self.due(holds, at, changes);
    }

    /// Ends the holds that are over by `until`.
    fn due(&mut self, holds: Holds, until: Timestamp, changes: &mut Vec<Change>) {
        match std::mem::take(&mut self.phase) {
            Phase::Pending(trip) if trip.at.plus(holds.fire) <= until => {
                self.fired += 1;
                let at = trip.at.plus(holds.fire);
                changes.push(Change::Fired { at, trip: trip.clone(), nth: self.fired });
                self.phase = Phase::Firing(trip);
            }
            Phase::Clearing { since, value, .. } if since.plus(holds.clear) <= until => {
                self.resolve(since.plus(holds.clear), value, changes);
            }
            phase @ (Phase::Normal | Phase::Pending(_) | Phase::Firing(_) | Phase::Clearing { .. }) => {
                self.phase = phase;
            }
        }
    }

    fn resolve(&mut self, at: Timestamp, value: Option<f64>, changes: &mut Vec<Change>) {
        changes.push(Change::Resolved { at, value });
        self.phase = Phase::Normal;
    }
}

const fn trip(sample: Sample, side: Side, bound: f64) -> Trip {
    Trip { at: sample.at, side, value: Some(sample.value), bound: Some(bound), heard: None }
}

/// A value may be of a time so far ahead before it is taken for one of a clock that was set back since.
const AHEAD: Duration = super::TRUSTED;

#[cfg(test)]
#[path = "alarm_tests.rs"]
mod tests;
