//! Backups, for the command line: of a store that no server has open, and back into its place.

use std::path::{Path, PathBuf};

use super::{ServerError, is_running, sockets, target};
use crate::config::Config;
use crate::model::Clock;
use crate::store::{self, StoreError};

/// Copies the store that no server has open into a new file, and checks the copy. Answers the number of entries
/// in its ledger.
///
/// # Errors
/// A server runs, the file is there already, or what is wrong with the copy.
pub async fn backup(config: &Config, to: &Path) -> Result<i64, ServerError> {
    Ok(store::backup_closed(&target(config)?, to).await?)
}

/// Checks a backup from end to end. Answers the number of entries in its ledger.
///
/// # Errors
/// What is wrong with it.
pub async fn verify_backup(file: &Path) -> Result<i64, ServerError> {
    Ok(store::sqlite::verify(file).await?)
}

/// Checks a backup and puts a copy of it in the place of the store. What was there is kept: under the name that
/// is answered, if there was anything, with the number of entries in the ledger.
///
/// # Errors
/// A server runs, or the backup is no good; the store is as it was then.
pub async fn restore(config: &Config, from: &Path) -> Result<(Option<PathBuf>, i64), ServerError> {
    let target = target(config)?;
    sockets::data_folder(&config.data_dir)?;
    if is_running(&config.data_dir).await {
        return Err(ServerError::SecondServer(config.data_dir.clone()));
    }
    let stamp = Clock::system().now().civil_seconds().replace(['-', ':'], "");
    match store::restore(&target, from, &format!(".replaced-{stamp}Z")).await {
        Err(StoreError::InUse(_)) => Err(ServerError::SecondServer(config.data_dir.clone())),
        done => Ok(done?),
    }
}
