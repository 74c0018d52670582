//! Writes of devices.

use rusqlite::{Connection, OptionalExtension as _};

use super::row;
use crate::model::{Device, DeviceId, DeviceRef, DeviceState, Timestamp};
use crate::store::StoreError;

/// A device as the other writes need it.
pub(super) struct Standing {
    pub(super) key: i64,
    pub(super) names: DeviceRef,
    pub(super) state: DeviceState,
    /// The number of the newest command it would fetch.
    pub(super) wire_id: u16,
}

/// Finds a device.
pub(super) fn find(db: &Connection, id: &DeviceId) -> Result<Option<Standing>, StoreError> {
    let found = db
        .prepare_cached("SELECT key, id, family, address, name, state, wire_id FROM device WHERE id = ?")?
        .query_row([id.as_str()], |found| {
            Ok(Standing {
                key: found.get(0)?,
                names: row::names(found, 1)?,
                state: row::word(found, 5, DeviceState::parse)?,
                wire_id: found.get(6)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Finds a device that must be there.
pub(super) fn need(db: &Connection, id: &DeviceId) -> Result<Standing, StoreError> {
    find(db, id)?.ok_or(StoreError::NotFound("device"))
}

/// Makes a device, or sets everything of a known one but when it was made.
pub(super) fn set(db: &Connection, device: &Device) -> Result<(), StoreError> {
    refuse_taken_address(db, device)?;
    if find(db, &device.names.id)?.is_none() {
        return insert(db, device, device.last_seen);
    }
    if let Some(parent) = &device.parent {
        need(db, parent)?;
    }
    db.prepare_cached(
        "UPDATE device SET family = ?2, address = ?3, name = ?4, state = ?5,
            parent = (SELECT key FROM device WHERE id = ?6), last_seen_us = ?7
         WHERE id = ?1",
    )?
    .execute((
        device.names.id.as_str(),
        device.names.family.as_str(),
        &device.names.address,
        &device.names.name,
        device.state.as_str(),
        device.parent.as_ref().map(DeviceId::as_str),
        device.last_seen.map(Timestamp::micros),
    ))?;
    Ok(())
}

/// Makes a device, or of a known one sets when it was last heard and a missing parent.
pub(super) fn touch(db: &Connection, device: &Device, heard: Option<Timestamp>) -> Result<(), StoreError> {
    let known = db
        .prepare_cached(
            "UPDATE device SET last_seen_us = max(coalesce(last_seen_us, ?2), coalesce(?2, last_seen_us)),
                parent = coalesce(parent, (SELECT key FROM device WHERE id = ?3))
             WHERE id = ?1",
        )?
        .execute((
            device.names.id.as_str(),
            heard.map(Timestamp::micros),
            device.parent.as_ref().map(DeviceId::as_str),
        ))?;
    if known > 0 {
        return Ok(());
    }
    refuse_taken_address(db, device)?;
    insert(db, device, heard)
}

/// Removes a device with its values, records and open commands. The ledger stays.
pub(super) fn forget(db: &Connection, id: &DeviceId) -> Result<(), StoreError> {
    let key = need(db, id)?.key;
    for sql in [
        "DELETE FROM page WHERE device = ?",
        "DELETE FROM newest WHERE device = ?",
        "DELETE FROM fingerprint WHERE device = ?",
    ] {
        db.prepare_cached(sql)?.execute([key])?;
    }
    db.prepare_cached(
        "DELETE FROM command WHERE (device_id = ?1 OR via_id = ?1) AND state IN ('queued', 'sent', 'accepted')",
    )?
    .execute([id.as_str()])?;
    db.prepare_cached("DELETE FROM record WHERE device_id = ?")?.execute([id.as_str()])?;
    db.prepare_cached("DELETE FROM device WHERE key = ?")?.execute([key])?;
    Ok(())
}

/// Sets the state of a device that is held; says whether it was.
pub(super) fn adopt(db: &Connection, device: &Standing) -> Result<bool, StoreError> {
    match device.state {
        DeviceState::Active => Ok(false),
        DeviceState::Held => {
            db.prepare_cached("UPDATE device SET state = ? WHERE key = ?")?
                .execute((DeviceState::Active.as_str(), device.key))?;
            Ok(true)
        }
        DeviceState::Blocked => {
            Err(StoreError::Refused(format!("{} is blocked: unblock it first", device.names.name)))
        }
    }
}

fn insert(db: &Connection, device: &Device, heard: Option<Timestamp>) -> Result<(), StoreError> {
    if let Some(parent) = &device.parent {
        need(db, parent)?;
    }
    db.prepare_cached(
        "INSERT INTO device (id, family, address, name, state, parent, created_us, last_seen_us)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT key FROM device WHERE id = ?6), ?7, ?8)",
    )?
    .execute((
        device.names.id.as_str(),
        device.names.family.as_str(),
        &device.names.address,
        &device.names.name,
        device.state.as_str(),
        device.parent.as_ref().map(DeviceId::as_str),
        device.created.micros(),
        heard.map(Timestamp::micros),
    ))?;
    Ok(())
}

fn refuse_taken_address(db: &Connection, device: &Device) -> Result<(), StoreError> {
    let taken = db
        .prepare_cached("SELECT 1 FROM device WHERE family = ?1 AND address = ?2 AND id <> ?3")?
        .exists((device.names.family.as_str(), &device.names.address, device.names.id.as_str()))?;
    if taken {
        return Err(StoreError::Conflict(format!(
            "another {} device has the address {}",
            device.names.family, device.names.address
        )));
    }
    Ok(())
}
