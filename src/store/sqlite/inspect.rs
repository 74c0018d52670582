//! A look at the file that changes nothing.

use std::path::Path;

use super::{connection, lock, schema};
use crate::store::{Inspection, StoreError};

/// Which schema a file has, if it is there and nobody has it.
///
/// # Errors
/// Another homeport has it, or it is no database.
pub fn inspect(path: &Path) -> Result<Inspection, StoreError> {
    let place = path.display().to_string();
    if !path.exists() {
        return Ok(Inspection { place, schema: None, newest: schema::newest() });
    }
    let _held = lock::hold(path)?;
    let db = connection::for_reading(path)?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(Inspection { place, schema: (version > 0).then_some(version), newest: schema::newest() })
}

#[cfg(test)]
mod tests {
    use super::super::{Sqlite, SqliteSettings};
    use super::*;

    #[test]
    fn a_file_is_missing_ours_anothers_or_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("homeport.db");
        assert_eq!(inspect(&path).unwrap().schema, None);
        assert!(!path.exists(), "a look makes nothing");
        let engine = Sqlite::open(&path, SqliteSettings::default()).unwrap();
        assert!(matches!(inspect(&path), Err(StoreError::InUse(_))));
        drop(engine);
        let found = inspect(&path).unwrap();
        assert_eq!(found.schema, Some(found.newest));
        std::fs::write(&path, "no database at all, but long enough to be looked at as if it were one")
            .unwrap();
        assert!(matches!(inspect(&path), Err(StoreError::Failed(_))));
    }
}
