//! The command queue: for each device that fetches by priority, then first in, first out; one on its way at a
//! time.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _};

use super::command::{self, Change};
use super::device::{self, Standing};
use super::journal::{Journal, Message};
use crate::model::{
    CommandId, CommandRecord, CommandState, DeviceId, DeviceRef, DeviceState, Direction, Draft, Dress, Lease,
    Timestamp, Verdict, WireId,
};
use crate::store::{ASK_AGAIN, Acknowledgement, Enqueued, Leased, StoreError, handed_out, queue_full};

/// How long the number of a command that was taken is not used again: a reply may still come
/// (`cwm-oke.md §7.3`).
const REPLY_WINDOW: Duration = Duration::from_mins(10);

/// A device that asks for a command.
pub(super) struct Asked<'a> {
    pub(super) via: &'a DeviceId,
    pub(super) last: Acknowledgement,
    pub(super) at: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) attempts_max: u32,
    pub(super) peer: &'a str,
    pub(super) dress: Option<&'a Dress>,
}

/// Queues a command.
pub(super) fn enqueue(db: &Connection, draft: &Draft) -> Result<Enqueued, StoreError> {
    let target = device::need(db, &draft.device.id)?;
    let via = device::need(db, &draft.via.id)?;
    let mut adopted = Vec::new();
    for device in [&target, &via] {
        if device::adopt(db, device)? && !adopted.contains(&device.names.id) {
            adopted.push(device.names.id.clone());
        }
    }
    if command::find(db, &draft.id)?.is_some() {
        return Err(StoreError::Conflict(format!("there is a command {} already", draft.id)));
    }
    let waiting: u32 = db
        .prepare_cached("SELECT count(*) FROM command WHERE state = 'queued' AND via_id = ?")?
        .query_row([via.names.id.as_str()], |found| found.get(0))?;
    if waiting >= draft.waiting_max {
        return Err(queue_full(draft));
    }
    let wire_id = next_wire_id(db, &via, draft.at)?;
    let bytes = (draft.encode)(wire_id).map_err(|error| StoreError::Refused(error.0))?;
    db.prepare_cached("UPDATE device SET wire_id = ? WHERE key = ?")?.execute((wire_id, via.key))?;
    db.prepare_cached(
        "INSERT INTO command (id, device_id, family, address, name, via_id, cmd, payload, wire_id, bytes, \
            state, created_us, expires_us, due_us, priority)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'queued', ?11, ?12, ?11, ?13)",
    )?
    .execute((
        draft.id.as_str(),
        target.names.id.as_str(),
        target.names.family.as_str(),
        &target.names.address,
        &target.names.name,
        via.names.id.as_str(),
        &draft.cmd,
        &draft.payload,
        wire_id,
        bytes.as_ref(),
        draft.at.micros(),
        draft.expires.micros(),
        draft.priority.rank(),
    ))?;
    let key = db.last_insert_rowid();
    let queued = Change { at: draft.at, to: CommandState::Queued, reason: "it was asked for", by: &draft.by };
    command::note(db, key, &queued)?;
    Ok(Enqueued { command: command::need(db, key)?, adopted })
}

/// The number after the newest one of this device that no open command has: 1 to 65535, then 1 again.
pub(super) fn next_wire_id(db: &Connection, via: &Standing, at: Timestamp) -> Result<WireId, StoreError> {
    let mut open = db.prepare_cached(
        "SELECT 1 FROM command WHERE via_id = ?1 AND wire_id = ?2
         AND (state = 'queued' OR (state = 'sent' AND hold_until_us IS NOT NULL)
            OR (state = 'accepted' AND sent_us > ?3))",
    )?;
    let since = at.minus(REPLY_WINDOW).micros();
    let mut next = via.wire_id;
    for _ in 0..WireId::MAX {
        next = next.checked_add(1).unwrap_or(1);
        if !open.exists((via.names.id.as_str(), next, since))? {
            return Ok(next);
        }
    }
    Err(StoreError::Refused(format!("{} has as many open commands as there are numbers", via.names.name)))
}

/// The command that is to be handed out to this device now: of the highest priority the oldest. Nothing is
/// due for or by way of a device that is not active.
pub(super) fn oldest_due(db: &Connection, via: &DeviceId, at: Timestamp) -> Result<Option<i64>, StoreError> {
    let oldest = db
        .prepare_cached(
            "SELECT c.key FROM command c
             JOIN device v ON v.id = c.via_id AND v.state = 'active'
             JOIN device t ON t.id = c.device_id AND t.state = 'active'
             WHERE c.state = 'queued' AND c.via_id = ?1 AND c.due_us <= ?2 AND c.expires_us > ?2
             ORDER BY c.priority DESC, c.created_us, c.id LIMIT 1",
        )?
        .query_row((via.as_str(), at.micros()), |found| found.get(0))
        .optional()?;
    Ok(oldest)
}

/// Whether a device should be told to ask: a command is due, or one it fetched is not acknowledged yet
/// ([`ASK_AGAIN`]).
pub(super) fn announce(db: &Connection, via: &DeviceId, at: Timestamp) -> Result<bool, StoreError> {
    if oldest_due(db, via, at)?.is_some() {
        return Ok(true);
    }
    let open = db
        .prepare_cached(
            "SELECT 1 FROM command c JOIN device v ON v.id = c.via_id AND v.state = 'active'
             WHERE c.state = 'sent' AND c.via_id = ?1 AND c.sent_us <= ?2 AND c.hold_until_us IS NOT NULL",
        )?
        .exists((via.as_str(), at.minus(ASK_AGAIN).micros()))?;
    Ok(open)
}

/// Takes what the device says of the command it got last, then hands out the oldest that is due.
pub(super) fn lease(
    db: &Connection,
    journal: &mut Journal<'_>,
    asked: &Asked<'_>,
) -> Result<Leased, StoreError> {
    let via = device::need(db, asked.via)?;
    let mut changed = Vec::new();
    for key in on_their_way(db, asked.via)? {
        changed.push(acknowledge(db, key, asked, &via.names.address)?);
    }
    let next = match via.state {
        DeviceState::Active => oldest_due(db, asked.via, asked.at)?,
        DeviceState::Held | DeviceState::Blocked => None,
    };
    let Some(key) = next else { return Ok(Leased { lease: None, more: false, changed }) };
    let by = format!("device:{}", via.names.address);
    let sent = Change { at: asked.at, to: CommandState::Sent, reason: handed_out(asked.until), by: &by };
    command::change(db, key, &sent)?;
    db.prepare_cached(
        "UPDATE command SET attempts = attempts + 1, sent_us = ?2, hold_until_us = ?3 WHERE key = ?1",
    )?
    .execute((key, asked.at.micros(), asked.until.map(Timestamp::micros)))?;
    let command = command::need(db, key)?;
    let bytes = asked.dress.map_or_else(|| command.bytes.clone(), |Dress(dress)| dress(&command.bytes));
    said(journal, &command.device, asked.at, asked.peer, &bytes)?;
    let lease = Lease { id: command.id.clone(), wire_id: command.wire_id, bytes };
    // A command that came back and is handed out at once is listed once, as it now is.
    changed.retain(|earlier: &CommandRecord| earlier.id != command.id);
    changed.push(command);
    let more = oldest_due(db, asked.via, asked.at)?.is_some();
    Ok(Leased { lease: Some(lease), more, changed })
}

/// Writes down what goes out.
pub(super) fn said(
    journal: &mut Journal<'_>,
    device: &DeviceRef,
    at: Timestamp,
    peer: &str,
    raw: &Bytes,
) -> Result<(), StoreError> {
    let (direction, verdict) = (Direction::Out, Verdict::None);
    journal.append(&Message { at, device: Some(device), direction, verdict, hmac: None, peer, raw })?;
    Ok(())
}

/// Withdraws a command.
pub(super) fn cancel(
    db: &Connection,
    id: &CommandId,
    at: Timestamp,
    by: &str,
) -> Result<Vec<CommandRecord>, StoreError> {
    let (key, _) = command::find(db, id)?.ok_or(StoreError::NotFound("command"))?;
    let change = Change { at, to: CommandState::Cancelled, reason: "it was withdrawn", by };
    command::change(db, key, &change)?;
    Ok(vec![command::need(db, key)?])
}

/// Takes back a command that was handed out and did not leave: it is the next to go again.
pub(super) fn hand_back(
    db: &Connection,
    id: &CommandId,
    at: Timestamp,
    reason: &str,
) -> Result<Vec<CommandRecord>, StoreError> {
    let (key, _) = command::find(db, id)?.ok_or(StoreError::NotFound("command"))?;
    let change = Change { at, to: CommandState::Queued, reason, by: "server" };
    requeue(db, key, &change, at)?;
    Ok(vec![command::need(db, key)?])
}

/// Lets time pass: commands expire, and those that were not acknowledged come back or are given up.
pub(super) fn sweep(
    db: &Connection,
    at: Timestamp,
    attempts_max: u32,
) -> Result<Vec<CommandRecord>, StoreError> {
    let mut changed = Vec::new();
    for key in keys(
        db,
        "SELECT key FROM command WHERE (state = 'queued' OR (state = 'sent' AND hold_until_us IS NOT NULL))
         AND expires_us <= ? ORDER BY key",
        at.micros(),
    )? {
        let reason = "its time ran out before the device took it";
        let change = Change { at, to: CommandState::Expired, reason, by: "server" };
        command::change(db, key, &change)?;
        changed.push(command::need(db, key)?);
    }
    for key in keys(
        db,
        "SELECT key FROM command WHERE state = 'sent' AND hold_until_us <= ? ORDER BY key",
        at.micros(),
    )? {
        let attempts = command::need(db, key)?.attempts;
        if attempts >= attempts_max {
            let reason = given_up("the device did not say that it took it", attempts);
            let change = Change { at, to: CommandState::Failed, reason: &reason, by: "server" };
            command::change(db, key, &change)?;
        } else {
            let wait = CommandRecord::back_off(attempts);
            let reason = format!("the device did not say that it took it: next try in {} s", wait.as_secs());
            let change = Change { at, to: CommandState::Queued, reason: &reason, by: "server" };
            requeue(db, key, &change, at.plus(wait))?;
        }
        changed.push(command::need(db, key)?);
    }
    Ok(changed)
}

fn acknowledge(
    db: &Connection,
    key: i64,
    asked: &Asked<'_>,
    address: &str,
) -> Result<CommandRecord, StoreError> {
    let by = format!("device:{address}");
    let at = asked.at;
    match asked.last {
        Acknowledgement::Taken => {
            let reason = "the device took it";
            command::change(db, key, &Change { at, to: CommandState::Accepted, reason, by: &by })?;
        }
        Acknowledgement::NotTaken => {
            let attempts = command::need(db, key)?.attempts;
            if attempts >= asked.attempts_max {
                let reason = given_up("the device said that it did not take it", attempts);
                command::change(db, key, &Change { at, to: CommandState::Failed, reason: &reason, by: &by })?;
            } else {
                let reason = "the device said that it did not take it";
                let change = Change { at, to: CommandState::Queued, reason, by: &by };
                requeue(db, key, &change, at)?;
            }
        }
    }
    command::need(db, key)
}

fn given_up(what: &str, attempts: u32) -> String {
    format!("{what}: given up after {attempts} {}", if attempts == 1 { "try" } else { "tries" })
}

fn requeue(db: &Connection, key: i64, change: &Change<'_>, due: Timestamp) -> Result<(), StoreError> {
    command::change(db, key, change)?;
    db.prepare_cached("UPDATE command SET due_us = ?2, hold_until_us = NULL WHERE key = ?1")?
        .execute((key, due.micros()))?;
    Ok(())
}

fn on_their_way(db: &Connection, via: &DeviceId) -> Result<Vec<i64>, StoreError> {
    keys(
        db,
        "SELECT key FROM command WHERE state = 'sent' AND via_id = ? AND hold_until_us IS NOT NULL
         ORDER BY created_us, id",
        via.as_str(),
    )
}

fn keys(db: &Connection, sql: &str, parameter: impl rusqlite::ToSql) -> Result<Vec<i64>, StoreError> {
    let mut query = db.prepare_cached(sql)?;
    let rows = query.query_map([parameter], |found| found.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
