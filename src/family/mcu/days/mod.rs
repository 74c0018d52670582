//! Day files: `IoTD005_20161124.csv`, as the original server wrote them (`websocket-mcu.md §7`).
//!
//! | file | what it owns |
//! | --- | --- |
//! | `zone` | which local day a moment belongs to, and what its file is called |
//! | `line` | one line, byte for byte |
//! | `rows` | stored values, put together to messages |
//! | `file` | a day's file out of the store |
//! | `writer` | files on disk that grow with what comes in |
//! | `mark` | how far the writer has come, so that nothing is lost or doubled |
//! | `import` | files that the original wrote, taken in |
//! | `old` | what an old file says: its lines, and the moments they are of; pure |

mod file;
mod import;
mod line;
mod mark;
mod old;
mod rows;
mod writer;
mod zone;

use std::collections::BTreeSet;
use std::time::Duration;

pub(super) use writer::Writer;
pub use zone::Zone;

use self::file::DayLines;
use self::zone::FileName;
use super::Mcu;
use crate::core::{Hub, HubError};
use crate::family::{Day, DayFile, Days, Imported, OldFile};
use crate::http::BoxFuture;
use crate::model::Device;

impl Days for Mcu {
    fn list<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Vec<Day>, HubError>> {
        Box::pin(async move {
            let zone = &self.settings.day_zone;
            let quarters = hub.quarters(&device.names.id).await?;
            let dates: BTreeSet<_> = quarters.into_iter().map(|at| zone.civil(at).date()).collect();
            let day = |date| {
                let name = FileName { board: device.names.address.clone(), date };
                Day { day: zone::digits(date), file: name.to_string() }
            };
            Ok(dates.into_iter().rev().map(day).collect())
        })
    }

    fn open<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        day: &'a str,
        zone: Option<&'a str>,
    ) -> BoxFuture<'a, Result<DayFile, HubError>> {
        Box::pin(async move {
            let zone = self.zone(zone)?;
            let board = &device.names.address;
            let named = FileName::read(day).filter(|name| name.board == *board).map(|name| name.date);
            let date = named.or_else(|| zone::date(day.strip_suffix(".csv").unwrap_or(day)));
            let date = date.ok_or_else(|| {
                HubError::invalid("day", "a day is written 20161124, 2016-11-24, or as the name of its file")
            })?;
            let name = FileName { board: board.clone(), date }.to_string();
            let (from, to) = zone.day(date).ok_or(HubError::NotFound("day"))?;
            // What comes while the file goes out belongs to the next one, or it might never end.
            let now = hub.now().plus(Duration::from_micros(1));
            let to = if from < now { to.min(now) } else { to };
            let mut lines = DayLines::new(self, hub, device, zone, (from, to));
            let first = lines.piece().await?.ok_or(HubError::NotFound("a message of that day"))?;
            Ok(DayFile { name, bytes: Box::pin(lines.behind(first)) })
        })
    }

    fn knows(&self, name: &str) -> bool {
        FileName::read(name).is_some()
    }

    fn import<'a>(&'a self, hub: &'a Hub, file: OldFile) -> BoxFuture<'a, Result<Imported, HubError>> {
        Box::pin(import::import(self, hub, file))
    }
}

impl Mcu {
    /// The zone that somebody names, else the settings'.
    fn zone(&self, named: Option<&str>) -> Result<Zone, HubError> {
        match named {
            Some(name) => {
                Zone::try_from(name.to_owned()).map_err(|message| HubError::invalid("zone", message))
            }
            None => Ok(self.settings.day_zone.clone()),
        }
    }
}
