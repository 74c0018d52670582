//! The original server's two log files, byte for byte (`sca11h.md §10`), for those whose tools read them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::model::Timestamp;

/// Where the files lie. Made at the first write; a new pair for each start.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    data: PathBuf,
    syncs: PathBuf,
}

/// One parameter sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyncLine<'a> {
    /// When it came.
    pub(super) at: Timestamp,
    /// The MAC as in the path, percent-decoded.
    pub(super) mac: &'a str,
    /// Parameters as received.
    pub(super) old: &'a str,
    /// Parameters as sent; the old ones when nothing changes.
    pub(super) new: &'a str,
}

impl Logs {
    /// The files of a server that started at this time.
    pub(super) fn new(folder: &Path, started: Timestamp) -> Self {
        let second = started.micros().saturating_add(500_000).div_euclid(1_000_000);
        Self {
            data: folder.join(format!("loggedData_{second}.txt")),
            syncs: folder.join(format!("parameterSync_{second}.txt")),
        }
    }

    /// Adds a body as it came. A file that cannot be written is told in the log: the store has the body.
    pub(super) async fn data(&self, body: &Bytes) {
        append(self.data.clone(), body.clone()).await;
    }

    /// Adds a sync.
    pub(super) async fn sync(&self, line: &SyncLine<'_>) {
        append(self.syncs.clone(), Bytes::from(sync_text(line))).await;
    }
}

fn sync_text(line: &SyncLine<'_>) -> String {
    let SyncLine { at, mac, old, new } = line;
    let at = jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let (mac, old, new) = (one_line(mac), one_line(old), one_line(new));
    format!("{date}\n{mac} old Parameters: {old}\n{mac} new Parameters: {new}\n")
}

/// A value cannot begin a line of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// One append for a record, so that records of parallel requests never mix.
async fn append(file: PathBuf, record: Bytes) {
    let shown = file.display().to_string();
    let done = tokio::task::spawn_blocking(move || write(&file, &record)).await;
    let failed = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(file = shown, error = failed, "the log file was not written (sca11h.log_folder)");
}

fn write(file: &Path, record: &[u8]) -> io::Result<()> {
    let open = || OpenOptions::new().append(true).create(true).open(file);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_three_lines_whatever_the_device_says() {
        let at = Timestamp::parse("2026-11-21T10:19:54Z").unwrap();
        let (old, new) = ("7000,270,5000,0,1400,7", "7797,751,5427,0,2087,7");
        assert_eq!(
            sync_text(&SyncLine { at, mac: "00:11:22:33:44:55", old, new }),
            "Sat, 21 Nov 2026 10:19:54 +0000\n\
             00:11:22:33:44:55 old Parameters: 7000,270,5000,0,1400,7\n\
             00:11:22:33:44:55 new Parameters: 7797,751,5427,0,2087,7\n"
        );
        let text = sync_text(&SyncLine { at, mac: "a\nb\r", old: "1\r\n2", new: "" });
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\r'));
    }

    #[tokio::test]
    async fn records_follow_each_other_with_nothing_between() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/b");
        let logs = Logs::new(&inside, Timestamp::from_micros(1_500_000_500_000));
        assert!(!inside.exists(), "made at the first write");
        logs.data(&Bytes::from_static(b"one\xff")).await;
        logs.data(&Bytes::from_static(b"two")).await;
        assert_eq!(fs::read(inside.join("loggedData_1500001.txt")).unwrap(), b"one\xfftwo");
        assert!(!inside.join("parameterSync_1500001.txt").exists());
    }
}
