//! One demo's task: a turn of its device each period, until it is stopped, its device is forgotten or turned away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::simulate::{Solo, SoloError};
use crate::web::{DemoKind, DemoState};

/// How fast a demo goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) period: Duration,
    pub(super) paused: bool,
}

/// Why a task wakes.
enum Wake {
    Stop,
    Turn,
    Paced,
    Look,
}

/// Runs it.
pub(super) async fn perform(
    shared: Arc<Shared>,
    kind: DemoKind,
    mut solo: Solo,
    mut paces: watch::Receiver<Pace>,
    stop: CancellationToken,
) {
    let mut due = Instant::now();
    loop {
        let pace = *paces.borrow_and_update();
        let wake = tokio::select! {
            biased;
            () = stop.cancelled() => Wake::Stop,
            () = sleep_until(due), if !pace.paused => Wake::Turn,
            changed = paces.changed() => if changed.is_ok() { Wake::Paced } else { Wake::Stop },
            () = sleep(LOOK) => Wake::Look,
        };
        match wake {
            Wake::Stop => return,
            // A pace that is changed counts from now on; it goes on at once after a pause.
            Wake::Paced => due = due.min(Instant::now() + paces.borrow().period),
            Wake::Look => {}
            Wake::Turn => {
                // What was slept through is not made up for.
                due = (due + pace.period).max(Instant::now());
                let lived = stop.run_until_cancelled(solo.live(shared.hub.now())).await;
                let Some(lived) = lived else { return };
                if !shared.told(kind, lived) {
                    return;
                }
            }
        }
        if !shared.is_whole(kind) {
            shared.ended(kind, "its device was forgotten");
            return;
        }
    }
}

impl Shared {
    /// Writes down how a turn went; whether there is to be another.
    fn told(&self, kind: DemoKind, lived: Result<u64, SoloError>) -> bool {
        let goes_on = !matches!(lived, Err(SoloError::TurnedAway(_)));
        if !goes_on && !self.is_whole(kind) {
            // Turned away because it is not there any more: that is told below.
            return true;
        }
        match lived {
            Ok(count) => {
                if let Some(run) = self.runs().get_mut(&kind) {
                    run.note.confirmed += count;
                    run.note.trouble = None;
                }
            }
            Err(error) if goes_on => {
                tracing::debug!(demo = kind.as_str(), %error, "a turn of the demo failed");
                if let Some(run) = self.runs().get_mut(&kind) {
                    run.note.trouble = Some(error.to_string());
                }
            }
            Err(error) => self.ended(kind, &error.to_string()),
        }
        goes_on
    }

    /// Whether every device is there that takes part.
    fn is_whole(&self, kind: DemoKind) -> bool {
        let needs = self.runs().get(&kind).map(|run| run.needs.clone()).unwrap_or_default();
        needs.iter().all(|id| self.hub.device(id).is_some())
    }

    /// Writes down that it ended by itself.
    fn ended(&self, kind: DemoKind, why: &str) {
        tracing::info!(demo = kind.as_str(), why, "demo ended");
        if let Some(run) = self.runs().get_mut(&kind) {
            (run.note.state, run.note.since) = (DemoState::Stopped, None);
            run.note.trouble = Some(format!("It ended: {why}."));
        }
    }
}

/// How often is looked whether the devices are still there.
const LOOK: Duration = Duration::from_secs(1);
