//! Small documents: writes and reads.

use rusqlite::Connection;

use super::row;
use crate::model::{DeviceId, Record};
use crate::store::{RecordFilter, RecordWrite, StoreError};

/// Keeps, replaces or removes one.
pub(super) fn apply(db: &Connection, write: &RecordWrite) -> Result<(), StoreError> {
    if let Some(was) = &write.was {
        let same = db
            .prepare_cached("SELECT 1 FROM record WHERE kind = ? AND key = ? AND body = ?")?
            .exists((write.kind, &write.key, was))?;
        if !same {
            return Err(StoreError::Conflict(format!("the {} {} has changed", write.kind, write.key)));
        }
    }
    let Some(body) = &write.body else {
        db.prepare_cached("DELETE FROM record WHERE kind = ? AND key = ?")?
            .execute((write.kind, &write.key))?;
        return Ok(());
    };
    let taken = if write.only_new { "NOTHING" } else { REPLACE };
    let kept = db
        .prepare_cached(&format!(
            "INSERT INTO record (kind, key, device_id, at_us, body) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (kind, key) DO {taken}"
        ))?
        .execute((
            write.kind,
            &write.key,
            write.device.as_ref().map(DeviceId::as_str),
            write.at.micros(),
            body,
        ))?;
    if kept == 0 {
        return Err(StoreError::Conflict(format!("there is a {} {} already", write.kind, write.key)));
    }
    if let Some(max) = write.keep_max {
        db.prepare_cached(
            "DELETE FROM record WHERE kind = ?1 AND key IN (SELECT key FROM record WHERE kind = ?1
             ORDER BY at_us DESC, key DESC LIMIT -1 OFFSET ?2)",
        )?
        .execute((write.kind, max))?;
    }
    Ok(())
}

/// A page of them, newest first.
pub(super) fn page(db: &Connection, filter: &RecordFilter) -> Result<Vec<Record>, StoreError> {
    // A text of its own for each way in, so that its index is used.
    let way = match (&filter.key, &filter.device) {
        (Some(_), _) => "key = ?2 AND (?3 IS NULL OR device_id = ?3)",
        (None, Some(_)) => "?2 IS NULL AND device_id = ?3",
        (None, None) => "?2 IS NULL AND ?3 IS NULL",
    };
    let mut query = db.prepare_cached(&format!(
        "SELECT kind, key, device_id, at_us, body FROM record WHERE kind = ?1 AND {way}
         AND (?4 IS NULL OR (at_us, key) < (?4, ?5)) ORDER BY at_us DESC, key DESC LIMIT ?6"
    ))?;
    let records = query.query_map(
        (
            &filter.kind,
            &filter.key,
            filter.device.as_ref().map(DeviceId::as_str),
            filter.before.as_ref().map(|(at, _)| at.micros()),
            filter.before.as_ref().map(|(_, key)| key),
            filter.limit,
        ),
        |found| {
            Ok(Record {
                kind: found.get(0)?,
                key: found.get(1)?,
                device: found.get_ref(2)?.as_str_or_null()?.map(DeviceId::new),
                at: row::time(found, 3)?,
                body: found.get(4)?,
            })
        },
    )?;
    Ok(records.collect::<Result<_, _>>()?)
}

const REPLACE: &str =
    "UPDATE SET device_id = excluded.device_id, at_us = excluded.at_us, body = excluded.body";
