//! A byte rate that all transfers share.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Who sends pays, and nobody sends before what was sent is paid off.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: NonZeroU32,
    paid_off: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of so many bytes a second.
    pub(super) fn new(bytes_per_second: NonZeroU32) -> Self {
        Self { bytes_per_second, paid_off: Mutex::new(None) }
    }

    /// Whether something may be sent now.
    pub(super) fn is_ready(&self) -> bool {
        self.wait().is_zero()
    }

    /// Waits until something may be sent, unless that takes longer than `most`; says whether it may.
    pub(super) async fn ready_within(&self, most: Duration) -> bool {
        let mut left = most;
        loop {
            let wait = self.wait();
            if wait.is_zero() {
                return true;
            }
            if wait > left {
                return false;
            }
            left -= wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// Notes bytes that were sent.
    pub(super) fn pay(&self, bytes: u32) {
        let now = Instant::now();
        let mut paid_off = self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        let cost = Duration::from_secs(1) * bytes / self.bytes_per_second.get();
        *paid_off = Some(paid_off.map_or(now, |at| at.max(now)) + cost);
    }

    fn wait(&self) -> Duration {
        let paid_off = *self.paid_off.lock().unwrap_or_else(PoisonError::into_inner);
        paid_off.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_is_paid_off_before_more_is_sent() {
        let pace = Pace::new(NonZeroU32::new(1000).unwrap());
        let start = Instant::now();
        for _ in 0..10 {
            assert!(pace.ready_within(Duration::from_secs(1)).await);
            pace.pay(500);
        }
        assert_eq!(start.elapsed(), Duration::from_millis(4500));
        assert!(!pace.is_ready());
        assert!(!pace.ready_within(Duration::from_millis(499)).await, "and it did not wait for nothing");
        assert_eq!(start.elapsed(), Duration::from_millis(4500));
        assert!(pace.ready_within(Duration::from_millis(500)).await);
    }
}
