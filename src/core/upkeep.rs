//! Looking after the store itself: may it be written, and a copy of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Hub, HubError};
use crate::model::Timestamp;
use crate::store::{Backup, StoreError, Write};

/// When the store was tried last, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Tried {
    last: Mutex<Option<(Timestamp, Result<(), HubError>)>>,
    /// Something could not be written since then: the next try is as large as a message, for where there is
    /// room for a line there need not be room for more.
    doubted: AtomicBool,
}

impl Tried {
    /// Takes note of a write that failed.
    pub(super) fn hear(&self, error: &StoreError) {
        if matches!(error, StoreError::Full(_) | StoreError::ReadOnly(_)) {
            self.doubted.store(true, Ordering::Relaxed);
        }
    }
}

impl Hub {
    /// Whether the store can be read and takes writes: something is written and synced. Asked more often than every
    /// few seconds, the answer is the last one.
    pub async fn ready(&self) -> Result<(), HubError> {
        self.stats().await?;
        // Whoever asks meanwhile waits for this answer instead of writing a line of its own.
        let Tried { last, doubted } = &self.0.tried;
        let mut tried = last.lock().await;
        let now = self.now();
        if let Some((at, outcome)) = tried.as_ref()
            && now >= *at
            && now < at.plus(TRIED_FOR)
        {
            return outcome.clone();
        }
        let bytes = if doubted.load(Ordering::Relaxed) { MESSAGE_BYTES } else { 0 };
        let outcome = self.write(Write::Probe { at: now, bytes }).await.map(drop);
        if outcome.is_ok() {
            doubted.store(false, Ordering::Relaxed);
        }
        let outcome = outcome.map_err(HubError::from);
        *tried = Some((now, outcome.clone()));
        outcome
    }

    /// A checked copy of the whole store as it is at this moment.
    pub async fn backup(&self) -> Result<Backup, HubError> {
        Ok(self.reader().backup().await?)
    }
}

const TRIED_FOR: Duration = Duration::from_secs(5);
/// What a large message takes, with its readings and indexes.
const MESSAGE_BYTES: usize = 48 * 1024;
