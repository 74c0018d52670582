//! SQLite's errors, by what a person can do about them.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, _) = error else { return Self::Failed(text) };
        // A disk without room for the shared index of the journal answers with an input/output error.
        if failure.extended_code == SQLITE_IOERR_SHMSIZE {
            return Self::Full(text);
        }
        match failure.code {
            ErrorCode::DiskFull => Self::Full(text),
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::ReadOnly(text),
            // After `busy_timeout`: another program holds the file.
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::OperationInterrupted => Self::Failed("the read took too long".to_owned()),
            _ => Self::Failed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn refusal(pragma: &str) -> StoreError {
        let dir = tempfile::tempdir().unwrap();
        let db = Connection::open(dir.path().join("x.db")).unwrap();
        db.execute_batch("CREATE TABLE t (x)").unwrap();
        db.execute_batch(pragma).unwrap();
        db.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap_err().into()
    }

    #[test]
    fn a_full_disk_and_a_file_that_cannot_be_written_have_names() {
        assert!(matches!(refusal("PRAGMA max_page_count = 2"), StoreError::Full(_)));
        assert!(matches!(refusal("PRAGMA query_only = 1"), StoreError::ReadOnly(_)));
        let error = Connection::open("/dev/null/x.db").unwrap_err();
        assert!(matches!(StoreError::from(error), StoreError::ReadOnly(_)));
    }
}
