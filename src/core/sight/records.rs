//! Owners, shares, tags and groups as documents of the store, and how other servers' are read.
//!
//! Each fact is a document of its own, so that two servers that change different ones undo nothing of each other. What ends
//! is written down, not removed, so that other servers read it among what is new.

use serde::{Deserialize, Serialize};

use super::{GroupId, Person, Share};
use crate::core::records::{Batch, Kept};
use crate::core::{Hub, HubError};
use crate::model::{DeviceId, Timestamp};

/// One fact of the table.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Owned(Owned),
    Shared(Shared),
    Tagged(Tagged),
    Group(GroupNote),
    Member(Member),
    GroupShared(GroupShared),
}

impl Fact {
    /// Puts it among changes that are carried out together.
    pub(super) fn keep(&self, batch: &mut Batch) -> Result<(), HubError> {
        match self {
            Self::Owned(fact) => batch.keep(fact),
            Self::Shared(fact) => batch.keep(fact),
            Self::Tagged(fact) => batch.keep(fact),
            Self::Group(fact) => batch.keep(fact),
            Self::Member(fact) => batch.keep(fact),
            Self::GroupShared(fact) => batch.keep(fact),
        }
    }
}

impl Hub {
    /// Reads what other servers on the same store changed, if they changed something. For each few hundred milliseconds
    /// where there may be others.
    pub async fn follow_sight(&self) -> Result<(), HubError> {
        if let Some(news) = self.0.sight.neighbours.news(self).await? {
            // What is read and what is written at the same time would come in the wrong order.
            let _turn = self.0.sight.changes.lock().await;
            self.read_sight().await?;
            self.0.sight.neighbours.heard_of(news);
        }
        Ok(())
    }

    /// Reads the table: all of it the first time, later what may have changed since. Whoever calls it later than at the
    /// start holds the right to change it.
    pub(in crate::core) async fn read_sight(&self) -> Result<(), HubError> {
        let now = self.now();
        let since = self.0.sight.neighbours.since();
        let mut facts = Vec::new();
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::Owned));
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::Shared));
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::Tagged));
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::Group));
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::Member));
        facts.extend(self.kept_since(since).await?.into_iter().map(Fact::GroupShared));
        self.0.sight.learn(&facts);
        self.0.sight.neighbours.was_read(now);
        Ok(())
    }
}

/// Whose a device is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owned {
    pub(super) device: DeviceId,
    pub(super) owner: Option<Person>,
    pub(super) by: String,
}

/// What a device is shared with a user for; `None` when it is no longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) device: DeviceId,
    pub(super) with: Person,
    pub(super) share: Option<Share>,
    pub(super) by: String,
}

/// A device's tags, all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tagged {
    pub(super) device: DeviceId,
    pub(super) tags: Vec<String>,
}

/// A group's name and owner; once it is `gone` it stays so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupNote {
    pub(super) id: GroupId,
    pub(super) name: String,
    pub(super) owner: Option<Person>,
    pub(super) created: Timestamp,
    pub(super) gone: bool,
    pub(super) by: String,
}

/// Whether a device is in a group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) group: GroupId,
    pub(super) device: DeviceId,
    pub(super) here: bool,
}

/// What a group's devices are shared with a user for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GroupShared {
    pub(super) group: GroupId,
    pub(super) with: Person,
    pub(super) share: Option<Share>,
    pub(super) by: String,
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

impl Kept for Tagged {
    const KIND: &'static str = "device_tags";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Kept for GroupNote {
    const KIND: &'static str = "group";

    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl Kept for Member {
    const KIND: &'static str = "group_member";

    fn key(&self) -> String {
        format!("{}:{}", self.group, self.device)
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Kept for GroupShared {
    const KIND: &'static str = "group_share";

    fn key(&self) -> String {
        format!("{}:{}", self.group, self.with.id.as_str())
    }
}
