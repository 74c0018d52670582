//! What the database's complaints mean for the caller, and how far they reach.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::model::EncodeError;
use crate::store::StoreError;

/// Why a write was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// This write cannot be done; its neighbours can.
    Write(StoreError),
    /// Nothing of the batch can be done.
    Batch(StoreError),
}

impl Fault {
    /// Why, however far it reaches.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Write(error) | Self::Batch(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let class = error.code().map(|code| code.code().get(..2).unwrap_or_default().to_owned());
        match class.as_deref() {
            // 22 is data the database cannot hold, 23 a broken rule between rows: both are this write's own.
            Some("22" | "23") => Self::Write(translate(&error)),
            _ => Self::Batch(translate(&error)),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) | StoreError::NotFound(_) | StoreError::Refused(_) => Self::Write(error),
            StoreError::Busy
            | StoreError::Closed
            | StoreError::Full(_)
            | StoreError::ReadOnly(_)
            | StoreError::TooNew { .. }
            | StoreError::InUse(_)
            | StoreError::Failed(_) => Self::Batch(error),
        }
    }
}

impl From<EncodeError> for Fault {
    fn from(error: EncodeError) -> Self {
        Self::Write(StoreError::Refused(error.0))
    }
}

/// The store's name for a database error.
pub(super) fn translate(error: &Error) -> StoreError {
    let text = sentence(error);
    match error.code() {
        Some(&SqlState::DISK_FULL) => StoreError::Full(text),
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => StoreError::ReadOnly(text),
        Some(&SqlState::UNIQUE_VIOLATION) => StoreError::Conflict("it exists already".to_owned()),
        Some(_) | None => StoreError::Failed(text),
    }
}

/// Whether the connection is gone, or about to go: the server ends it, is going down, or is starting up.
pub(super) fn is_lost(error: &Error) -> bool {
    error.code().is_none_or(|code| code.code().starts_with("57P") || code.code().starts_with("08"))
}

/// The error with its causes: tokio-postgres prints only the outermost ("db error").
fn sentence(error: &Error) -> String {
    if let Some(found) = error.as_db_error() {
        let detail = found.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        return format!("PostgreSQL: {}{detail} [{}]", found.message(), found.code().code());
    }
    let mut text = format!("PostgreSQL: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
