//! The SQLite engine: one connection that writes, a few that only read.

use std::path::Path;
use std::sync::Arc;

use super::{Engine, Outcome, Reader, StoreError, Write};

/// A database file opened for writing.
pub struct Sqlite {
    reader: Arc<dyn Reader>,
}

/// What may be set of the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqliteSettings {
    /// The file's largest size in pages of 4 KiB; `None` is as large as the disk allows.
    pub max_pages: Option<u32>,
}

impl Sqlite {
    /// Opens or makes a database file and takes the lock beside it.
    ///
    /// # Errors
    /// `InUse`, `TooNew`, `ReadOnly`, `Full` or `Failed`.
    pub fn open(_path: &Path, _settings: SqliteSettings) -> Result<Self, StoreError> {
        Err(StoreError::Failed("not there yet".to_owned()))
    }
}

impl Engine for Sqlite {
    async fn commit(&mut self, _batch: &[Write]) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
        Ok(Vec::new())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.reader)
    }
}
