//! The database seam: what may be written and read, and the handle everybody else holds.
//!
//! Writes are values sent to one writer, which commits whatever waits in one transaction and answers each
//! sender only after that commit. Knows no dialect and no socket.

pub mod audit;
mod gauges;
mod handle;
mod history;
mod inspect;
pub mod ledger;
pub(crate) mod migrate;
mod people;
#[cfg(feature = "postgres")]
pub mod postgres;
mod prune;
mod read;
pub mod sqlite;
mod write;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Draft, Timestamp};
pub use handle::{Store, Target, WriterSettings};
pub use inspect::{Inspection, inspect};
pub use writer::{Queue, Written};

pub use prune::{Bulk, PAGE_BYTES, Place, Prune, Pruned, Weight};
pub use read::{
    After, AuditFilter, Backup, Bucket, BucketFilter, CommandFilter, DataFilter, DeviceFilter, LedgerPage,
    MessageFilter, Reader, RecordFilter, Stats, TRUSTED, Whose,
};
pub use write::{
    ASK_AGAIN, Acknowledgement, Enqueued, Leased, Outcome, RecordWrite, Renewal, Renewed, Reply, ReportWrite,
    Reported, SESSIONS_MAX, Settled, UserWrite, Write,
};

/// A future that a reader or an engine hands back.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store did not do as asked. Each text names the cause and, where there is one, the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The writer has as much waiting as it may hold; nothing was stored. Try again.
    #[error("the store is busy: too many writes are waiting")]
    Busy,
    /// The writer has stopped; nothing was stored.
    #[error("the store is closed")]
    Closed,
    /// The disk is full; nothing was stored.
    #[error("the disk that holds the store is full: free some space on it ({0})")]
    Full(String),
    /// The database cannot be written; nothing was stored.
    #[error("the store cannot be written: check owner, mode and mount of its folder ({0})")]
    ReadOnly(String),
    /// Something with this unique name exists.
    #[error("{0}")]
    Conflict(String),
    /// What was named does not exist.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The change is not one the state machine has, or the draft cannot be encoded.
    #[error("{0}")]
    Refused(String),
    /// The database was made by a newer homeport.
    #[error(
        "the store has schema {found}, this homeport knows up to {known}: start a newer homeport, or restore a backup"
    )]
    TooNew {
        /// The schema the database says it has.
        found: u32,
        /// The newest schema this build knows.
        known: u32,
    },
    /// Another homeport has the data folder.
    #[error("{0}")]
    InUse(String),
    /// The database failed in a way that has no better name; nothing was stored.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// The refusal of one command too many.
pub(crate) fn queue_full(draft: &Draft) -> StoreError {
    StoreError::Conflict(format!(
        "{} commands wait for {} already (limits.device_commands_max_count): cancel some, or let it fetch them first",
        draft.waiting_max, draft.via.name
    ))
}

/// Why a command is `sent`.
pub(crate) const fn handed_out(until: Option<Timestamp>) -> &'static str {
    match until {
        Some(_) => "the device fetched it",
        None => "it went out on the device's open connection; such devices acknowledge nothing",
    }
}

/// One database behind the seam.
pub trait Engine: Send + 'static {
    /// Applies the whole batch in order in one transaction, synced to disk when it returns; outcomes match
    /// writes one to one. An `Err` for the whole batch means nothing of it is stored. A refusal of a single
    /// write (`Conflict`, `NotFound`, `Refused`) is that write's own outcome and rejects no neighbour.
    /// The writer keeps the batch, so that it can try its writes singly after a failure.
    fn commit(
        &mut self,
        batch: &[Write],
    ) -> impl Future<Output = Result<Vec<Result<Outcome, StoreError>>, StoreError>> + Send;

    /// Does what can wait until the senders have their answers; `quiet` when nothing has been sent since the time
    /// it named last. Says after how much quiet it wants to be asked again; `None` when it has nothing to do.
    fn chore(&mut self, quiet: bool) -> Option<Duration> {
        let _ = quiet;
        None
    }

    /// A handle for reading, which may be shared by any number of tasks.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Is given the queue of the writer, for readers that have to ask for something first.
    fn connect(&self, queue: &Arc<Queue>) {
        let _ = queue;
    }
}

/// Copies a database that no server has open into a new file, and checks the copy. Answers the number of
/// entries in its ledger.
///
/// # Errors
/// `InUse` by a server, `Full`, `Refused` with what is wrong.
pub async fn backup_closed(target: &Target, to: &std::path::Path) -> Result<i64, StoreError> {
    match target {
        Target::Sqlite(path) => sqlite::backup_closed(path, to).await,
        Target::Postgres(_) => Err(own_tools("pg_dump")),
    }
}

/// Puts a checked copy of a backup in the place of a database that no server has open. The database that was
/// there is kept: its name with `suffix` is answered, and the number of entries in the ledger.
///
/// # Errors
/// `InUse` by a server, `TooNew`, `Full`, `Refused` with what is wrong; the database is as it was then.
pub async fn restore(
    target: &Target,
    from: &std::path::Path,
    suffix: &str,
) -> Result<(Option<std::path::PathBuf>, i64), StoreError> {
    match target {
        Target::Sqlite(path) => sqlite::restore(path, from, suffix).await,
        Target::Postgres(_) => Err(own_tools("pg_restore")),
    }
}

/// The refusal to do what PostgreSQL has a program for.
fn own_tools(program: &str) -> StoreError {
    StoreError::Refused(format!(
        "PostgreSQL has its own program for this: {program} (docs/operations.md shows how)"
    ))
}

/// The list of engines.
async fn open(target: &Target, settings: WriterSettings) -> Result<Store, StoreError> {
    match target {
        Target::Sqlite(path) => {
            let path = path.clone();
            let engine = tokio::task::spawn_blocking(move || {
                sqlite::Sqlite::open(&path, sqlite::SqliteSettings::default())
            });
            let engine = engine.await.map_err(|error| StoreError::Failed(error.to_string()))??;
            Store::start(engine, settings)
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => Store::start(postgres::PostgresEngine::open(url).await?, settings),
        #[cfg(not(feature = "postgres"))]
        Target::Postgres(_) => {
            Err(StoreError::Failed("this homeport was built without PostgreSQL".to_owned()))
        }
    }
}
