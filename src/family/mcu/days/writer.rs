//! Files on disk that grow with what comes in (`websocket-mcu.md §7`). The store is the truth: the writer reads what came
//! after its mark, so that after a crash it goes on where the files end.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::line;
use super::mark::{Folder, Mark};
use super::rows::{Row, Rows};
use super::zone::FileName;
use crate::core::{Hub, HubError};
use crate::family::mcu::Mcu;
use crate::family::mcu::profiles::Ready;
use crate::model::{DeviceId, Seq, Timestamp};

/// Writes day files. One per server and folder.
#[derive(Debug)]
pub(in crate::family::mcu) struct Writer {
    folder: Folder,
    /// `None` until the folder could be opened.
    mark: Option<Mark>,
    /// Entries up to here were looked at: those behind the mark had no lines.
    seen: Seq,
    begun: Timestamp,
    /// Whether people were told that it does not work.
    told: bool,
}

/// Why nothing was written. The next try goes on where the last one ended.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Disk(#[from] io::Error),
    #[error("{0}")]
    Store(#[from] HubError),
}

/// A board's name and its profile.
type Known = HashMap<DeviceId, Option<(String, Arc<Ready>)>>;

impl Writer {
    /// Opens the folder before the first message can come.
    pub(in crate::family::mcu) fn new(folder: &Path, now: Timestamp) -> Self {
        let folder = Folder::new(folder);
        let mut writer = Self { folder, mark: None, seen: Seq(0), begun: now, told: false };
        match writer.folder.open(now) {
            Ok(mark) => writer.mark = Some(mark),
            Err(error) => writer.complain(&error.into()),
        }
        writer
    }

    /// Writes until `stop`, and then what the last connections said.
    pub(in crate::family::mcu) async fn run(mut self, mcu: Arc<Mcu>, hub: Hub, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.turn(&mcu, &hub).await;
        }
        for _ in 0..LAST_TURNS {
            if mcu.boards.links().is_empty() {
                break;
            }
            tokio::time::sleep(LAST_WAIT).await;
        }
        self.turn(&mcu, &hub).await;
    }

    async fn turn(&mut self, mcu: &Mcu, hub: &Hub) {
        match self.write(mcu, hub).await {
            Ok(()) if self.told => {
                self.told = false;
                tracing::info!("day files are written again");
            }
            Ok(()) => {}
            Err(fault) => self.complain(&fault),
        }
    }

    fn complain(&mut self, fault: &Fault) {
        if !std::mem::replace(&mut self.told, true) {
            tracing::error!(%fault, "day files are not written (mcu.day_folder); what came in is stored, and follows");
        }
    }

    async fn write(&mut self, mcu: &Mcu, hub: &Hub) -> Result<(), Fault> {
        let last = hub.last_entry().await?;
        hub.filed().await?;
        let start = self.start(hub, last).await?;
        let mut rows = Rows::after(start);
        let mut known = Known::new();
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        let (mut bytes, mut upto) = (0, start);
        while let Some(page) = rows.next(hub).await? {
            for row in page {
                upto = upto.max(row.seq);
                bytes += add(mcu, hub, &mut known, &mut lines, &row);
            }
            if bytes >= BATCH_BYTES {
                self.keep(std::mem::take(&mut lines), upto).await?;
                bytes = 0;
            }
        }
        if !lines.is_empty() {
            self.keep(lines, upto).await?;
        }
        // All that there was before it was filed was seen.
        self.seen = upto.max(last);
        Ok(())
    }

    /// The entry behind which to go on.
    async fn start(&mut self, hub: &Hub, last: Seq) -> Result<Seq, Fault> {
        let mark = match self.mark.take() {
            Some(mark) => mark,
            None => self.folder.open(self.begun)?,
        };
        let written = match mark.written {
            Some(written) => written,
            None => hub.last_before(mark.since).await?,
        };
        // The folder may be of another store, or of this one before a backup was put back.
        let written = written.min(last);
        self.mark = Some(Mark { written: Some(written), ..mark });
        Ok(written.max(self.seen))
    }

    async fn keep(&mut self, lines: BTreeMap<String, String>, upto: Seq) -> Result<(), Fault> {
        let Some(mut mark) = self.mark.clone() else { return Ok(()) };
        let folder = self.folder.clone();
        let work = tokio::task::spawn_blocking(move || {
            let done = folder.add(&mut mark, &lines, upto);
            (mark, done)
        });
        let (mark, done) = work.await.map_err(io::Error::other)?;
        self.mark = Some(mark);
        done?;
        self.seen = upto;
        Ok(())
    }
}

/// Adds a row's line to those of its file; answers its length.
fn add(mcu: &Mcu, hub: &Hub, known: &mut Known, lines: &mut BTreeMap<String, String>, row: &Row) -> usize {
    // What was brought over stands in files already.
    if row.elsewhere.is_some() {
        return 0;
    }
    let board = known.entry(row.device.clone()).or_insert_with(|| {
        let names = hub.device(&row.device)?.names;
        (names.family == mcu.name).then(|| {
            let ready = mcu.profiles.of(&names.address);
            (names.address, ready)
        })
    });
    let Some((board, ready)) = board else { return 0 };
    let columns = row.columns(&mcu.profiles, ready);
    if columns.is_empty() {
        return 0;
    }
    let at = mcu.settings.day_zone.civil(row.at());
    let name = FileName { board: board.clone(), date: at.date() }.to_string();
    let text = lines.entry(name).or_default();
    let before = text.len();
    line::write(text, at.time(), &columns);
    text.len() - before
}

/// Lines wait at most so long, and are on disk soon after (§7: 5 s).
const EVERY: Duration = Duration::from_secs(1);
/// So much is written at a time.
const BATCH_BYTES: usize = 1024 * 1024;
/// At a stop the last connections end within a second or so.
const LAST_TURNS: u32 = 40;
const LAST_WAIT: Duration = Duration::from_millis(50);
