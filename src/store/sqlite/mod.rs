//! The SQLite engine: one connection that writes, a few that only read.

mod audit_log;
mod backup;
mod batch;
mod command;
mod connection;
mod convert;
mod device;
mod entry;
mod entry_v1;
mod error;
mod filing;
mod inbox;
mod inspect;
mod journal;
mod lock;
mod own;
mod pages;
mod people;
mod prints;
mod prune;
mod queue;
mod read_commands;
mod read_devices;
mod read_messages;
mod read_pages;
mod read_people;
mod reader;
mod recall;
mod record;
mod report;
mod row;
mod schema;
mod sessions;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

pub use inspect::inspect;

use super::{Engine, Outcome, Queue, Reader, StoreError, Write};
use recall::Recall;

/// A database file opened for writing.
pub struct Sqlite {
    writer: Connection,
    recall: Recall,
    /// Whether filing failed the last time.
    stuck: bool,
    reader: Arc<reader::Readers>,
    /// Given back when the engine is dropped. Last, so that the database is closed before.
    _lock: File,
}

/// What may be set of the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqliteSettings {
    /// The file's largest size in pages of 4 KiB; `None` is as large as the disk allows.
    pub max_pages: Option<u32>,
}

impl Sqlite {
    /// Opens or makes a database file, takes the lock beside it, and brings its schema up to date.
    ///
    /// # Errors
    /// `InUse`, `TooNew`, `ReadOnly`, `Full` or `Failed`.
    pub fn open(path: &Path, settings: SqliteSettings) -> Result<Self, StoreError> {
        let lock = lock::take(path)?;
        let mut writer = connection::for_writing(path, settings)?;
        schema::bring_up_to_date(&mut writer)?;
        let recall = Recall::load(&writer)?;
        let reader = Arc::new(reader::Readers::new(path, recall.inbox.unfiled()));
        let mut engine = Self { writer, recall, stuck: false, reader, _lock: lock };
        engine.file();
        Ok(engine)
    }
}

/// Reads a copy of a database from end to end. Answers the number of entries in its ledger.
///
/// # Errors
/// `TooNew`, or `Refused` with what is wrong with it.
pub async fn verify(path: &Path) -> Result<i64, StoreError> {
    backup::verify(path).await
}

/// Copies a database that no server has open, and checks the copy.
pub(super) async fn backup_closed(path: &Path, to: &Path) -> Result<i64, StoreError> {
    backup::of_closed(path, to).await
}

/// Puts a checked copy of a backup in the place of a database.
pub(super) async fn restore(
    path: &Path,
    from: &Path,
    suffix: &str,
) -> Result<(Option<PathBuf>, i64), StoreError> {
    backup::restore(path, from, suffix).await
}

impl Engine for Sqlite {
    async fn commit(&mut self, batch: &[Write]) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
        batch::commit(&self.writer, &mut self.recall, batch)
    }

    fn chore(&mut self, quiet: bool) -> Option<Duration> {
        if quiet || (self.recall.inbox.len() >= FILED_AT_COUNT && !self.stuck) {
            self.file();
        }
        self.is_due().then_some(if self.stuck { TRIED_AGAIN_AFTER } else { FILED_AFTER })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::<reader::Readers>::clone(&self.reader)
    }

    fn connect(&self, queue: &Arc<Queue>) {
        self.reader.connect(Arc::downgrade(queue));
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.reader.close();
    }
}

impl Sqlite {
    fn is_due(&self) -> bool {
        self.recall.inbox.len() > 0 || self.recall.pages.is_due() || self.recall.prints.is_due()
    }

    fn file(&mut self) {
        if !self.is_due() {
            return;
        }
        let filed = batch::file(&self.writer, &mut self.recall);
        self.stuck = filed.is_err();
        if let Err(error) = filed {
            tracing::error!(%error, "what messages said is safe and not in its place yet; tried again later");
        }
    }
}

/// Messages in the inbox that are filed at once: enough that pages are shared, few enough that nobody waits long.
const FILED_AT_COUNT: usize = 1024;
/// How long after the last message the rest is filed.
const FILED_AFTER: Duration = Duration::from_millis(250);
/// The same after it failed.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(10);
