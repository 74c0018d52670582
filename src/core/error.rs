//! What can go wrong at the hub, by whose fault it is.

use crate::store::StoreError;

/// Why the hub did not do as asked. Each text is a sentence that the asker may see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The device is not let in: blocked, or unknown where unknown devices are refused.
    #[error("{0}")]
    Refused(String),
    /// What was named does not exist.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The change does not fit what is there.
    #[error("{message}")]
    Conflict {
        /// The field at fault, as the API calls it; empty when none is.
        field: &'static str,
        /// The sentence.
        message: String,
    },
    /// What was asked makes no sense in itself.
    #[error("{message}")]
    Invalid {
        /// The field at fault, as the API calls it.
        field: &'static str,
        /// The sentence.
        message: String,
    },
    /// Wrong name or password; the text never says which.
    #[error("wrong user name or password")]
    Unauthorized,
    /// An account's own rules are not met.
    #[error(transparent)]
    Account(#[from] AccountFault),
    /// Too many tries; come back later.
    #[error("too many attempts: try again in {retry_after_s} s")]
    TooMany {
        /// Whole seconds to wait, at least 1.
        retry_after_s: u64,
    },
    /// A file is larger than files may be.
    #[error("the file is larger than {limit_bytes} bytes (limits.file_bytes_max)")]
    TooLarge {
        /// What a file may have.
        limit_bytes: u64,
    },
    /// A folder for files cannot be read or written; nothing was published. The cause has been logged.
    #[error("{0}")]
    Disk(String),
    /// The device sends more than it may; nothing was stored. It comes again.
    #[error("{0}")]
    TooFast(String),
    /// The store has as much waiting as it may hold; nothing was stored. Try again.
    #[error("the server is busy: try again")]
    Busy,
    /// The store failed; nothing was stored.
    #[error(transparent)]
    Store(StoreError),
}

/// Why an account is not made, or a sign-in not renewed (`accounts-dashboard.md §3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountFault {
    /// Somebody has the name.
    #[error("this user name is taken")]
    UsernameTaken,
    /// The name is shorter than names that people choose may be.
    #[error("a user name has at least 5 characters")]
    UsernameTooShort,
    /// The password is too short or too long.
    #[error("a password has 8 to 128 characters")]
    PasswordLength,
    /// The password was typed differently the second time.
    #[error("the password and its confirmation differ")]
    PasswordMismatch,
    /// Nobody may register.
    #[error("registration is closed: ask an administrator for an account")]
    RegistrationClosed,
    /// Only invited people may register.
    #[error("registration needs an invitation: ask an administrator for one")]
    InviteRequired,
    /// The invitation is unknown, past its end, or used up.
    #[error("this invitation is not good, or no longer")]
    InviteInvalid,
    /// The refresh token is unknown or past its end.
    #[error("this refresh token has ended: sign in again")]
    RefreshExpired,
    /// The refresh token was shown before. Its session has ended, since one of the two who had it has stolen it.
    #[error("this refresh token was used before, so everything of its sign-in has ended: sign in again")]
    RefreshReused,
    /// A token of a smaller scope than its user's asks for what concerns the whole account.
    #[error(
        "this is not within the token's scope: sign in with a password, or use a token without a narrower scope"
    )]
    ScopeTooSmall,
}

impl HubError {
    /// A complaint about one field of what was asked.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    /// A clash with what is there.
    pub fn conflict(field: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { field, message: message.into() }
    }
}

impl From<StoreError> for HubError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::Busy,
            StoreError::Conflict(message) | StoreError::Refused(message) => Self::conflict("", message),
            StoreError::NotFound(what) => Self::NotFound(what),
            StoreError::Closed
            | StoreError::Full(_)
            | StoreError::ReadOnly(_)
            | StoreError::TooNew { .. }
            | StoreError::InUse(_)
            | StoreError::Failed(_) => Self::Store(error),
        }
    }
}
