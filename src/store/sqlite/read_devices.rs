//! Reads of devices, and sizes.

use rusqlite::{Connection, Row};

use super::row;
use crate::model::{Device, DeviceId, DeviceState, FamilyName};
use crate::store::{DeviceFilter, Stats, StoreError};

/// Every device.
pub(super) fn all(db: &Connection) -> Result<Vec<Device>, StoreError> {
    let mut query = db.prepare_cached(&format!("{DEVICES} ORDER BY d.name, d.id"))?;
    let devices = query.query_map([], device)?;
    Ok(devices.collect::<Result<_, _>>()?)
}

/// A page of devices.
pub(super) fn page(db: &Connection, filter: &DeviceFilter) -> Result<Vec<Device>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "{DEVICES} WHERE (?1 IS NULL OR instr(lower(d.name), lower(?1)) OR instr(lower(d.address), lower(?1)))
         AND (?2 IS NULL OR d.family = ?2) AND (?3 IS NULL OR d.state = ?3)
         AND (?4 IS NULL OR (d.name, d.id) > (?4, ?5)) ORDER BY d.name, d.id LIMIT ?6"
    ))?;
    let devices = query.query_map(
        (
            &filter.q,
            filter.family.as_ref().map(FamilyName::as_str),
            filter.state.map(DeviceState::as_str),
            filter.after.as_ref().map(|(name, _)| name),
            filter.after.as_ref().map(|(_, id)| id.as_str()),
            filter.limit,
        ),
        device,
    )?;
    Ok(devices.collect::<Result<_, _>>()?)
}

/// Sizes. The ledger has no gaps, so that its end is its length.
pub(super) fn stats(db: &Connection) -> Result<Stats, StoreError> {
    let stats = db
        .prepare_cached(
            "SELECT (SELECT coalesce(max(seq), 0) FROM message),
                (SELECT count(*) FROM command WHERE state = 'queued'),
                (SELECT count(*) FROM command WHERE state = 'sent' AND hold_until_us IS NOT NULL),
                (SELECT count(*) FROM command WHERE state = 'accepted'),
                (SELECT count(*) FROM device)",
        )?
        .query_row([], |found| {
            Ok(Stats {
                messages: found.get(0)?,
                queued: found.get(1)?,
                sent: found.get(2)?,
                accepted: found.get(3)?,
                devices: found.get(4)?,
            })
        })?;
    Ok(stats)
}

/// Size of the database's file, without the journal beside it.
pub(super) fn bytes(db: &Connection) -> Result<i64, StoreError> {
    let pragma = |name| db.pragma_query_value(None, name, |found| found.get::<_, i64>(0));
    Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?))
}

fn device(found: &Row<'_>) -> rusqlite::Result<Device> {
    let parent: Option<String> = found.get(5)?;
    Ok(Device {
        names: row::names(found, 0)?,
        state: row::word(found, 4, DeviceState::parse)?,
        parent: parent.as_deref().map(DeviceId::new),
        created: row::time(found, 6)?,
        last_seen: row::time_if_any(found, 7)?,
    })
}

const DEVICES: &str = "SELECT d.id, d.family, d.address, d.name, d.state, p.id, d.created_us, d.last_seen_us \
     FROM device d LEFT JOIN device p ON p.key = d.parent";
