//! How far the writer has come. Kept beside the files in two steps, so that a `kill -9` or a power cut between two
//! writes neither loses nor doubles a line:
//!
//! 1. before lines are added: up to which entry of the ledger the files are written, and how long each file is that
//!    lines will be added to;
//! 2. after they are on disk: the next entry, and no file.
//!
//! Who finds the first step without the second cuts the files back to those lengths, and the lines come out of the store
//! again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Seq, Timestamp};

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// The last entry of the ledger that is in the files; `None` at the very first: then those from `since` on belong
    /// into them.
    pub(super) written: Option<Seq>,
    /// When writing was begun.
    pub(super) since: Timestamp,
    /// Files that lines are being added to, and how long they were before, in bytes.
    pub(super) adding: BTreeMap<String, u64>,
}

/// A folder with day files and the mark.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Reads the mark; makes one of now where there is none. What was not finished is undone.
    pub(super) fn open(&self, now: Timestamp) -> io::Result<Mark> {
        fs::create_dir_all(&self.0)?;
        let path = self.0.join(MARK);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mark = Mark { since: now, ..Mark::default() };
                self.keep(&mark)?;
                return Ok(mark);
            }
            Err(error) => return Err(error),
        };
        let mut mark: Mark = serde_json::from_slice(&text).map_err(|error| {
            let what = format!("{} cannot be read: {error}; without it, writing begins anew", path.display());
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        for (name, length) in std::mem::take(&mut mark.adding) {
            self.cut(&name, length)?;
        }
        Ok(mark)
    }

    /// Adds lines to files, and moves the mark to an entry. On disk when it returns.
    pub(super) fn add(&self, mark: &mut Mark, lines: &BTreeMap<String, String>, upto: Seq) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        // What failed half-way is undone before it is tried again.
        for (name, length) in std::mem::take(&mut mark.adding) {
            self.cut(&name, length)?;
        }
        for name in lines.keys() {
            mark.adding.insert(name.clone(), self.length(name)?);
        }
        self.keep(mark)?;
        let mut files = Vec::with_capacity(lines.len().min(SYNCED_SINGLY_MAX));
        for (name, lines) in lines {
            let file = self.append(name, lines)?;
            if files.len() < SYNCED_SINGLY_MAX {
                files.push(file);
            }
        }
        if lines.len() <= SYNCED_SINGLY_MAX {
            files.iter().try_for_each(File::sync_data)?;
        } else {
            self.sync_all(lines.keys())?;
        }
        let done = Mark { written: Some(upto), since: mark.since, adding: BTreeMap::new() };
        self.keep(&done)?;
        *mark = done;
        Ok(())
    }

    /// The mark's file is replaced whole, and the folder is synced: new day files have their names then, too.
    fn keep(&self, mark: &Mark) -> io::Result<()> {
        let (path, new) = (self.0.join(MARK), self.0.join(NEW_MARK));
        let text = serde_json::to_vec(mark).map_err(io::Error::other)?;
        let mut file = File::create(&new)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&new, &path)?;
        File::open(&self.0)?.sync_all()
    }

    fn append(&self, name: &str, lines: &str) -> io::Result<File> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(self.0.join(name))?;
        // What somebody else left without an end must not run into ours.
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        file.write_all(lines.as_bytes())?;
        Ok(file)
    }

    /// A board has a file of its own each day, and with very many each sync of one is a wait for the disk.
    fn sync_all<'n>(&self, names: impl Iterator<Item = &'n String>) -> io::Result<()> {
        if cfg!(target_os = "linux") {
            #[cfg(target_os = "linux")]
            rustix::fs::syncfs(File::open(&self.0)?)?;
            return Ok(());
        }
        for name in names {
            File::open(self.0.join(name))?.sync_data()?;
        }
        Ok(())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        match fs::metadata(self.0.join(name)) {
            Ok(facts) => Ok(facts.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        if self.length(name)? <= length {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(self.0.join(name))?;
        file.set_len(length)?;
        file.sync_data()
    }
}

const MARK: &str = ".homeport-days.json";
const NEW_MARK: &str = ".homeport-days.new";
/// More files than these are synced with their whole file system.
const SYNCED_SINGLY_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const NAME: &str = "IoTD005_20161124.csv";

    fn lines(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn lines_are_added_and_the_mark_moves() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/b");
        let days = Folder::new(&inside);
        let mut mark = days.open(NOW).unwrap();
        assert_eq!(mark, Mark { since: NOW, ..Mark::default() });
        days.add(&mut mark, &lines(&[(NAME, "one\n")]), Seq(3)).unwrap();
        days.add(&mut mark, &lines(&[(NAME, "two\n"), ("other.csv", "three\n")]), Seq(7)).unwrap();
        assert_eq!(fs::read_to_string(inside.join(NAME)).unwrap(), "one\ntwo\n");
        let later = Timestamp::from_micros(NOW.micros() + 1);
        let found = days.open(later).unwrap();
        assert_eq!(found, Mark { written: Some(Seq(7)), since: NOW, adding: BTreeMap::new() });
    }

    #[test]
    fn what_a_crash_left_half_done_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let days = Folder::new(folder.path());
        let mut mark = days.open(NOW).unwrap();
        days.add(&mut mark, &lines(&[(NAME, "one\n")]), Seq(1)).unwrap();
        // As after a kill between the two steps: a whole line and a torn one, and a file that was new.
        let half = Mark { adding: [(NAME.to_owned(), 4), ("new.csv".to_owned(), 0)].into(), ..mark };
        days.keep(&half).unwrap();
        fs::write(folder.path().join(NAME), "one\ntwo\nthr").unwrap();
        fs::write(folder.path().join("new.csv"), "x").unwrap();
        let mut found = days.open(NOW).unwrap();
        assert_eq!((found.written, found.adding.len()), (Some(Seq(1)), 0));
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "one\n");
        days.add(&mut found, &lines(&[(NAME, "two\nthree\n"), ("new.csv", "x\n")]), Seq(4)).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(fs::read_to_string(folder.path().join("new.csv")).unwrap(), "x\n");
    }

    #[test]
    fn a_line_that_somebody_else_left_torn_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(NAME), "16:54:56.1234").unwrap();
        let days = Folder::new(folder.path());
        let mut mark = days.open(NOW).unwrap();
        days.add(&mut mark, &lines(&[(NAME, "two\n")]), Seq(1)).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "16:54:56.1234\ntwo\n");
    }

    #[test]
    fn very_many_files_are_synced_at_once_and_a_damaged_mark_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let days = Folder::new(folder.path());
        let mut mark = days.open(NOW).unwrap();
        let many = (0..100).map(|board| (format!("IoTD{board:03}_20161124.csv"), "x\n".to_owned())).collect();
        days.add(&mut mark, &many, Seq(1)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 101);
        fs::write(folder.path().join(MARK), "{").unwrap();
        assert!(days.open(NOW).unwrap_err().to_string().contains("begins anew"));
    }
}
