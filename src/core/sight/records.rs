//! Owners and shares as documents of the store, and their changes.
//!
//! What ends is written down, not removed, so that other servers read it among what is new.

use serde::{Deserialize, Serialize};

use super::{Person, Share, unknown};
use crate::core::records::Kept;
use crate::core::{Hub, HubError};
use crate::model::{DeviceId, User, UserId};

/// Whose a device is, and with whom it is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `None` is the house.
    pub owner: Option<Person>,
    /// With whom, by name.
    pub shares: Vec<(Person, Share)>,
}

impl Hub {
    /// Whose a device is, and with whom it is shared. No wait.
    pub fn access(&self, device: &DeviceId) -> Access {
        let known = self.0.sight.read();
        Access { owner: known.owner(device).cloned(), shares: known.shares(device) }
    }

    /// Shares a device with a user, or ends that (`None`). Sharing it with its owner changes nothing.
    pub async fn share_device(
        &self,
        device: &DeviceId,
        with: &User,
        share: Option<Share>,
        by: &str,
    ) -> Result<(), HubError> {
        self.device(device).ok_or_else(unknown)?;
        let shared = Shared { device: device.clone(), with: with.into(), share, by: by.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.keep_share(shared).await?;
            hub.keep(&hub.0.sight.turn()).await
        })
        .await
    }

    /// Gives a device to a user, or to the house (`None`). Its shares end.
    pub async fn give_device(&self, device: &DeviceId, to: Option<&User>, by: &str) -> Result<(), HubError> {
        self.device(device).ok_or_else(unknown)?;
        let owned = Owned { device: device.clone(), owner: to.map(Person::from), by: by.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.keep_owner(owned).await?;
            hub.keep(&hub.0.sight.turn()).await
        })
        .await
    }

    /// The devices that are a user's, in no order. No wait.
    pub fn devices_of(&self, user: &UserId) -> Vec<DeviceId> {
        self.0.sight.read().owned(user)
    }

    async fn keep_owner(&self, owned: Owned) -> Result<(), HubError> {
        for (with, _) in self.access(&owned.device).shares {
            let ended = Shared { device: owned.device.clone(), with, share: None, by: owned.by.clone() };
            self.keep_share(ended).await?;
        }
        self.keep(&owned).await?;
        self.0.sight.owned(&owned);
        Ok(())
    }

    async fn keep_share(&self, shared: Shared) -> Result<(), HubError> {
        self.keep(&shared).await?;
        self.0.sight.shared(&shared);
        Ok(())
    }

    /// Reads what other servers on the same store changed, if they changed something. For each few hundred milliseconds
    /// where there may be others.
    pub async fn follow_sight(&self) -> Result<(), HubError> {
        let turns = self.kept_all::<Turn>(None, None, SERVERS_MAX).await?;
        let turns = turns.into_iter().map(|(_, turn)| turn).collect();
        if let Some(others) = self.0.sight.news(turns) {
            self.read_sight().await?;
            self.0.sight.heard_of(others);
        }
        Ok(())
    }

    /// Reads owners and shares: all of them the first time, later what may have changed since.
    pub(in crate::core) async fn read_sight(&self) -> Result<(), HubError> {
        // What is read and what is written at the same time would come in the wrong order.
        let _turn = self.0.sight.changes.lock().await;
        let now = self.now();
        let since = self.0.sight.since();
        for owned in self.kept_since::<Owned>(since).await? {
            self.0.sight.owned(&owned);
        }
        for shared in self.kept_since::<Shared>(since).await? {
            self.0.sight.shared(&shared);
        }
        self.0.sight.was_read(now);
        Ok(())
    }
}

/// Whose a device is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owned {
    pub(super) device: DeviceId,
    pub(super) owner: Option<Person>,
    by: String,
}

/// What a device is shared with a user for; `None` when it is no longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) device: DeviceId,
    pub(super) with: Person,
    pub(super) share: Option<Share>,
    by: String,
}

/// Changes with every change that a server makes: one small read tells the others that there is something to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    /// The server, as it calls itself since its start.
    pub(super) server: String,
    pub(super) turn: String,
}

impl Kept for Owned {
    const KIND: &'static str = "device_owner";

    fn key(&self) -> String {
        self.device.to_string()
    }

    // Not the device's: what a device said stays in the ledger when it is forgotten, and stays its owner's.
}

impl Kept for Shared {
    const KIND: &'static str = "device_share";

    fn key(&self) -> String {
        format!("{}:{}", self.device, self.with.id.as_str())
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Kept for Turn {
    const KIND: &'static str = "sight_turn";
    const KEEP_MAX: Option<u32> = Some(SERVERS_MAX);

    fn key(&self) -> String {
        self.server.clone()
    }
}

/// Servers on one store, and starts of them, that are listened to.
const SERVERS_MAX: u32 = 64;
