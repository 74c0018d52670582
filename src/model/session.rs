//! Sign-ins of people: what a browser or a script has from one password to its end.

use super::{Role, Sees, Timestamp, UserId};

/// One sign-in. Its secrets are stored as hashes alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id: random text, no secret.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Timestamp,
    /// When nothing of it is good any more.
    pub expires: Timestamp,
    /// From where it was used last.
    pub origin: Origin,
    /// What it is renewed with; a browser's is not.
    pub refresh: Option<Refresh>,
}

/// From where somebody calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address.
    pub peer: String,
    /// What the program calls itself (`User-Agent`), cut.
    pub agent: String,
}

/// What a session is renewed with: of all its tokens the newest, each good once (`accounts-dashboard.md §3`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// SHA-256 of the half that all tokens of the session have in common: its family.
    pub family_hash: [u8; 32],
    /// SHA-256 of the other half of the newest.
    pub secret_hash: [u8; 32],
    /// When it ends.
    pub expires: Timestamp,
}

/// A secret that lets its holder in, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// SHA-256 of it.
    pub secret_hash: [u8; 32],
    /// When it ends.
    pub expires: Timestamp,
}

/// What a session or a token, by its id, lets its holder do at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The session's or the token's id.
    pub id: String,
    /// What its user may do.
    pub role: Role,
    /// With which devices.
    pub sees: Sees,
}
