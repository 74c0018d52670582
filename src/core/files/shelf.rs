//! The folder with the contents of published files: `published/` in the files' folder, each content under its own
//! SHA-256. Nothing else in the files' folder is ever read.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::Published;
use crate::core::HubError;

/// The folder, and who may change it now.
pub(in crate::core) struct Shelf {
    folder: Arc<Path>,
    turn: Mutex<()>,
    pub(super) reserved: OnceLock<BTreeSet<String>>,
}

impl Shelf {
    /// Over the files' folder, which need not be there yet.
    pub(in crate::core) fn new(files_dir: &Path) -> Self {
        let folder = files_dir.join("published").into();
        Self { folder, turn: Mutex::new(()), reserved: OnceLock::new() }
    }

    /// Waits until nobody else changes what is published, so that a content is not removed while a record of it is
    /// being written.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Opens a content. A symbolic link is none, wherever it leads, nor is a file of another size.
    pub(super) async fn open(&self, sha256: &str, size: u64) -> io::Result<File> {
        let path = self.path(sha256)?;
        off_runtime(move || open(&path, size)).await
    }

    /// For each file, whether [`Shelf::open`] would open it.
    pub(super) async fn available(&self, files: &[&Published]) -> Vec<bool> {
        let wanted: Vec<_> = files.iter().map(|file| (self.path(&file.sha256), file.size)).collect();
        let look = move || {
            let found =
                wanted.into_iter().map(|(path, size)| path.and_then(|path| open(&path, size)).is_ok());
            Ok(found.collect())
        };
        off_runtime(look).await.unwrap_or_default()
    }

    /// Where a content lies: its name is 64 hex digits and nothing else, whoever wrote the record.
    fn path(&self, sha256: &str) -> io::Result<PathBuf> {
        if is_sum(sha256) { Ok(self.folder.join(sha256)) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    /// Makes an empty file for an upload.
    pub(super) async fn begin(&self) -> Result<Unfinished, HubError> {
        let folder = Arc::clone(&self.folder);
        let begun = off_runtime(move || {
            fs::create_dir_all(&folder)?;
            let path = folder.join(format!("{UNFINISHED}{}", Uuid::new_v4().simple()));
            let file = File::create_new(&path)?;
            Ok(Unfinished { file, path: Remains(path) })
        });
        begun.await.map_err(|error| failed("the folder for files cannot be written", &error))
    }

    /// Puts a finished upload in its place, durably.
    pub(super) async fn place(&self, finished: Finished, sha256: &str) -> Result<(), HubError> {
        let folder = Arc::clone(&self.folder);
        let path = self.path(sha256);
        let placed = off_runtime(move || {
            fs::rename(&finished.0.0, path?)?;
            File::open(&folder)?.sync_all()
        });
        placed.await.map_err(|error| failed("the file cannot be put in its place", &error))
    }

    /// Removes a content; what is being read of it can be read to its end.
    pub(super) async fn remove(&self, sha256: &str) {
        let path = self.path(sha256);
        if let Err(error) = off_runtime(move || fs::remove_file(path?)).await {
            tracing::warn!(sha256, %error, "a content that nobody uses could not be removed");
        }
    }

    /// Removes old contents that are not in use. Young ones may be another server's that shares the folder.
    pub(super) async fn tidy(&self, used: BTreeSet<String>) -> Result<(), HubError> {
        let folder = Arc::clone(&self.folder);
        let tidied = off_runtime(move || {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let ours = name.starts_with(UNFINISHED) || is_sum(&name);
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if ours && age > LEFT_BEHIND && !used.contains(&name) {
                    tracing::info!(name, "a content that nobody uses is removed");
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        });
        tidied.await.map_err(|error| failed("the folder for files cannot be tidied", &error))
    }
}

/// A file that an upload is written to.
pub(super) struct Unfinished {
    pub(super) file: File,
    path: Remains,
}

impl Unfinished {
    /// Makes what was written durable and read-only.
    pub(super) fn finish(self) -> io::Result<Finished> {
        self.file.set_permissions(Permissions::from_mode(0o444))?;
        self.file.sync_all()?;
        Ok(Finished(self.path))
    }
}

/// An upload that is whole and on disk, but not in its place.
pub(super) struct Finished(Remains);

/// A file that is removed when nobody needs it, unless it was renamed by then.
struct Remains(PathBuf);

impl Drop for Remains {
    fn drop(&mut self) {
        // Most often it has been put in its place; what is left otherwise is found by `tidy`.
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %self.0.display(), %error, "an unfinished upload could not be removed");
        }
    }
}

/// Opens what lies at a path, if it is itself a file of this size.
fn open(path: &Path, size: u64) -> io::Result<File> {
    let entry = fs::symlink_metadata(path)?;
    let opened = File::open(path)?;
    let found = opened.metadata()?;
    let same = (entry.dev(), entry.ino()) == (found.dev(), found.ino());
    if entry.is_file() && same && found.len() == size {
        Ok(opened)
    } else {
        Err(io::Error::other("it is not the file that was published: publish it again"))
    }
}

fn is_sum(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten()
}

/// The sentence for the asker; the cause goes to the log.
pub(super) fn failed(what: &str, error: &io::Error) -> HubError {
    tracing::error!(%error, "{what}");
    HubError::Disk(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("{what}: the disk is full"),
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            format!("{what}: the server may not write there (files_dir)")
        }
        _ => format!("{what}; the server's log has the cause"),
    })
}

const UNFINISHED: &str = ".upload-";
/// An upload that broke off, or a content without a record, is this old before it counts as left behind.
const LEFT_BEHIND: Duration = Duration::from_hours(24);
