//! One command: its record, and the one way its state changes.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::row;
use crate::model::{CommandId, CommandRecord, CommandState, Timestamp, Transition};
use crate::store::StoreError;

/// The start of every query for records; [`from_row`] reads its columns, [`with_transitions`] adds the rest.
pub(super) const RECORDS: &str = "SELECT c.key, c.id, c.device_id, c.family, c.address, \
     coalesce(d.name, c.name), c.cmd, c.payload, c.wire_id, c.bytes, c.state, c.attempts, c.created_us, \
     c.expires_us, c.reply, c.priority FROM command c LEFT JOIN device d ON d.id = c.device_id ";

/// A change of state, with who or what caused it and why.
pub(super) struct Change<'a> {
    pub(super) at: Timestamp,
    pub(super) to: CommandState,
    pub(super) reason: &'a str,
    pub(super) by: &'a str,
}

/// A record without its transitions, and its key.
pub(super) fn from_row(found: &Row<'_>) -> rusqlite::Result<(i64, CommandRecord)> {
    let record = CommandRecord {
        id: CommandId::new(found.get_ref(1)?.as_str()?),
        device: row::names(found, 2)?,
        cmd: found.get(6)?,
        payload: found.get(7)?,
        wire_id: found.get(8)?,
        bytes: found.get::<_, Vec<u8>>(9)?.into(),
        state: row::word(found, 10, CommandState::parse)?,
        attempts: found.get(11)?,
        created: row::time(found, 12)?,
        expires: row::time(found, 13)?,
        priority: row::rank(found, 15)?,
        transitions: Vec::new(),
        reply: found.get::<_, Option<Vec<u8>>>(14)?.map(Into::into),
    };
    Ok((found.get(0)?, record))
}

/// Adds its transitions to a record.
pub(super) fn with_transitions(
    db: &Connection,
    (key, mut record): (i64, CommandRecord),
) -> Result<CommandRecord, StoreError> {
    let mut steps = db.prepare_cached(
        "SELECT at_us, state, reason, actor FROM transition WHERE command = ? ORDER BY place",
    )?;
    let steps = steps.query_map([key], |found| {
        Ok(Transition {
            at: row::time(found, 0)?,
            state: row::word(found, 1, CommandState::parse)?,
            reason: found.get(2)?,
            by: found.get(3)?,
        })
    })?;
    record.transitions = steps.collect::<Result<_, _>>()?;
    Ok(record)
}

/// A command by its id, with its key.
pub(super) fn find(db: &Connection, id: &CommandId) -> Result<Option<(i64, CommandRecord)>, StoreError> {
    let found = db
        .prepare_cached(&format!("{RECORDS} WHERE c.id = ?"))?
        .query_row([id.as_str()], from_row)
        .optional()?;
    let Some((key, record)) = found else { return Ok(None) };
    Ok(Some((key, with_transitions(db, (key, record))?)))
}

/// A command by its key.
pub(super) fn need(db: &Connection, key: i64) -> Result<CommandRecord, StoreError> {
    let found = db
        .prepare_cached(&format!("{RECORDS} WHERE c.key = ?"))?
        .query_row([key], from_row)
        .optional()?
        .ok_or(StoreError::NotFound("command"))?;
    with_transitions(db, found)
}

/// Changes a command's state, if the state machine has that edge.
pub(super) fn change(db: &Connection, key: i64, change: &Change<'_>) -> Result<(), StoreError> {
    let from = db
        .prepare_cached("SELECT state FROM command WHERE key = ?")?
        .query_row([key], |found| row::word(found, 0, CommandState::parse))
        .optional()?
        .ok_or(StoreError::NotFound("command"))?;
    let to = from.to(change.to).map_err(|illegal| StoreError::Refused(illegal.to_string()))?;
    db.prepare_cached("UPDATE command SET state = ? WHERE key = ?")?.execute((to.as_str(), key))?;
    note(db, key, change)
}

/// Writes down a state that a command is in.
pub(super) fn note(db: &Connection, key: i64, change: &Change<'_>) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO transition (command, place, at_us, state, reason, actor) VALUES
         (?1, (SELECT coalesce(max(place), 0) + 1 FROM transition WHERE command = ?1), ?2, ?3, ?4, ?5)",
    )?
    .execute((key, change.at.micros(), change.to.as_str(), change.reason, change.by))?;
    Ok(())
}
