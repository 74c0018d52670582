//! The audit log: rows are added, listed, and go by age.

use rusqlite::Connection;

use super::row;
use crate::model::{AuditEntry, DeviceId, Timestamp, UserId};
use crate::store::{AuditFilter, Pruned, StoreError};

/// Adds one.
pub(super) fn add(db: &Connection, entry: &AuditEntry) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO audit (at_us, who, user_id, proof, token, peer, what, device, target, result)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute((
        entry.at.micros(),
        &entry.who,
        entry.user.as_ref().map(UserId::as_str),
        &entry.proof,
        &entry.token,
        &entry.from,
        &entry.what,
        entry.device.as_ref().map(DeviceId::as_str),
        &entry.target,
        &entry.result,
    ))?;
    Ok(())
}

/// A page of them with their numbers, the newest first.
pub(super) fn page(db: &Connection, filter: &AuditFilter) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
    // A text of its own for each way in, so that its index is used.
    let way = if filter.device.is_some() {
        "device = ?3 AND (?1 IS NULL OR who = ?1) AND (?2 IS NULL OR what = ?2)"
    } else if filter.who.is_some() {
        "?3 IS NULL AND who = ?1 AND (?2 IS NULL OR what = ?2)"
    } else if filter.what.is_some() {
        "?3 IS NULL AND ?1 IS NULL AND what = ?2"
    } else {
        "?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL"
    };
    let mut query = db.prepare_cached(&format!(
        "SELECT key, at_us, who, user_id, proof, token, peer, what, device, target, result FROM audit
         WHERE {way} AND (?4 IS NULL OR at_us >= ?4) AND (?5 IS NULL OR at_us < ?5)
         AND (?6 IS NULL OR key < ?6) ORDER BY key DESC LIMIT ?7"
    ))?;
    let found = query.query_map(
        (
            &filter.who,
            &filter.what,
            filter.device.as_ref().map(DeviceId::as_str),
            filter.from.map(Timestamp::micros),
            filter.to.map(Timestamp::micros),
            filter.before,
            filter.limit,
        ),
        |found| {
            let entry = AuditEntry {
                at: row::time(found, 1)?,
                who: found.get(2)?,
                user: found.get::<_, Option<String>>(3)?.map(|id| UserId::new(&id)),
                proof: found.get(4)?,
                token: found.get(5)?,
                from: found.get(6)?,
                what: found.get(7)?,
                device: found.get::<_, Option<String>>(8)?.map(|id| DeviceId::new(&id)),
                target: found.get(9)?,
                result: found.get(10)?,
            };
            Ok((found.get(0)?, entry))
        },
    )?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Removes the oldest, from before a time.
pub(super) fn prune(db: &Connection, before: Timestamp, limit: u32) -> Result<Pruned, StoreError> {
    let rows = db
        .prepare_cached(
            "DELETE FROM audit WHERE key IN (SELECT key FROM (SELECT key, at_us FROM audit ORDER BY key LIMIT ?2)
             WHERE at_us < ?1)",
        )?
        .execute((before.micros(), limit))?;
    Ok(Pruned { rows: rows as u64, more: rows as u64 >= u64::from(limit), ..Pruned::default() })
}
