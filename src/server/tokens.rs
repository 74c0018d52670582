//! Keeps up with what other servers on the same store do to devices' tokens, and to who sees which device: a revoked one
//! is good nowhere within a second, what was shared is seen everywhere, and who was signed out is shown no more (`accounts-dashboard.md §3`).

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
        let outcome = async {
            hub.follow_sight().await?;
            hub.follow_device_tokens().await?;
            hub.follow_ends().await
        };
        let outcome = outcome.await;
        if let (Err(error), false) = (&outcome, failed) {
            tracing::warn!(%error, "what other servers did to tokens, sessions, owners and shares was not read; tried again and again");
        }
        failed = outcome.is_err();
    }
}

/// Two small reads of one table.
const EVERY: Duration = Duration::from_millis(300);
