//! Rows turned into the plain types. A word that no type knows is a fault of the store, named with its column.

use bytes::Bytes;
use tokio_postgres::Row;

use crate::model::{
    CommandId, CommandRecord, CommandState, Credential, Device, DeviceId, DeviceRef, DeviceState, Direction,
    FamilyName, HmacCheck, MessageRecord, Priority, Record, Role, Sees, Seq, Timestamp, Token, Transition,
    User, UserId, Value, Verdict,
};
use crate::store::ledger::{Entry, Link, digest};
use crate::store::{StoreError, people};

/// The columns [`device`] reads, of a table called `d`.
pub(super) const DEVICE: &str =
    "d.id, d.family, d.address, d.name, d.state, d.parent, d.created, d.last_seen";

/// The columns [`message`] reads, of `message m LEFT JOIN device d`.
pub(super) const MESSAGE: &str = "m.device, m.family, m.address, coalesce(d.name, m.name) AS name, \
     m.seq, m.at, m.direction, m.verdict, m.peer, m.raw, m.hmac, m.size";

/// The columns [`command`] reads, of `command c LEFT JOIN device d`: one statement, so that the state and its
/// history are of one moment.
pub(super) const COMMAND: &str = "c.device, c.family, c.address, coalesce(d.name, c.name) AS name, \
     c.id, c.cmd, c.payload, c.wire_id, c.bytes, c.state, c.attempts, c.created, c.expires, c.reply, \
     c.priority, \
     ARRAY(SELECT t.at FROM transition t WHERE t.command = c.id ORDER BY t.place) AS times, \
     ARRAY(SELECT t.state FROM transition t WHERE t.command = c.id ORDER BY t.place) AS states, \
     ARRAY(SELECT t.reason FROM transition t WHERE t.command = c.id ORDER BY t.place) AS reasons, \
     ARRAY(SELECT t.cause FROM transition t WHERE t.command = c.id ORDER BY t.place) AS causes";

/// The columns [`user`] reads, of `person p`.
pub(super) const USER: &str = "p.id AS user_id, p.name AS user_name, p.role AS user_role, p.sees AS user_sees, p.created AS user_created";

/// The columns [`token`] reads, of `token t`.
pub(super) const TOKEN: &str =
    "t.id, t.name, t.secret_hash, t.person, t.role, t.devices, t.created, t.last_used, t.expires";

/// A column's value.
pub(super) fn value<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    column: &str,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Failed(format!("column {column}: {error}")))
}

/// A column's point in time.
pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_micros(value(row, column)?))
}

/// A device.
pub(super) fn device(row: &Row) -> Result<Device, StoreError> {
    Ok(Device {
        names: names(row, value(row, "id")?)?,
        state: word(row, "state", DeviceState::parse)?,
        parent: value::<Option<&str>>(row, "parent")?.map(DeviceId::new),
        created: time(row, "created")?,
        last_seen: maybe(row, "last_seen")?,
    })
}

/// A message with its body.
pub(super) fn message(row: &Row) -> Result<MessageRecord, StoreError> {
    let raw: Option<Vec<u8>> = value(row, "raw")?;
    let hmac: Option<&str> = value(row, "hmac")?;
    let size = match &raw {
        Some(raw) => raw.len(),
        None if value::<Option<i32>>(row, "size")?.is_some() => number(row, "size")?,
        None => 0,
    };
    Ok(MessageRecord {
        seq: Seq(value(row, "seq")?),
        at: time(row, "at")?,
        device: value::<Option<&str>>(row, "device")?.map(|id| names(row, id)).transpose()?,
        direction: word(row, "direction", Direction::parse)?,
        verdict: word(row, "verdict", Verdict::parse)?,
        hmac: hmac.map(|_| word(row, "hmac", HmacCheck::parse)).transpose()?,
        peer: value(row, "peer")?,
        pruned: raw.is_none(),
        raw: Bytes::from(raw.unwrap_or_default()),
        size,
    })
}

/// A command with its history.
pub(super) fn command(row: &Row) -> Result<CommandRecord, StoreError> {
    Ok(CommandRecord {
        id: CommandId::new(value(row, "id")?),
        device: names(row, value(row, "device")?)?,
        cmd: value(row, "cmd")?,
        payload: value(row, "payload")?,
        wire_id: number(row, "wire_id")?,
        bytes: Bytes::from(value::<Vec<u8>>(row, "bytes")?),
        state: word(row, "state", CommandState::parse)?,
        attempts: number(row, "attempts")?,
        created: time(row, "created")?,
        expires: time(row, "expires")?,
        priority: rank(row, "priority")?,
        transitions: transitions(row)?,
        reply: value::<Option<Vec<u8>>>(row, "reply")?.map(Bytes::from),
    })
}

/// A small document.
pub(super) fn record(row: &Row) -> Result<Record, StoreError> {
    Ok(Record {
        kind: value(row, "kind")?,
        key: value(row, "key")?,
        device: value::<Option<&str>>(row, "device")?.map(DeviceId::new),
        at: time(row, "at")?,
        body: value(row, "body")?,
    })
}

/// A person.
pub(super) fn user(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::new(value(row, "user_id")?),
        name: value(row, "user_name")?,
        role: word(row, "user_role", Role::parse)?,
        sees: word(row, "user_sees", Sees::parse)?,
        created: time(row, "user_created")?,
    })
}

/// A person with the password's hash.
pub(super) fn credential(row: &Row) -> Result<Credential, StoreError> {
    Ok(Credential { user: user(row)?, password_hash: value(row, "password_hash")? })
}

/// A token.
pub(super) fn token(row: &Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: value(row, "id")?,
        name: value(row, "name")?,
        secret_hash: hash(row, "secret_hash")?,
        user: UserId::new(value(row, "person")?),
        role: word(row, "role", Role::parse)?,
        devices: people::devices_of_text(value(row, "devices")?)?,
        created: time(row, "created")?,
        last_used: maybe(row, "last_used")?,
        expires: maybe(row, "expires")?,
    })
}

/// A ledger entry as the auditor sees it, after the entry with the hash `previous`.
pub(super) fn entry(row: &Row, previous: &[u8; 32]) -> Result<Entry, StoreError> {
    let link = Link {
        seq: Seq(value(row, "seq")?),
        at: time(row, "at")?,
        family: value(row, "family")?,
        address: value(row, "address")?,
        direction: word(row, "direction", Direction::parse)?,
        verdict: word(row, "verdict", Verdict::parse)?,
        peer: value(row, "peer")?,
        digest: hash(row, "digest")?,
    };
    Ok(Entry {
        seq: link.seq,
        hash: hash(row, "hash")?,
        digest: link.digest,
        computed: value::<Option<&[u8]>>(row, "raw")?.map(digest),
        expected: link.hash(previous),
    })
}

/// A column of exactly 32 bytes.
pub(super) fn hash(row: &Row, column: &str) -> Result<[u8; 32], StoreError> {
    let bytes: &[u8] = value(row, column)?;
    bytes.try_into().map_err(|_| StoreError::Failed(format!("column {column}: not a SHA-256 hash")))
}

/// A value as earlier schemas had it: JSON.
pub(super) fn measured(text: &str) -> Result<Value, StoreError> {
    let read: Value = serde_json::from_str(text)
        .map_err(|error| StoreError::Failed(format!("the stored value {text:?} cannot be read: {error}")))?;
    // serde_json may miss the nearest number by one place in the last digit; the standard library does not.
    Ok(match read {
        Value::Real(near) => Value::Real(text.parse().unwrap_or(near)),
        Value::Bool(_) | Value::Integer(_) | Value::Text(_) | Value::Gap(_) => read,
    })
}

fn transitions(row: &Row) -> Result<Vec<Transition>, StoreError> {
    let times: Vec<i64> = value(row, "times")?;
    let states: Vec<&str> = value(row, "states")?;
    let reasons: Vec<String> = value(row, "reasons")?;
    let causes: Vec<String> = value(row, "causes")?;
    let steps = times.into_iter().zip(states).zip(reasons.into_iter().zip(causes));
    steps
        .map(|((at, state), (reason, by))| {
            let state = CommandState::parse(state).ok_or_else(|| unknown("states", state))?;
            Ok(Transition { at: Timestamp::from_micros(at), state, reason, by })
        })
        .collect()
}

fn names(row: &Row, id: &str) -> Result<DeviceRef, StoreError> {
    Ok(DeviceRef {
        id: DeviceId::new(id),
        family: FamilyName::new(value(row, "family")?),
        address: value(row, "address")?,
        name: value(row, "name")?,
    })
}

fn maybe(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(value::<Option<i64>>(row, column)?.map(Timestamp::from_micros))
}

/// A column's number in the type it has here.
pub(super) fn number<T: TryFrom<i32>>(row: &Row, column: &str) -> Result<T, StoreError> {
    let stored: i32 = value(row, column)?;
    T::try_from(stored).map_err(|_| unknown(column, &stored.to_string()))
}

pub(super) fn word<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: &str = value(row, column)?;
    parse(text).ok_or_else(|| unknown(column, text))
}

fn rank(row: &Row, column: &str) -> Result<Priority, StoreError> {
    let rank: i16 = number(row, column)?;
    Priority::from_rank(rank).ok_or_else(|| unknown(column, &rank.to_string()))
}

fn unknown(column: &str, text: &str) -> StoreError {
    StoreError::Failed(format!("column {column} holds {text:?}, which this homeport does not know"))
}
