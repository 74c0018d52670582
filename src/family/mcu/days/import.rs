//! Files that the original wrote, taken in: each line that is not stored yet becomes an entry of the ledger.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::line;
use super::old::{self, OldRow};
use super::rows::{self, Rows};
use super::zone::{self, FileName};
use crate::core::{Brought, Hub, HubError};
use crate::family::mcu::profiles::Ready;
use crate::family::mcu::{Mcu, intake};
use crate::family::{Imported, OldFile};
use crate::model::{Device, DeviceState, Reading, Timestamp};

/// Takes in a file, all of it or what of it is not stored yet.
pub(super) async fn import(mcu: &Mcu, hub: &Hub, file: OldFile) -> Result<Imported, HubError> {
    let name = FileName::read(&file.name).ok_or_else(|| {
        HubError::invalid("name", format!("`{}` is no name such as IoTD005_20161124.csv", file.name))
    })?;
    let _turn = mcu.importing.lock().await;
    let zone = mcu.zone(file.zone.as_deref())?;
    let values_max = mcu.settings.fields_max.saturating_sub(1);
    let old = old::read(&file.bytes, name.date, &zone, values_max);
    if name.date > zone.civil(hub.now()).date() {
        let message = format!("{} is the file of a day that has not come yet", file.name);
        return Err(HubError::invalid("name", message));
    }
    let known = hub.device_by_address(&mcu.name, &name.board);
    if known.as_ref().is_some_and(|device| device.state == DeviceState::Blocked) {
        return Err(HubError::conflict("device", format!("board {} is blocked: adopt it first", name.board)));
    }
    let mut told = Imported {
        file: file.name.clone(),
        address: name.board.clone(),
        new_device: known.is_none(),
        bad: old.bad,
        bad_total: old.bad_total,
        ..Imported::default()
    };
    let fresh = match &known {
        Some(device) => fresh(mcu, hub, device, &old.rows).await?,
        None => first_of_each(mcu, &name.board, &old.rows),
    };
    let day_before = fresh.iter().filter(|row| row.day_before).count();
    told.day_before = count(day_before);
    told.added = count(fresh.len());
    told.known = count(old.rows.len() - fresh.len());
    told.device = known.as_ref().map(|device| device.names.id.clone());
    if file.dry_run || fresh.is_empty() {
        return Ok(told);
    }
    let device = match known {
        Some(device) => device,
        // A person names the board: it is let in, as one that is given a command.
        None => hub.create(&mcu.name, &name.board, None).await?,
    };
    told.device = Some(device.names.id.clone());
    store(mcu, hub, &device, &file.name, &fresh).await?;
    tracing::info!(
        file = file.name,
        board = name.board,
        day = zone::digits(name.date),
        lines = told.added,
        "a day file was taken in"
    );
    Ok(told)
}

/// What makes two lines the same: when, and what as it is written.
type Same = (Timestamp, String);

fn same(at: Timestamp, columns: &[Option<f64>]) -> Same {
    let mut text = String::new();
    line::write(&mut text, jiff::civil::Time::midnight(), columns);
    (at, text)
}

fn same_of(ready: &Ready, row: &OldRow) -> Same {
    let values =
        row.values.iter().enumerate().map(|(column, value)| rows::number(&stored(ready, column, value)));
    same(row.at, &values.collect::<Vec<_>>())
}

/// The rows that are not stored yet. One that stands in the file twice counts once.
async fn fresh<'r>(
    mcu: &Mcu,
    hub: &Hub,
    device: &Device,
    rows: &'r [OldRow],
) -> Result<Vec<&'r OldRow>, HubError> {
    let ready = mcu.profiles.of(&device.names.address);
    let mut wanted: HashMap<Same, bool> = rows.iter().map(|row| (same_of(&ready, row), true)).collect();
    let times = rows.iter().map(|row| row.order);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(Vec::new()) };
    hub.filed().await?;
    let mut stored = Rows::of(&device.names.id, first, last.plus(Duration::from_micros(1)));
    while let Some(page) = stored.next(hub).await? {
        for row in page {
            if let Some(wanted) = wanted.get_mut(&same(row.at(), &row.columns(&mcu.profiles, &ready))) {
                *wanted = false;
            }
        }
    }
    let mut is_fresh = |row: &OldRow| wanted.get_mut(&same_of(&ready, row)).is_some_and(std::mem::take);
    Ok(rows.iter().filter(|row| is_fresh(row)).collect())
}

fn first_of_each<'r>(mcu: &Mcu, board: &str, rows: &'r [OldRow]) -> Vec<&'r OldRow> {
    let ready = mcu.profiles.of(board);
    let mut seen = HashSet::new();
    rows.iter().filter(|row| seen.insert(same_of(&ready, row))).collect()
}

/// Stores rows in their order, many at a time.
async fn store(mcu: &Mcu, hub: &Hub, device: &Device, file: &str, rows: &[&OldRow]) -> Result<(), HubError> {
    let ready = mcu.profiles.of(&device.names.address);
    for rows in rows.chunks(AT_ONCE) {
        let writes = rows.iter().map(|row| patiently(hub, brought(&ready, device, file, row)));
        join_all(writes).await.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    Ok(())
}

fn brought(ready: &Ready, device: &Device, file: &str, row: &OldRow) -> Brought {
    let reading = |(column, value)| Reading {
        sensor: ready.sensor(column),
        value: stored(ready, column, value),
        // Says that it was brought over, too: boards have no clock.
        created: Some(row.at),
        counts: ready.counter != Some(column),
    };
    Brought {
        device: device.clone(),
        at: row.order,
        raw: row.raw.clone(),
        from: format!("import {file}:{}", row.line),
        readings: row.values.iter().enumerate().map(reading).collect(),
    }
}

/// A value as it is stored when it comes from the board itself.
fn stored(ready: &Ready, column: usize, value: &crate::model::Value) -> crate::model::Value {
    if ready.counter == Some(column) { intake::counted(value) } else { value.clone() }
}

/// Boards come first: while the store has as much to do as it may, an import waits.
async fn patiently(hub: &Hub, brought: Brought) -> Result<(), HubError> {
    for _ in 0..BUSY_TRIES {
        match hub.bring(brought.clone()).await {
            Err(HubError::Busy) => sleep(BUSY_WAIT).await,
            done => return done.map(|_| ()),
        }
    }
    hub.bring(brought).await.map(|_| ())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Writes that wait for one commit.
const AT_ONCE: usize = 256;
/// Half a minute in all.
const BUSY_TRIES: u32 = 300;
const BUSY_WAIT: Duration = Duration::from_millis(100);
