//! Reads of commands.

use rusqlite::Connection;

use super::{command, device, queue};
use crate::model::{CommandId, CommandRecord, CommandState, DeviceId, Priority, Timestamp, WireId};
use crate::store::{CommandFilter, StoreError};

/// A page of commands, newest first.
pub(super) fn commands(db: &Connection, filter: &CommandFilter) -> Result<Vec<CommandRecord>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "{} WHERE (?1 IS NULL OR c.device_id = ?1 OR c.via_id = ?1) AND (?2 IS NULL OR c.state = ?2)
         AND (?3 IS NULL OR (c.created_us, c.id) < (SELECT created_us, id FROM command WHERE id = ?3))
         AND (?5 IS NULL OR c.priority >= ?5)
         ORDER BY c.created_us DESC, c.id DESC LIMIT ?4",
        command::RECORDS
    ))?;
    let found = query.query_map(
        (
            filter.device.as_ref().map(DeviceId::as_str),
            filter.state.map(CommandState::as_str),
            filter.before.as_ref().map(CommandId::as_str),
            filter.limit,
            filter.least.map(Priority::rank),
        ),
        command::from_row,
    )?;
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    found.into_iter().map(|command| command::with_transitions(db, command)).collect()
}

/// One command.
pub(super) fn command(db: &Connection, id: &CommandId) -> Result<Option<CommandRecord>, StoreError> {
    Ok(command::find(db, id)?.map(|(_, record)| record))
}

/// Devices that have a due command, by the id they fetch with.
pub(super) fn pending(db: &Connection, at: Timestamp) -> Result<Vec<DeviceId>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT DISTINCT c.via_id FROM command c
         JOIN device v ON v.id = c.via_id AND v.state = 'active'
         JOIN device t ON t.id = c.device_id AND t.state = 'active'
         WHERE c.state = 'queued' AND c.due_us <= ?1 AND c.expires_us > ?1 ORDER BY c.via_id",
    )?;
    let ids = query.query_map([at.micros()], |found| Ok(DeviceId::new(found.get_ref(0)?.as_str()?)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The number that the next command would get. Numbers of taken commands come free as time passes; the
/// newest command's time stands in for now, so that this only ever skips one too many.
pub(super) fn next_wire_id(db: &Connection, via: &DeviceId) -> Result<WireId, StoreError> {
    let newest: Option<i64> = db
        .prepare_cached("SELECT max(max(created_us, coalesce(sent_us, 0))) FROM command WHERE via_id = ?")?
        .query_row([via.as_str()], |found| found.get(0))?;
    let via = device::need(db, via)?;
    queue::next_wire_id(db, &via, Timestamp::from_micros(newest.unwrap_or(0)))
}
