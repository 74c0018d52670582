//! Who reads much of the history now: what is old stays for them.
//!
//! An export reads page by page, and no read lasts while its reader is slow; so nothing but this keeps values from being
//! pruned in front of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Hub;
use crate::model::Timestamp;

/// Since when each of those who read has been reading.
#[derive(Debug, Default)]
pub(super) struct Holds {
    next: AtomicU64,
    held: Mutex<BTreeMap<u64, Timestamp>>,
}

/// Keeps old values from being pruned by this server until it is dropped, for [`HELD_FOR`] at most.
#[derive(Debug)]
pub struct HistoryHold {
    holds: Arc<Holds>,
    number: u64,
}

impl Hub {
    /// Keeps old values in their place for somebody who begins to read them all.
    pub fn hold_history(&self) -> HistoryHold {
        let holds = Arc::clone(&self.0.holds);
        let number = holds.next.fetch_add(1, Ordering::Relaxed);
        holds.held.lock().unwrap_or_else(PoisonError::into_inner).insert(number, self.now());
        HistoryHold { holds, number }
    }

    /// Whether somebody reads who must not be pruned in front of.
    pub(super) fn history_is_held(&self) -> bool {
        let since = self.now().minus(HELD_FOR);
        let held = self.0.holds.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.values().any(|begun| *begun > since)
    }
}

impl Drop for HistoryHold {
    fn drop(&mut self) {
        self.holds.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// How long a slow reader may keep old values: a disk is not to fill up for one.
const HELD_FOR: Duration = Duration::from_hours(1);
