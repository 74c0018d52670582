//! Takes a database from schema 3 to 4, where rows of values become pages, and to 5, where lists of messages become rows
//! of many. Part of the migration's transaction.

use rusqlite::{Connection, Row};

use super::{own, pages, row};
use crate::model::Value;
use crate::store::StoreError;
use crate::store::history::merge::Packer;
use crate::store::history::page::{Head, Page};

/// Puts every value into a page of its device, and drops the old tables. Holds one page in memory.
pub(super) fn readings(db: &Connection) -> Result<(), StoreError> {
    let values: i64 = db.query_row("SELECT count(*) FROM sensor", [], |found| found.get(0))?;
    if values > 0 {
        tracing::info!("packing what devices measured: once, and it may take minutes");
    }
    history(db)?;
    newest(db)?;
    db.execute_batch("DROP TABLE reading; DROP TABLE sensor")?;
    Ok(())
}

fn history(db: &Connection) -> Result<(), StoreError> {
    // In the order of its key, so that nothing is sorted.
    let mut query = db.prepare(
        "SELECT r.device, r.seq, r.at_us, s.name, r.created_us, r.kind, r.value
         FROM reading r CROSS JOIN sensor s ON s.key = r.sensor ORDER BY r.device, r.seq, r.place",
    )?;
    let mut found = query.query([])?;
    let mut open = Open::default();
    while let Some(row) = found.next()? {
        open.take(db, row)?;
    }
    open.close(db)
}

/// The device whose values are being read.
#[derive(Default)]
struct Open {
    device: i64,
    page: Page,
    nth: usize,
    packer: Packer,
}

impl Open {
    fn take(&mut self, db: &Connection, row: &Row<'_>) -> Result<(), StoreError> {
        let device = row.get(0)?;
        if device != self.device {
            self.close(db)?;
            *self = Self { device, packer: Packer::new(LEVEL), ..Self::default() };
        }
        let seq = row.get(1)?;
        if self.page.messages.last().is_none_or(|head| head.seq != seq) {
            if self.page.values() >= VALUES_AT_ONCE {
                self.pack();
                for page in self.packer.full() {
                    pages::insert(db, device, &page)?;
                }
            }
            self.page.add(Head { seq, at_us: row.get(2)? });
            self.nth = 0;
        }
        say(&mut self.page, self.nth, row)?;
        self.nth += 1;
        Ok(())
    }

    fn pack(&mut self) {
        let page = std::mem::take(&mut self.page);
        let bytes = page.encode().len();
        self.packer.take(page, bytes);
    }

    fn close(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.pack();
        let packer = std::mem::take(&mut self.packer);
        packer.finish().iter().try_for_each(|page| pages::insert(db, self.device, page))
    }
}

fn newest(db: &Connection) -> Result<(), StoreError> {
    let mut query = db.prepare(
        "SELECT device, seq, at_us, name, created_us, kind, value FROM sensor ORDER BY device, seq, name",
    )?;
    let mut found = query.query([])?;
    let (mut device, mut page): (i64, Page) = (0, Page::default());
    while let Some(row) = found.next()? {
        let here = row.get(0)?;
        if here != device {
            keep(db, device, &page)?;
            (device, page) = (here, Page::default());
        }
        let seq = row.get(1)?;
        if page.messages.last().is_none_or(|head| head.seq != seq) {
            page.add(Head { seq, at_us: row.get(2)? });
        }
        say(&mut page, usize::MAX, row)?;
    }
    keep(db, device, &page)
}

fn keep(db: &Connection, device: i64, page: &Page) -> Result<(), StoreError> {
    if page.messages.is_empty() { Ok(()) } else { pages::keep_newest(db, device, page) }
}

/// Packs the lists of devices' messages, and drops the old table. Holds a few of one device in memory.
pub(super) fn lists(db: &Connection) -> Result<(), StoreError> {
    let mut query = db.prepare("SELECT device_id, seq FROM message_of ORDER BY device_id, seq")?;
    let mut found = query.query([])?;
    let (mut device, mut seqs) = (String::new(), Vec::new());
    while let Some(row) = found.next()? {
        let here = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        if here != device || seqs.len() >= LISTED_AT_ONCE {
            own::note(db, &device, &seqs)?;
            here.clone_into(&mut device);
            seqs.clear();
        }
        seqs.push(row.get(1)?);
    }
    own::note(db, &device, &seqs)?;
    drop(found);
    drop(query);
    db.execute_batch("DROP TABLE message_of")?;
    Ok(())
}

/// Adds the value of a row to the page's last message. Columns: …, sensor, created, kind, value.
fn say(page: &mut Page, nth: usize, row: &Row<'_>) -> Result<(), StoreError> {
    let value: Value = row::value(row.get(5)?, row.get_ref(6)?).ok_or_else(|| {
        StoreError::Failed("a stored value is of no kind that homeport knows: restore a backup".to_owned())
    })?;
    let name = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    page.say(nth, &name.into(), row.get(4)?, true, value);
    Ok(())
}

/// Rows that are packed at a time, about.
const VALUES_AT_ONCE: usize = 1024;
/// The level of a page that is not full.
const LEVEL: u8 = 3;
/// Messages of a device that are packed at a time: what one filing makes of them at most, about.
const LISTED_AT_ONCE: usize = 1024;
