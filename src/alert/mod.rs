//! Tells people what they want to be told: looks at what is stored by the rules they made, and delivers what follows.
//!
//! `evaluator` turns values and silences into alerts and messages, durably and once; `post` delivers the messages.
//! Knows the hub and nothing of families, pages or engines.

mod book;
mod evaluator;
mod mail;
mod post;
mod roots;
mod settings;
mod told;
mod webhook;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use self::mail::check as check_mail;
pub use self::post::{NO_MAIL, Post};
pub use self::roots::read as read_roots;
pub use self::settings::{AlertSettings, MailSettings};
pub use self::told::now as sentence;
pub use self::webhook::{Address, signature};

use self::evaluator::Evaluator;
use crate::core::{Hub, HubError};

/// Looks after rules and deliveries until `stop`. `alone` says that no other server can have the store.
pub async fn run(hub: Hub, post: Post, alone: bool, stop: CancellationToken) {
    let mut lookout = Lookout::new(hub, post.clone(), alone);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failed = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let outcome = lookout.round().await;
        if let (Err(error), false) = (&outcome, failed) {
            tracing::warn!(%error, "rules were not looked at; tried again and again, and nothing is missed");
        }
        failed = outcome.is_err();
    }
    post.finish().await;
}

/// Looks after rules and deliveries, a round at a time.
pub struct Lookout {
    evaluator: Evaluator,
    post: Post,
    alone: bool,
}

impl Lookout {
    /// One that has looked at nothing yet.
    pub fn new(hub: Hub, post: Post, alone: bool) -> Self {
        Self { evaluator: Evaluator::new(hub, alone), post, alone }
    }

    /// Looks at what was stored since the last round, and begins to deliver what is due.
    ///
    /// # Errors
    /// The store's; the next round begins where the last one that was kept ended.
    pub async fn round(&mut self) -> Result<(), HubError> {
        let round = self.evaluator.round(self.post.is_busy()).await?;
        self.post.read(round.told, self.alone).await?;
        if round.leads {
            self.post.round();
        }
        Ok(())
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
