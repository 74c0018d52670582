//! Connections and what is set on each of them.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::SqliteSettings;
use crate::store::StoreError;

/// How long a connection waits for another that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Versions before lose committed pages when two connections write and checkpoint at once.
const OLDEST_SAFE: i32 = 3_051_003;

/// Statements kept prepared on each connection.
const STATEMENTS_KEPT: usize = 128;

/// Pages in the journal from which on it is folded into the database: a page that changes with each commit is then
/// written there once for many.
const CHECKPOINT_PAGES: i64 = 4_000;

/// Pages the writer keeps in memory at most, in KiB.
const WRITER_CACHE_KIB: i64 = 16_384;

/// The connection that writes. What it commits is on disk when `COMMIT` returns.
pub(super) fn for_writing(path: &Path, settings: SqliteSettings) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SAFE {
        return Err(StoreError::Failed(format!(
            "SQLite {} may lose commits: build homeport with 3.51.3 or newer",
            rusqlite::version()
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let db = open(path, flags)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    if let Some(pages) = settings.max_pages {
        db.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(db)
}

/// A connection that only reads.
pub(super) fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // Else a statement whose plan might depend on a value is prepared anew each time it is used.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(db)
}
