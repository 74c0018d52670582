//! The lock beside the database, which keeps a second homeport from the same data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Makes the folder if needed and takes the lock; it is held for as long as the file is open.
pub(super) fn take(database: &Path) -> Result<File, StoreError> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    let path = &beside(database);
    let mut options = OpenOptions::new();
    // The database holds password hashes: made for its owner only. Its journals take the same mode.
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    drop(options.open(database).map_err(|error| cannot_write(database, &error))?);
    let mut file = options.open(path).map_err(|error| cannot_write(path, &error))?;
    claim(&mut file, path, database)?;
    // Only to say who has it: a lock without a number is as good.
    drop(
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes())),
    );
    Ok(file)
}

/// Holds the lock of a database that is there, for as long as the file is open, and writes nothing. `None` when it
/// was never locked.
pub(super) fn hold(database: &Path) -> Result<Option<File>, StoreError> {
    let path = beside(database);
    let Ok(mut file) = File::open(&path) else { return Ok(None) };
    claim(&mut file, &path, database)?;
    Ok(Some(file))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn claim(file: &mut File, path: &Path, database: &Path) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            drop(file.read_to_string(&mut holder));
            let holder = holder.trim();
            let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            Err(StoreError::InUse(format!(
                "another homeport{holder} uses {}: stop it, or give this one another data folder",
                database.display()
            )))
        }
        Err(TryLockError::Error(error)) => Err(cannot_write(path, &error)),
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::ReadOnly(text),
    }
}
