//! People and scripts that sign in.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DeviceId, Timestamp};

/// A user's id: random text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(transparent)]
pub struct UserId(Arc<str>);

impl UserId {
    /// A new id.
    pub fn random() -> Self {
        Self(Arc::from(uuid::Uuid::now_v7().simple().to_string()))
    }

    /// Wraps an id read from a store or a request.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a person may do. Each role may do all that the ones before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also commands and edits devices.
    Operator,
    /// Also users, tokens and settings.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which devices a person sees beside the own and those that others share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// The house's too: all that no person owns.
    House,
    /// None.
    Own,
}

impl Sees {
    /// Both.
    pub const ALL: [Self; 2] = [Self::House, Self::Own];

    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Own => "own",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sees| sees.as_str() == text)
    }
}

impl fmt::Display for Sees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A person who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name typed at sign-in; unique without regard to case.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// With which devices.
    pub sees: Sees,
    /// When it was made.
    pub created: Timestamp,
}

/// A user's name with its stored password hash (Argon2id, PHC text).
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub user: User,
    /// The PHC text.
    pub password_hash: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// An API token: shown once, stored as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id: random text.
    pub id: String,
    /// What its maker called it.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// What it may do; never more than its user.
    pub role: Role,
    /// The only devices it is for; `None` is every device that its user sees.
    pub devices: Option<Vec<DeviceId>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
}
