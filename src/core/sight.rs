//! Who sees which device, and may do what with it: owners and shares in memory, kept right on every server of one store
//! within a second. Never asked for a message of a device.
//!
//! A device without an owner is the *house's*: whoever sees the house sees it, and may do with it what the role says.
//! One with an owner is seen by the owner, by whom it is shared with, and by administrators.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Caller, Hub, HubError, Whose};
use crate::model::{DeviceId, GroupId, Role, Sees, UserId};

mod changes;
mod groups;
mod names;
mod records;
mod seen;
mod table;
#[cfg(test)]
mod tests;

pub use changes::Access;
pub use groups::GroupEdit;
pub(super) use names::{plain_tag, tidied};
pub use seen::Seen;
pub use table::Group;
pub(super) use table::Table;

/// What somebody may do with a device. Each level may do all that the ones before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing at all: for this caller there is no such device.
    Nothing,
    /// Look at it and at what it said.
    View,
    /// Command it, rename it, set it up.
    Edit,
    /// Forget it, share it, give it away, and what concerns its secrets.
    Own,
}

/// What a device is shared for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// To look at.
    Viewer,
    /// Also to command, to rename and to set up.
    Editor,
}

/// A person, as told beside a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Person {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: String,
}

/// The devices that a list may tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All, and what has no device.
    All,
    /// These and nothing else, in no order.
    Only(HashSet<DeviceId>),
    /// All but these, and what has no device.
    But(HashSet<DeviceId>),
}

/// What one caller sees. Asks the tables each time, so that it stays right for as long as it is held; only what the
/// caller itself is (its role, whether it sees the house, its token's devices) is that of its making.
#[derive(Clone)]
pub struct Sight {
    hub: Hub,
    user: UserId,
    role: Role,
    /// Whether the user is an administrator, whatever the caller's token may do.
    admin: bool,
    house: bool,
    /// The devices that the caller's token is for; `None` is all.
    only: Option<Arc<HashSet<DeviceId>>>,
}

impl Hub {
    /// What a caller sees.
    pub fn sight(&self, caller: &Caller) -> Sight {
        let admin = caller.user.role == Role::Admin;
        Sight {
            hub: self.clone(),
            user: caller.user.id.clone(),
            role: caller.role,
            admin,
            house: caller.sees() == Sees::House,
            only: caller.devices.as_ref().map(|devices| Arc::new(devices.iter().cloned().collect())),
        }
    }

    /// A device's owner; `None` is the house. No wait.
    pub fn owner(&self, device: &DeviceId) -> Option<Person> {
        self.0.sight.read().owner(device).cloned()
    }
}

impl Sight {
    /// What the caller may do with a device, whether there is one or not.
    pub fn level(&self, device: &DeviceId) -> Level {
        if self.only.as_ref().is_some_and(|only| !only.contains(device)) {
            return Level::Nothing;
        }
        let table = self.hub.0.sight.read();
        let level = match table.owner(device) {
            _ if self.admin => Level::Own,
            None if self.house => Level::Own,
            Some(owner) if owner.id == self.user => Level::Own,
            Some(_) | None => table.shared(device, &self.user).map_or(Level::Nothing, Share::level),
        };
        level.min(cap(self.role))
    }

    /// Whether the caller may look at a device.
    pub fn sees(&self, device: &DeviceId) -> bool {
        self.level(device) >= Level::View
    }

    /// Whether the caller sees everything there is: nothing need be left out, now or later.
    pub fn whole(&self) -> bool {
        self.admin && self.only.is_none()
    }

    /// Whether the caller sees what is the house's: its devices, and what belongs to no device.
    pub fn house(&self) -> bool {
        (self.admin || self.house) && self.only.is_none()
    }

    /// Whether the caller may look at something that belongs to this device or to none.
    pub fn sees_of(&self, device: Option<&DeviceId>) -> bool {
        device.map_or_else(|| self.house(), |device| self.sees(device))
    }

    /// Who calls.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// The devices that a list may tell of at this moment.
    pub fn scope(&self) -> Scope {
        if self.whole() {
            return Scope::All;
        }
        if let Some(only) = &self.only {
            return Scope::Only(only.iter().filter(|device| self.sees(device)).cloned().collect());
        }
        let table = self.hub.0.sight.read();
        if self.house {
            Scope::But(table.hidden_from(&self.user))
        } else {
            Scope::Only(table.seen_by(&self.user))
        }
    }
}

impl Scope {
    /// Whether something of this device, or of none, may be told.
    pub fn holds(&self, device: Option<&DeviceId>) -> bool {
        match self {
            Self::All => true,
            Self::Only(devices) => device.is_some_and(|device| devices.contains(device)),
            Self::But(devices) => device.is_none_or(|device| !devices.contains(device)),
        }
    }
}

impl From<Scope> for Whose {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Only(devices) => Self::Only(Arc::new(devices.into_iter().collect())),
            Scope::But(devices) => Self::But(Arc::new(devices)),
        }
    }
}

impl Share {
    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
        }
    }

    const fn level(self) -> Level {
        match self {
            Self::Viewer => Level::View,
            Self::Editor => Level::Edit,
        }
    }
}

/// The most that a role may do with any device.
const fn cap(role: Role) -> Level {
    match role {
        Role::Viewer => Level::View,
        Role::Operator | Role::Admin => Level::Own,
    }
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sight").field("user", &self.user).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The person that a user is.
impl From<&crate::model::User> for Person {
    fn from(user: &crate::model::User) -> Self {
        Self { id: user.id.clone(), name: user.name.clone() }
    }
}

fn unknown() -> HubError {
    HubError::NotFound("device")
}
