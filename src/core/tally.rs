//! Counts for the metrics: messages by family, direction and verdict; commands by the state they went to.
//!
//! Handles are made once and kept, because making one costs more than counting.

use std::sync::{PoisonError, RwLock};

use metrics::Counter;

use crate::model::{CommandState, Direction, FamilyName, Verdict};

/// The counters of every family met so far.
#[derive(Default)]
pub(super) struct Tally(RwLock<Vec<(FamilyName, Family)>>);

struct Family {
    received: [Counter; Verdict::ALL.len()],
    sent: Counter,
    passed_over: Counter,
    commands: [Counter; CommandState::ALL.len()],
}

impl Tally {
    /// A message was stored.
    pub(super) fn received(&self, family: &FamilyName, verdict: Verdict) {
        self.with(family, |counters| {
            let counter = Verdict::ALL.iter().position(|known| *known == verdict);
            counter.and_then(|place| counters.received.get(place)).inspect(|counter| counter.increment(1));
        });
    }

    /// A message was handed to a device.
    pub(super) fn sent(&self, family: &FamilyName) {
        self.with(family, |counters| counters.sent.increment(1));
    }

    /// A message was not kept, because recording is paused.
    pub(super) fn passed_over(&self, family: &FamilyName) {
        self.with(family, |counters| counters.passed_over.increment(1));
    }

    /// A command went to a state.
    pub(super) fn command(&self, family: &FamilyName, state: CommandState) {
        self.with(family, |counters| {
            let counter = CommandState::ALL.iter().position(|known| *known == state);
            counter.and_then(|place| counters.commands.get(place)).inspect(|counter| counter.increment(1));
        });
    }

    fn with(&self, family: &FamilyName, count: impl Fn(&Family)) {
        let place = |families: &[(FamilyName, Family)]| families.iter().position(|(name, _)| name == family);
        // The list only grows, one whole entry at a time: a panic leaves it as it was.
        {
            let families = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, counters)) = place(&families).and_then(|place| families.get(place)) {
                return count(counters);
            }
        }
        let mut families = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have been faster between the two locks.
        let at = place(&families).unwrap_or_else(|| {
            families.push((family.clone(), Family::new(family)));
            families.len() - 1
        });
        if let Some((_, counters)) = families.get(at) {
            count(counters);
        }
    }
}

impl Family {
    fn new(family: &FamilyName) -> Self {
        let message = |direction: Direction, verdict: Verdict| {
            metrics::counter!(
                "homeport_messages_total",
                "family" => family.as_str().to_owned(),
                "direction" => direction.as_str(),
                "verdict" => verdict.as_str(),
            )
        };
        let command = |state: CommandState| {
            metrics::counter!(
                "homeport_commands_total",
                "family" => family.as_str().to_owned(),
                "state" => state.as_str(),
            )
        };
        Self {
            received: Verdict::ALL.map(|verdict| message(Direction::In, verdict)),
            sent: message(Direction::Out, Verdict::None),
            passed_over: metrics::counter!(
                "homeport_messages_passed_over_total", "family" => family.as_str().to_owned(),
            ),
            commands: CommandState::ALL.map(command),
        }
    }
}
