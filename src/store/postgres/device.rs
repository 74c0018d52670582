//! Writing devices.

use super::batch::Work;
use super::error::Fault;
use super::rows;
use crate::model::{Device, DeviceId, DeviceState, Timestamp};
use crate::store::StoreError;

/// Makes a device, or sets everything but `created` of the one with this id.
pub(super) async fn set(work: &Work<'_>, device: &Device) -> Result<(), Fault> {
    let Device { names, state, parent, created, last_seen } = device;
    let (family, address) = (names.family.as_str(), names.address.as_str());
    let taken = work
        .first("SELECT 1 FROM device WHERE family = $1 AND lower(address) = lower($2 COLLATE \"C\") AND id <> $3", &[
            &family,
            &address,
            &names.id.as_str(),
        ])
        .await?;
    if taken.is_some() {
        let text = format!("another {family} device has the address {address}");
        return Err(StoreError::Conflict(text).into());
    }
    if let Some(parent) = parent {
        need(work, parent).await?;
    }
    work.execute(
        "INSERT INTO device (id, family, address, name, state, parent, created, last_seen) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (id) DO UPDATE SET family = excluded.family, address = excluded.address, \
         name = excluded.name, state = excluded.state, parent = excluded.parent, \
         last_seen = excluded.last_seen",
        &[
            &names.id.as_str(),
            &family,
            &address,
            &names.name,
            &state.as_str(),
            &parent.as_ref().map(DeviceId::as_str),
            &created.micros(),
            &last_seen.map(Timestamp::micros),
        ],
    )
    .await?;
    Ok(())
}

/// Makes a device, or notes that a known one was heard.
pub(super) async fn touch(work: &Work<'_>, device: &Device, heard: Option<Timestamp>) -> Result<(), Fault> {
    let known = work
        .execute(
            "UPDATE device SET last_seen = greatest(last_seen, $2), \
             parent = coalesce(parent, (SELECT p.id FROM device p WHERE p.id = $3)) WHERE id = $1",
            &[
                &device.names.id.as_str(),
                &heard.map(Timestamp::micros),
                &device.parent.as_ref().map(DeviceId::as_str),
            ],
        )
        .await?;
    if known > 0 {
        return Ok(());
    }
    set(work, &Device { last_seen: heard, ..device.clone() }).await
}

/// Forgets a device. The ledger and the commands that came to an end stay, with its names.
pub(super) async fn forget(work: &Work<'_>, id: &DeviceId) -> Result<(), Fault> {
    let id = id.as_str();
    work.execute(
        "DELETE FROM command WHERE (device = $1 OR via = $1) AND state IN ('queued', 'sent', 'accepted')",
        &[&id],
    )
    .await?;
    work.execute("DELETE FROM page WHERE device = $1", &[&id]).await?;
    work.execute("DELETE FROM newest WHERE device = $1", &[&id]).await?;
    work.execute("DELETE FROM record WHERE device = $1", &[&id]).await?;
    work.execute("DELETE FROM fingerprint WHERE device = $1", &[&id]).await?;
    match work.execute("DELETE FROM device WHERE id = $1", &[&id]).await? {
        0 => Err(StoreError::NotFound("device").into()),
        _ => Ok(()),
    }
}

/// Refuses a device that is not there.
pub(super) async fn need(work: &Work<'_>, id: &DeviceId) -> Result<(), Fault> {
    match work.first("SELECT 1 FROM device WHERE id = $1", &[&id.as_str()]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::NotFound("device").into()),
    }
}

/// Lets a held device in; tells whether it was held.
pub(super) async fn adopt(work: &Work<'_>, id: &DeviceId) -> Result<bool, Fault> {
    let sql = format!("SELECT {} FROM device d WHERE d.id = $1", rows::DEVICE);
    let Some(row) = work.first(&sql, &[&id.as_str()]).await? else {
        return Err(StoreError::NotFound("device").into());
    };
    let device = rows::device(&row)?;
    match device.state {
        DeviceState::Active => Ok(false),
        DeviceState::Held => {
            work.execute("UPDATE device SET state = 'active' WHERE id = $1", &[&id.as_str()]).await?;
            Ok(true)
        }
        DeviceState::Blocked => {
            Err(StoreError::Refused(format!("{} is blocked: unblock it first", device.names.name)).into())
        }
    }
}
