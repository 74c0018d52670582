//! Devices and how they are named.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::id::random_id;

/// The name of a dialect, such as `cwm`. Families are listed in `family/mod.rs`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(transparent)]
pub struct FamilyName(Arc<str>);

impl FamilyName {
    /// Wraps a family's name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FamilyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FamilyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

random_id! {
    /// homeport's own name for a device: random text, never a number that counts.
    DeviceId
}

random_id! {
    /// The id of a group of devices: random text.
    GroupId
}

/// Whether a device is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceState {
    /// Heard and commanded.
    Active,
    /// Heard and stored, but not commanded until a person adopts it.
    Held,
    /// Refused.
    Blocked,
}

impl DeviceState {
    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Blocked => "blocked",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Held, Self::Blocked].into_iter().find(|state| state.as_str() == text)
    }
}

/// The names of a device, as carried beside everything that concerns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceRef {
    /// homeport's own name for it.
    pub id: DeviceId,
    /// Its dialect.
    pub family: FamilyName,
    /// Its own identity on the wire, letter case as first seen.
    pub address: String,
    /// What people call it; its address until somebody renames it.
    pub name: String,
}

/// A device as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its names.
    #[serde(flatten)]
    pub names: DeviceRef,
    /// Whether it is let in.
    pub state: DeviceState,
    /// The device it speaks through: the CWM that owns an OKE.
    pub parent: Option<DeviceId>,
    /// When it was first heard or first named by a person.
    pub created: Timestamp,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
}
