//! Keeps up with what other servers on the same store do to devices' tokens: a revoked one is good nowhere within a
//! second (`accounts-dashboard.md §3`).

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::core::Hub;

/// Asks the store until `stop`.
pub(super) async fn follow(hub: Hub, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let outcome = hub.follow_device_tokens().await;
        if let (Err(error), false) = (&outcome, failed) {
            tracing::warn!(%error, "what other servers did to devices' tokens was not read; tried again and again");
        }
        failed = outcome.is_err();
    }
}

/// One small read of one table.
const EVERY: Duration = Duration::from_millis(300);
