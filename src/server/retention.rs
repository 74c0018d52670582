//! The chore that removes what is older or more than is to be kept.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::core::{Hub, Retention};

/// Removes what is old in small pieces, and rests after each four times as long as it took: whoever else
/// writes has the store for the rest of the time.
pub(super) async fn run(hub: Hub, stop: CancellationToken) {
    let mut work = Retention::default();
    loop {
        let began = Instant::now();
        let rest = match work.round(&hub).await {
            Ok(true) => (began.elapsed() * 4).clamp(REST_MIN, EVERY),
            Ok(false) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "old data was not removed; tried again in a minute");
                EVERY
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
            return;
        }
    }
}

const EVERY: Duration = Duration::from_mins(1);
const REST_MIN: Duration = Duration::from_millis(20);
