//! What time does: commands expire or come back to the queue, sessions end, counters are forgotten.

use std::time::Duration;

use super::hub::astray;
use super::{Hub, HubError};
use crate::store::{Outcome, Write};

impl Hub {
    /// Does what is due. The server calls it every few seconds; calling it more often does no harm.
    pub async fn sweep(&self) -> Result<(), HubError> {
        let hub = self.clone();
        self.whole(async move { hub.sweep_through().await }).await
    }

    async fn sweep_through(&self) -> Result<(), HubError> {
        let at = self.now();
        self.0.registry.sweep(at.minus(TENTATIVE_FOR));
        self.0.throttle.sweep();
        self.load_credentials().await?;
        self.sweep_device_tokens().await?;
        self.hear_of_ends().await;
        let attempts_max = self.0.settings.load().attempts_max;
        let outcome = self.write(Write::Sweep { at, attempts_max }).await?;
        let Outcome::Changed(changed) = outcome else { return Err(astray(&outcome)) };
        self.tell_commands(changed);
        self.rhythms_keep(at).await?;
        self.audit_is_whole().await
    }
}

/// How long a claimed device waits for its report; far longer than any write takes.
const TENTATIVE_FOR: Duration = Duration::from_mins(10);
