//! Whether the first administrator has come in yet: until then the sign-in page says where the first password is.

use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::{FIRST_ADMIN, Hub, HubError, Kept};
use crate::model::{Timestamp, User};

/// The first password was used, or changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entered {
    at: Timestamp,
}

impl Kept for Entered {
    const KIND: &'static str = "first_entry";

    fn key(&self) -> String {
        FIRST_ADMIN.to_owned()
    }
}

impl Hub {
    /// Whether there is only the administrator of the first start, whose password nobody has used or changed yet.
    pub async fn awaits_first_entry(&self) -> Result<bool, HubError> {
        if self.0.entered.load(Relaxed) {
            return Ok(false);
        }
        if self.kept::<Entered>(FIRST_ADMIN).await?.is_some() {
            self.0.entered.store(true, Relaxed);
            return Ok(false);
        }
        Ok(matches!(self.users().await?.as_slice(), [only] if only.name == FIRST_ADMIN))
    }

    /// Somebody proved to be this user, or has another password.
    pub(super) async fn came_in(&self, user: &User) {
        if user.name != FIRST_ADMIN || self.0.entered.load(Relaxed) {
            return;
        }
        // Whoever signs in is not kept out by it: the next one tries again.
        match self.keep_new(&Entered { at: self.now() }).await {
            Ok(_) => self.0.entered.store(true, Relaxed),
            Err(error) => tracing::warn!(%error, "that the first password was used is not written down"),
        }
    }
}
