//! Who lies in the bed: presence, movement and whether vital signs come (`sca11h.md §11`). Pure.
//!
//! A machine that takes seconds in the order they came. A change is told with the time of the first second of the
//! run that led to it, not of the second that decided.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use settings::PresenceSettings;

use super::sample::{Sample, Status};
use crate::model::{Datum, Reading, Timestamp, Value};

/// One bed, as far as it was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bed {
    lies: Lies,
    moving: bool,
    /// Vital signs come.
    vitals: bool,
    /// The newest second that was taken.
    last: Option<Timestamp>,
    /// The last seconds that say something about presence, the oldest first.
    window: VecDeque<(Timestamp, Status)>,
    /// Seconds in a row that the bed was empty.
    empty: Run,
    /// The newest second of movement.
    moved: Option<Timestamp>,
    /// The first second after it.
    calm: Option<Timestamp>,
    /// Seconds in a row without a fresh beat; those of an empty bed count twice.
    stale: Run,
}

/// What a node said of one second, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Second {
    /// When.
    pub(super) at: Timestamp,
    /// What the node makes of the bed.
    pub(super) status: Status,
    /// Whether a new beat was seen.
    pub(super) fresh: bool,
}

/// Whether somebody lies in the bed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lies {
    /// Not enough was heard, or nothing for long.
    #[default]
    Unknown,
    Empty,
    Occupied,
}

/// Like seconds in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Run {
    first: Option<Timestamp>,
    count: u32,
}

/// Sensors that this file tells of.
pub(super) const PRESENCE: &str = "presence";
pub(super) const MOVING: &str = "moving";
pub(super) const VITALS: &str = "vitals";
pub(super) const EVENT: &str = "event";

impl Bed {
    /// A bed that was followed before: the state it was left in, and its last seconds.
    pub(super) fn recalled(latest: &[Datum], seconds: &[Second], rule: &PresenceSettings) -> Self {
        let mut bed = Self::default();
        for second in seconds {
            bed.take(*second, rule, &mut Vec::new());
        }
        let newest =
            |sensor: &str| latest.iter().find(|datum| datum.sensor == sensor).map(|datum| &datum.value);
        let truth = |sensor: &str| matches!(newest(sensor), Some(Value::Bool(true)));
        bed.lies = match newest(PRESENCE) {
            Some(Value::Text(word)) => Lies::parse(word),
            Some(Value::Bool(_) | Value::Integer(_) | Value::Real(_) | Value::Gap(_)) | None => Lies::Unknown,
        };
        bed.moving = truth(MOVING);
        bed.vitals = truth(VITALS);
        bed
    }

    /// Takes the rows of a message, each second once. Gives what changed, to be stored with them.
    pub(super) fn observe(&mut self, samples: &[Sample], rule: &PresenceSettings) -> Vec<Reading> {
        let mut told = Vec::new();
        for sample in samples {
            self.take(Second { at: sample.at, status: sample.status, fresh: sample.fresh }, rule, &mut told);
        }
        told
    }

    fn take(&mut self, second: Second, rule: &PresenceSettings, told: &mut Vec<Reading>) {
        self.begin(second.at, rule, told);
        self.last = Some(second.at);
        self.follow_movement(second, rule, told);
        self.follow_presence(second, rule, told);
        self.follow_vitals(second, rule, told);
    }

    /// What the time since the newest second means.
    fn begin(&mut self, at: Timestamp, rule: &PresenceSettings, told: &mut Vec<Reading>) {
        let Some(last) = self.last else {
            told.push(reading(PRESENCE, Value::Text(self.lies.as_str().to_owned()), at));
            told.push(reading(MOVING, Value::Bool(self.moving), at));
            told.push(reading(VITALS, Value::Bool(self.vitals), at));
            return;
        };
        if at <= last.plus(Duration::from_secs(rule.gap_s.into())) {
            return;
        }
        // What was in the making before the silence cannot be finished by what comes after it.
        self.window.clear();
        self.empty = Run::default();
        self.stale = Run { first: None, count: rule.vitals_stale_s };
        if at > last.plus(Duration::from_secs(rule.unknown_after_s.into())) && self.lies != Lies::Unknown {
            self.turn(Lies::Unknown, at, told);
        }
    }

    fn follow_movement(&mut self, second: Second, rule: &PresenceSettings, told: &mut Vec<Reading>) {
        match second.status {
            Status::Movement => {
                self.moved = Some(second.at);
                self.calm = None;
                if !self.moving {
                    self.moving = true;
                    told.push(reading(MOVING, Value::Bool(true), second.at));
                    told.push(event("movement_started", second.at));
                }
            }
            Status::Empty | Status::Occupied => {
                let calm = *self.calm.get_or_insert(second.at);
                if self.moving && !self.held(second.at, rule) {
                    self.moving = false;
                    told.push(reading(MOVING, Value::Bool(false), calm));
                    told.push(event("movement_ended", calm));
                }
            }
            Status::Other(_) => {}
        }
    }

    fn follow_presence(&mut self, second: Second, rule: &PresenceSettings, told: &mut Vec<Reading>) {
        match second.status {
            Status::Other(_) => return,
            Status::Empty => self.empty.grow(second.at, 1),
            Status::Occupied | Status::Movement => self.empty = Run::default(),
        }
        self.window.push_back((second.at, second.status));
        while self.window.len() > usize::from(rule.window_samples) {
            self.window.pop_front();
        }
        if self.held(second.at, rule) {
            return;
        }
        match (second.status, self.lies) {
            (Status::Empty, Lies::Unknown | Lies::Occupied) if self.empty.count > rule.empty_samples => {
                let first = self.empty.first.unwrap_or(second.at);
                self.window.retain(|(_, status)| *status == Status::Empty);
                self.turn(Lies::Empty, first, told);
            }
            (Status::Occupied, Lies::Unknown | Lies::Empty) => {
                if let Some(first) = self.run_of_somebody(rule) {
                    self.turn(Lies::Occupied, first, told);
                }
            }
            (Status::Empty | Status::Occupied | Status::Movement | Status::Other(_), _) => {}
        }
    }

    /// The first second that the bed was not empty, once there are enough of them.
    fn run_of_somebody(&self, rule: &PresenceSettings) -> Option<Timestamp> {
        let mut somebody = self.window.iter().filter(|(_, status)| *status != Status::Empty);
        let sure = self.window.iter().filter(|(_, status)| *status == Status::Occupied).count();
        let enough = somebody.clone().count() >= usize::from(rule.window_nonzero_min)
            && sure >= usize::from(rule.window_occupied_min);
        somebody.next().filter(|_| enough).map(|(at, _)| *at)
    }

    fn follow_vitals(&mut self, second: Second, rule: &PresenceSettings, told: &mut Vec<Reading>) {
        if second.fresh {
            self.stale = Run::default();
            if !self.vitals {
                self.vitals = true;
                told.push(reading(VITALS, Value::Bool(true), second.at));
                told.push(event("vitals_available", second.at));
            }
            return;
        }
        self.stale.grow(second.at, if second.status == Status::Empty { 2 } else { 1 });
        if self.vitals && self.stale.count > rule.vitals_stale_s {
            self.vitals = false;
            let first = self.stale.first.unwrap_or(second.at);
            told.push(reading(VITALS, Value::Bool(false), first));
            told.push(event("vitals_lost", first));
        }
    }

    /// Whether somebody moves, or stopped so lately that nothing is to be concluded. A clock that was set back since
    /// holds nothing.
    fn held(&self, at: Timestamp, rule: &PresenceSettings) -> bool {
        self.moved.is_some_and(|moved| {
            at >= moved && at < moved.plus(Duration::from_secs(rule.movement_hold_s.into()).max(INSTANT))
        })
    }

    fn turn(&mut self, to: Lies, at: Timestamp, told: &mut Vec<Reading>) {
        told.push(reading(PRESENCE, Value::Text(to.as_str().to_owned()), at));
        match (self.lies, to) {
            (Lies::Empty, Lies::Occupied) => told.push(event("bed_entered", at)),
            (Lies::Occupied, Lies::Empty) => told.push(event("bed_left", at)),
            // Nobody saw when it happened.
            (Lies::Unknown | Lies::Empty | Lies::Occupied, Lies::Unknown | Lies::Empty | Lies::Occupied) => {}
        }
        self.lies = to;
    }
}

impl Lies {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Empty => "empty",
            Self::Occupied => "occupied",
        }
    }

    fn parse(word: &str) -> Self {
        [Self::Empty, Self::Occupied].into_iter().find(|lies| lies.as_str() == word).unwrap_or_default()
    }
}

impl Run {
    fn grow(&mut self, at: Timestamp, by: u32) {
        self.first.get_or_insert(at);
        self.count = self.count.saturating_add(by);
    }
}

fn event(name: &str, at: Timestamp) -> Reading {
    reading(EVENT, Value::Text(name.to_owned()), at)
}

fn reading(sensor: &str, value: Value, at: Timestamp) -> Reading {
    Reading { sensor: sensor.into(), value, created: Some(at), counts: false }
}

/// Without a hold, movement lasts for its own second.
const INSTANT: Duration = Duration::from_micros(1);
