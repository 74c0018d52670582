//! Tokens of devices: opaque, stored as hashes, kept in memory, and ended within a second on every server
//! (`accounts-dashboard.md §3`).
//!
//! A token is two documents: that it was issued, written once, and when it ends, which only ever comes nearer. So two
//! servers on one store cannot bring back what the other has ended.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::records::Kept;
use super::{Hub, HubError, secrets};
use crate::model::{DeviceId, Timestamp};

mod table;

pub(super) use table::Tokens;

/// What is told of a token; never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DeviceToken {
    /// Its own name, for ending one of several.
    pub id: String,
    /// Whose.
    #[serde(skip)]
    pub device: DeviceId,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it: `user:<name>`.
    pub by: String,
    /// When it ends or ended; `None` is never.
    pub ends: Option<Timestamp>,
    /// When it was shown last, to this server.
    pub last_used: Option<Timestamp>,
    /// From where.
    #[schema(value_type = Option<String>)]
    pub last_peer: Option<IpAddr>,
}

/// A token that was shown and is good.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Whose it is.
    pub device: DeviceId,
    hash: [u8; 32],
}

/// Why a token that was shown is not good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// No device was ever given it, or nobody remembers.
    #[error("no device has this token")]
    Unknown,
    /// It was revoked, replaced, or its device was forgotten.
    #[error("this token has ended")]
    Ended {
        /// Whose it was. The device may be gone.
        device: DeviceId,
    },
}

impl Hub {
    /// Makes one more token for a device: `dt_` and 32 letters and digits. Told once, stored as a hash.
    pub async fn issue_device_token(&self, device: &DeviceId, by: &str) -> Result<SecretString, HubError> {
        self.replace_device_tokens(device, None, by).await
    }

    /// Makes a new token; those that the device has end after `grace`, or earlier if they would have.
    pub async fn rotate_device_token(
        &self,
        device: &DeviceId,
        grace: Duration,
        by: &str,
    ) -> Result<SecretString, HubError> {
        if grace > GRACE_MAX {
            return Err(HubError::invalid(
                "grace_s",
                format!("a replaced token lasts {} seconds at most", GRACE_MAX.as_secs()),
            ));
        }
        self.replace_device_tokens(device, Some(grace), by).await
    }

    async fn replace_device_tokens(
        &self,
        device: &DeviceId,
        grace: Option<Duration>,
        by: &str,
    ) -> Result<SecretString, HubError> {
        self.device(device).ok_or(HubError::NotFound("device"))?;
        let secret = secrets::random_device_token()?;
        let issued = Issued {
            hash: secrets::secret_digest(secret.expose_secret()),
            id: uuid::Uuid::now_v7().simple().to_string(),
            device: device.clone(),
            at: self.now(),
            by: by.to_owned(),
        };
        let (hub, by) = (self.clone(), by.to_owned());
        self.whole(async move {
            let _turn = hub.0.device_tokens.changes.lock().await;
            hub.follow_device_tokens().await?;
            let now = hub.now();
            let good = hub.0.device_tokens.of(&issued.device, now);
            if good.len() >= TOKENS_MAX && grace.is_none() {
                let message = format!("a device has {TOKENS_MAX} tokens at most: revoke one first");
                return Err(HubError::conflict("device", message));
            }
            if hub.keep_new(&issued).await? {
                hub.0.device_tokens.issued(&issued);
            }
            if let Some(grace) = grace {
                hub.end_device_tokens(good, now.plus(grace), &by).await?;
            }
            hub.keep(&hub.0.device_tokens.neighbours.turn()).await
        })
        .await?;
        Ok(secret)
    }

    /// Ends a device's tokens now: all of them, or the one with an id. Gives how many were good until then.
    pub async fn revoke_device_tokens(
        &self,
        device: &DeviceId,
        id: Option<&str>,
        by: &str,
    ) -> Result<usize, HubError> {
        let (hub, device) = (self.clone(), device.clone());
        let (id, by) = (id.map(str::to_owned), by.to_owned());
        self.whole(async move {
            let _turn = hub.0.device_tokens.changes.lock().await;
            hub.follow_device_tokens().await?;
            let now = hub.now();
            let mut good = hub.0.device_tokens.of(&device, now);
            if let Some(id) = &id {
                good.retain(|token| token.id == *id);
            }
            let count = good.len();
            if count > 0 {
                hub.end_device_tokens(good, now, &by).await?;
                hub.keep(&hub.0.device_tokens.neighbours.turn()).await?;
            }
            Ok(count)
        })
        .await
    }

    /// Ends these tokens at a time, unless they end before.
    async fn end_device_tokens(&self, tokens: Vec<Issued>, at: Timestamp, by: &str) -> Result<(), HubError> {
        for token in tokens {
            let end = End { hash: token.hash, at, by: by.to_owned() };
            if at <= self.now() {
                self.keep(&end).await?;
            } else if !self.keep_new(&end).await? {
                continue; // it has an end already, and none is put off
            }
            self.0.device_tokens.ended(&end);
        }
        Ok(())
    }

    /// Says whose a token is that a peer shows, and takes note of its use. No wait.
    pub fn present_device_token(&self, token: &str, peer: IpAddr) -> Result<Pass, TokenFault> {
        if token.len() != secrets::DEVICE_TOKEN_CHARS || !is_device_token(token) {
            return Err(TokenFault::Unknown);
        }
        let hash = secrets::secret_hash(token);
        let device = self.0.device_tokens.present(&hash, peer, self.now())?;
        // Another server may have forgotten the device.
        if self.0.registry.has(&device) {
            Ok(Pass { device, hash })
        } else {
            Err(TokenFault::Ended { device })
        }
    }

    /// Ends when the token of a pass does: for links that stay open. Whatever ends it, within a second.
    pub async fn device_token_ended(&self, pass: &Pass) {
        let mut changes = self.0.device_tokens.generation.subscribe();
        loop {
            changes.borrow_and_update();
            let (Ok(ends), true) =
                (self.0.device_tokens.ends(&pass.hash, self.now()), self.0.registry.has(&pass.device))
            else {
                return;
            };
            let left = ends.map_or(i64::MAX, |end| end.micros() - self.now().micros());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
            drop(tokio::time::timeout(left.min(LOOK_AGAIN), changes.changed()).await);
        }
    }

    /// Tells of every change of any device's tokens from now on.
    pub fn device_token_changes(&self) -> watch::Receiver<u64> {
        self.0.device_tokens.generation.subscribe()
    }

    /// A device's good tokens, the newest first.
    pub fn device_tokens(&self, device: &DeviceId) -> Vec<DeviceToken> {
        self.0.device_tokens.told(device, self.now())
    }

    /// Reads what other servers on the same store changed, if they changed something. For each few hundred
    /// milliseconds where there may be others.
    pub async fn follow_device_tokens(&self) -> Result<(), HubError> {
        let tokens = &self.0.device_tokens;
        if let Some(news) = tokens.neighbours.news(self).await? {
            // A device is there before its token is.
            self.read_device_tokens().await?;
            if tokens.devices(self.now()).iter().any(|device| !self.0.registry.has(device)) {
                self.refresh().await?;
            }
            tokens.neighbours.heard_of(news);
        }
        Ok(())
    }

    /// Reads tokens and their ends: all of them the first time, later what may have changed since.
    pub(super) async fn read_device_tokens(&self) -> Result<(), HubError> {
        let now = self.now();
        let tokens = &self.0.device_tokens;
        let since = tokens.neighbours.since();
        for issued in self.kept_since::<Issued>(since).await? {
            tokens.issued(&issued);
        }
        for end in self.kept_since::<End>(since).await? {
            tokens.ended(&end);
        }
        tokens.neighbours.was_read(now);
        Ok(())
    }

    /// Reads all that is known of tokens. For the start.
    pub(super) async fn load_device_tokens(&self) -> Result<(), HubError> {
        self.read_device_tokens().await?;
        self.kept_each(|used: Used| self.0.device_tokens.used(&used)).await
    }

    /// Keeps when tokens were shown last, and drops those that ended long ago. Part of the sweep.
    pub(super) async fn sweep_device_tokens(&self) -> Result<(), HubError> {
        let now = self.now();
        let tokens = &self.0.device_tokens;
        if !tokens.sweeps(now) {
            return Ok(());
        }
        self.read_device_tokens().await?;
        for used in tokens.uses_to_keep(now, KEPT_AT_ONCE) {
            self.keep(&used).await?;
            tokens.use_kept(&used);
        }
        for hash in tokens.ended_before(now.minus(REMEMBERED_FOR), KEPT_AT_ONCE) {
            let key = secrets::hex(&hash);
            self.forget_kept::<Issued>(&key).await?;
            self.forget_kept::<End>(&key).await?;
            self.forget_kept::<Used>(&key).await?;
            tokens.drop_one(&hash);
        }
        Ok(())
    }
}

/// Whether a text is of the kind of a device's token, so that it is none of a person's.
pub fn is_device_token(text: &str) -> bool {
    text.starts_with(secrets::DEVICE_TOKEN_PREFIX)
}

/// That a token was issued. Written once.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Issued {
    /// SHA-256 of the token, in hexadecimal digits.
    hash: String,
    id: String,
    device: DeviceId,
    at: Timestamp,
    by: String,
}

/// When a token ends. Outlives its device, so that who shows it is told so.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct End {
    hash: String,
    at: Timestamp,
    by: String,
}

/// When a token was shown last. Apart from the others, since a server that notes it must not undo what another ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Used {
    hash: String,
    at: Timestamp,
    peer: IpAddr,
}

impl Kept for Issued {
    const KIND: &'static str = "device_token";

    fn key(&self) -> String {
        self.hash.clone()
    }
}

impl Kept for End {
    const KIND: &'static str = "device_token_end";

    fn key(&self) -> String {
        self.hash.clone()
    }
}

impl Kept for Used {
    const KIND: &'static str = "device_token_used";

    fn key(&self) -> String {
        self.hash.clone()
    }
}

/// Good ones that a device may have at a time.
const TOKENS_MAX: usize = 8;
/// A replaced token that lasts longer is not replaced.
const GRACE_MAX: Duration = Duration::from_hours(90 * 24);
/// How long an ended token is told from one that never was.
const REMEMBERED_FOR: Duration = Duration::from_hours(30 * 24);
/// An open link looks for itself so often, should nobody tell it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Writes of one sweep; the rest waits for the next.
const KEPT_AT_ONCE: usize = 200;

#[cfg(test)]
mod tests;
