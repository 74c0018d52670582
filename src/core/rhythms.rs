//! Learned rhythms outlive a restart: kept now and then, when they changed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::{DeviceId, Timestamp};

/// A device's interval as it was learned.
#[derive(Debug, Serialize, Deserialize)]
struct Learned {
    device: DeviceId,
    interval_ms: u64,
}

impl Kept for Learned {
    const KIND: &'static str = "rhythm";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Hub {
    /// Takes over what was learned before this start.
    pub(super) async fn rhythms_restore(&self) -> Result<(), HubError> {
        self.kept_each(|Learned { device, interval_ms }| {
            self.0.registry.rhythm_learned(&device, Duration::from_millis(interval_ms));
        })
        .await
    }

    /// Keeps what changed, if the last time is long enough ago.
    pub(super) async fn rhythms_keep(&self, at: Timestamp) -> Result<(), HubError> {
        let last = Timestamp::from_micros(self.0.rhythms_kept.load(Ordering::Relaxed));
        if last.plus(KEPT_EVERY) > at {
            return Ok(());
        }
        self.0.rhythms_kept.store(at.micros(), Ordering::Relaxed);
        for (device, interval) in self.0.registry.rhythms_changed(KEPT_AT_ONCE) {
            let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            self.keep(&Learned { device: device.clone(), interval_ms }).await?;
            self.0.registry.rhythm_kept(&device, interval);
        }
        Ok(())
    }
}

/// Rhythms change slowly, and one that is lost is learned again in minutes.
const KEPT_EVERY: Duration = Duration::from_mins(5);
/// Writes at a time; the rest waits for the next time.
const KEPT_AT_ONCE: usize = 200;
