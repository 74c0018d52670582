//! How fast the fleet may go: everybody takes the next free moment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Moments at even distances, each given once.
#[derive(Debug)]
pub(super) struct Pace {
    apart: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many a second; `None` is as fast as it goes.
    pub(super) fn new(per_second: Option<f64>) -> Self {
        let apart = per_second.and_then(|rate| Duration::try_from_secs_f64(rate.recip()).ok());
        Self { apart, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a moment of one's own.
    pub(super) async fn turn(&self) {
        let Some(apart) = self.apart else { return };
        let moment = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            // Moments that nobody took are gone: a fleet that was held up does not make up for it in a burst.
            let moment = (*next).max(Instant::now());
            *next = moment + apart;
            moment
        };
        tokio::time::sleep_until(moment).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn moments_are_evenly_apart_and_not_made_up_for() {
        let pace = Pace::new(Some(10.0));
        let start = Instant::now();
        for _ in 0..10 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 900);
        tokio::time::advance(Duration::from_mins(1)).await;
        let start = Instant::now();
        for _ in 0..10 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed().as_millis(), 900);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let pace = Pace::new(None);
        let start = Instant::now();
        for _ in 0..1000 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
