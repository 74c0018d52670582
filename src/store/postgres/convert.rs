//! Takes a database from schema 2 to 3: rows of values become pages. Part of the migration's transaction.

use tokio_postgres::Row;

use super::connect::Session;
use super::error::Fault;
use super::{pages, rows};
use crate::store::StoreError;
use crate::store::history::merge::Packer;
use crate::store::history::newest;
use crate::store::history::page::{Head, Page};

/// Puts every value into a page of its device, and drops the old table. Holds a page or two in memory.
pub(super) async fn readings(session: &Session) -> Result<(), StoreError> {
    walk(session).await.map_err(Fault::into_error)
}

async fn walk(session: &Session) -> Result<(), Fault> {
    let (mut device, mut seq, mut sensor, mut place) = (String::new(), -1_i64, String::new(), -1_i32);
    let mut open: Option<Open> = None;
    loop {
        let rows = session.query(NEXT, &[&device, &seq, &sensor, &place]).await?;
        let Some(last) = rows.last() else { break };
        if open.is_none() {
            tracing::info!("packing what devices measured: once, and it may take minutes");
        }
        (device, seq) = (rows::value(last, "device")?, rows::value(last, "seq")?);
        (sensor, place) = (rows::value(last, "sensor")?, rows::value(last, "place")?);
        for row in &rows {
            let here: &str = rows::value(row, "device")?;
            if open.as_ref().is_none_or(|open| open.device != here) {
                if let Some(open) = open.take() {
                    open.close(session).await?;
                }
                open = Some(Open::new(here));
            }
            if let Some(open) = &mut open {
                open.take(session, row).await?;
            }
        }
    }
    if let Some(open) = open {
        open.close(session).await?;
    }
    session.execute("DROP TABLE reading", &[]).await?;
    Ok(())
}

/// The device whose values are being read.
struct Open {
    device: String,
    page: Page,
    newest: Page,
    packer: Packer,
}

impl Open {
    fn new(device: &str) -> Self {
        let packer = Packer::new(LEVEL);
        Self { device: device.to_owned(), page: Page::default(), newest: Page::default(), packer }
    }

    async fn take(&mut self, session: &Session, row: &Row) -> Result<(), Fault> {
        let seq = rows::value(row, "seq")?;
        if self.page.messages.last().is_none_or(|head| head.seq != seq) {
            if self.page.values() >= VALUES_AT_ONCE {
                self.pack();
                let full = self.packer.full();
                self.insert(session, full).await?;
            }
            self.page.add(Head { seq, at_us: rows::value(row, "at")? });
        }
        let value = rows::measured(rows::value(row, "value")?)?;
        let created: Option<i64> = rows::value(row, "created")?;
        let sensor: &str = rows::value(row, "sensor")?;
        self.page.say(usize::MAX, &sensor.into(), created, true, value);
        Ok(())
    }

    fn pack(&mut self) {
        let page = std::mem::take(&mut self.page);
        self.newest = newest::after(&self.newest, &page);
        let bytes = page.encode().len();
        self.packer.take(page, bytes);
    }

    async fn close(mut self, session: &Session) -> Result<(), Fault> {
        self.pack();
        let packer = std::mem::take(&mut self.packer);
        self.insert(session, packer.finish()).await?;
        pages::keep_newest(session, &[&self.device], &[self.newest.encode()]).await
    }

    async fn insert(
        &self,
        session: &Session,
        pages: Vec<crate::store::history::merge::Packed>,
    ) -> Result<(), Fault> {
        let pages: Vec<_> = pages.into_iter().map(|page| (self.device.as_str(), page)).collect();
        pages::insert(session, &pages).await
    }
}

/// In the order of an index, so that nothing is sorted.
const NEXT: &str = "SELECT device, seq, sensor, place, at, created, value FROM reading \
     WHERE (device, seq, sensor, place) > ($1, $2, $3, $4) ORDER BY device, seq, sensor, place LIMIT 5000";
/// Rows that are packed at a time, about.
const VALUES_AT_ONCE: usize = 1024;
/// The level of a page that is not full.
const LEVEL: u8 = 3;
