//! Copies of a database: made while it is written to, and checked before they are called good.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::reader::Readers;
use super::{connection, lock, pages, schema};
use crate::store::{Backup as Copied, StoreError, audit};

/// Copies the database at `from`, as it is at this moment, into a new file. Others may go on writing: what they
/// write waits in the journal, which grows until the copy is done.
///
/// # Errors
/// `Full` when the copy would not leave room for the server, `Failed` for everything else.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connection::for_reading(from)?;
    // An open read keeps the copy at one moment; without it every commit would start it afresh.
    source.execute_batch("BEGIN")?;
    let pages: u32 = source.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let page: u32 = source.pragma_query_value(None, "page_size", |row| row.get(0))?;
    leave_room(to, u64::from(pages) * u64::from(page))?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    let file = made.map_err(|error| failed(to, &error))?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Nobody reads the copy before it is whole, and it is synced at the end.
    target.pragma_update(None, "journal_mode", "OFF")?;
    target.pragma_update(None, "synchronous", "OFF")?;
    let steps = Backup::new(&source, &mut target)?;
    loop {
        match steps.step(STEP_PAGES)? {
            StepResult::Done => break,
            StepResult::More => rest(STEP_REST),
            _ => rest(STEP_REST * 10),
        }
    }
    drop(steps);
    drop(target);
    // One file that needs no journal beside it.
    let target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| StoreError::from(error))?;
    file.sync_all().map_err(|error| failed(to, &error))
}

#[expect(clippy::disallowed_methods, reason = "copies are made on a thread that may block")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Reads a copy from end to end: pages, rules between rows, ledger. Answers the number of entries.
///
/// # Errors
/// `TooNew`, or `Refused` with what is wrong with it.
pub(super) async fn verify(path: &Path) -> Result<i64, StoreError> {
    let at = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || look_through(&at)).await;
    looked.map_err(|error| StoreError::Failed(error.to_string()))??;
    let readers = Readers::new(path, std::sync::Arc::default());
    let findings = audit::check(&readers, &mut |_| {}).await?;
    readers.close();
    match findings.faults.as_slice() {
        [] => Ok(findings.entries),
        [fault, ..] => Err(StoreError::Refused(format!(
            "{}: its ledger has {} faults, the first: {fault}",
            path.display(),
            findings.faults.len()
        ))),
    }
}

fn look_through(path: &Path) -> Result<(), StoreError> {
    let wrong = |what: &str| StoreError::Refused(format!("{}: {what}", path.display()));
    let db = connection::for_reading(path).map_err(|error| wrong(&error.to_string()))?;
    let ours = db.query_row("SELECT count(*) FROM schema_step", [], |row| row.get::<_, i64>(0));
    if ours.is_err() {
        return Err(wrong("this is not a database of homeport's"));
    }
    schema::refuse_newer(&db)?;
    let said: String = db
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| wrong(&error.to_string()))?;
    if said != "ok" {
        return Err(wrong(&format!("it is damaged ({said})")));
    }
    if db.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(wrong("it is damaged (a row belongs to one that is not there)"));
    }
    match pages::first_damaged(&db)? {
        Some(last) => Err(wrong(&format!("it is damaged (what was measured up to message {last})"))),
        None => Ok(()),
    }
}

/// Makes a checked copy beside the database, for whoever asked to read; it is gone when the file is closed.
pub(super) async fn beside(database: &Path) -> Result<Copied, StoreError> {
    let folder = folder(database);
    remove_leftovers(&folder);
    let path = folder.join(format!("backup-{}{PARTIAL}", uuid::Uuid::new_v4().simple()));
    let gone = Gone(Some(path.clone()));
    let (from, to) = (database.to_owned(), path.clone());
    let copied = tokio::task::spawn_blocking(move || copy(&from, &to)).await;
    copied.map_err(|error| StoreError::Failed(error.to_string()))??;
    let entries = verify(&path).await?;
    let file = File::open(&path).map_err(|error| failed(&path, &error))?;
    let bytes = file.metadata().map_err(|error| failed(&path, &error))?.len();
    drop(gone);
    Ok(Copied { file, bytes, entries })
}

/// Copies a database that no server has open, and checks the copy. The database is not brought up to date.
pub(super) async fn of_closed(database: &Path, to: &Path) -> Result<i64, StoreError> {
    if !database.exists() {
        return Err(StoreError::Refused(format!("there is no database {}", database.display())));
    }
    let lock = lock::take(database)?;
    let entries = checked_copy(database, to).await;
    drop(lock);
    entries
}

/// Puts a copy of `from` in the place of the database, which is kept under another name. Answers that name, if
/// there was a database, and the number of entries.
pub(super) async fn restore(
    database: &Path,
    from: &Path,
    suffix: &str,
) -> Result<(Option<PathBuf>, i64), StoreError> {
    if !from.is_file() {
        return Err(StoreError::Refused(format!("there is no file {}", from.display())));
    }
    let there = database.exists();
    let owner = fs::metadata(if there { database.to_owned() } else { folder(database) });
    let lock = lock::take(database)?;
    let coming = with_suffix(database, ".restoring");
    drop(fs::remove_file(&coming));
    let entries = checked_copy(from, &coming).await?;
    if let Ok(owner) = owner {
        // Root restores, and the server runs as somebody else. Who is not root cannot give away, nor need to.
        for path in [coming.as_path(), &with_suffix(database, ".lock")] {
            drop(std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())));
        }
    }
    let kept = there.then(|| free_name(database, suffix));
    exchange(database, &coming, kept.as_deref()).map_err(|error| failed(database, &error))?;
    drop(lock);
    Ok((kept, entries))
}

async fn checked_copy(from: &Path, to: &Path) -> Result<i64, StoreError> {
    if to.exists() {
        return Err(StoreError::Refused(format!("{} is there already", to.display())));
    }
    let gone = Gone(Some(to.to_owned()));
    let (source, target) = (from.to_owned(), to.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy(&source, &target)).await;
    copied.map_err(|error| StoreError::Failed(error.to_string()))?.map_err(|error| match error {
        // SQLite's own words say nothing about which file.
        StoreError::Failed(text) => StoreError::Refused(format!("{}: {text}", from.display())),
        error => error,
    })?;
    let entries = verify(to).await?;
    gone.keep();
    Ok(entries)
}

/// Moves the database aside and the new one into its place. A journal that cannot be folded into the old
/// database goes with it: SQLite must not find it beside the new one.
fn exchange(database: &Path, coming: &Path, kept: Option<&Path>) -> std::io::Result<()> {
    if let Some(kept) = kept {
        // A damaged database may refuse; then it is kept as it is.
        drop(connection::for_writing(database, super::SqliteSettings::default()));
        for journal in ["-wal", "-shm"] {
            match fs::rename(with_suffix(database, journal), with_suffix(kept, journal)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        // A link first: at no moment is there no database, which a server would then make anew.
        if fs::hard_link(database, kept).is_err() {
            fs::rename(database, kept)?;
        }
    }
    fs::rename(coming, database)?;
    File::open(folder(database))?.sync_all()
}

/// A name that nothing has yet: what was kept once is never written over.
fn free_name(database: &Path, suffix: &str) -> PathBuf {
    let mut name = with_suffix(database, suffix);
    let mut number = 1;
    while name.exists() {
        number += 1;
        name = with_suffix(database, &format!("{suffix}-{number}"));
    }
    name
}

/// Refuses a copy that would leave less room than the server needs to go on.
fn leave_room(to: &Path, bytes: u64) -> Result<(), StoreError> {
    let folder = folder(to);
    // A file system that does not say how much room it has gets the benefit of the doubt.
    let Ok(stat) = rustix::fs::statvfs(&folder) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= bytes.saturating_add(ROOM_LEFT) {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(StoreError::Full(format!(
        "a copy takes {} MiB and is to leave {} MiB, {} MiB are free in {}",
        mib(bytes),
        mib(ROOM_LEFT),
        mib(free),
        folder.display()
    )))
}

/// Copies that a killed server left.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("backup-") && name.ends_with(PARTIAL) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// A file that is removed unless it is kept.
struct Gone(Option<PathBuf>);

impl Gone {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Not there is as good as removed.
            drop(fs::remove_file(path));
        }
    }
}

fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, error: &std::io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Refused(text),
    }
}

/// The name's end of a copy that is being made.
const PARTIAL: &str = ".partial";
/// Pages of 4 KiB copied at a time, and the rest after them: at most 500 MB a second, so that commits get through.
const STEP_PAGES: i32 = 256;
const STEP_REST: Duration = Duration::from_millis(2);
/// What a copy leaves free on its disk.
const ROOM_LEFT: u64 = 64 << 20;
