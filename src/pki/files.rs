//! Files of the certificate folder: written whole or not at all, keys for the owner only.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::PkiError;

/// Mode of private keys.
pub(super) const KEY_MODE: u32 = 0o600;
/// Mode of certificates.
pub(super) const CERT_MODE: u32 = 0o644;

/// Makes the folder, for the owner only, unless it exists.
pub(super) fn folder(dir: &Path) -> Result<(), PkiError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|cause| PkiError::Unwritable { file: dir.to_owned(), cause })
}

/// Reads a whole file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(file).map_err(|cause| PkiError::Unreadable { file: file.to_owned(), cause })
}

/// Reads a whole file; `None` when there is none.
pub(super) fn read_if_there(file: &Path) -> Result<Option<Vec<u8>>, PkiError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(PkiError::Unreadable { file: file.to_owned(), cause }),
    }
}

/// [`replace`], for files of the folder.
pub(super) fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    replace(file, bytes, mode).map_err(|cause| PkiError::Unwritable { file: file.to_owned(), cause })
}

/// Replaces a file, made with this mode: a reader sees the old or the new content, after a crash too. On disk when it
/// returns.
///
/// # Errors
/// The file cannot be written, or something else than a file is where its new content goes first (`FILE.new`).
pub fn replace(file: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    let fresh = beside(file);
    match fs::remove_file(&fresh) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&fresh, file)?;
    match file.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}
