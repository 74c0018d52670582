//! Rows to plain types and back.

use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};

use crate::model::{DeviceId, DeviceRef, FamilyName, Gap, Priority, Timestamp, Value};
use crate::store::people;

/// A word of the API, read with its type's own `parse`.
pub(super) fn word<T>(row: &Row<'_>, at: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    parse(text).ok_or_else(|| wrong(at, format!("{text:?} is no word homeport knows")))
}

/// A priority by its number.
pub(super) fn rank(row: &Row<'_>, at: usize) -> rusqlite::Result<Priority> {
    let rank: i16 = row.get(at)?;
    Priority::from_rank(rank).ok_or_else(|| wrong(at, format!("{rank} is no priority homeport knows")))
}

/// A time.
pub(super) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    row.get(at).map(Timestamp::from_micros)
}

/// A time that may be absent.
pub(super) fn time_if_any(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_micros))
}

/// A list of devices that may be absent.
pub(super) fn devices_if_any(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Vec<DeviceId>>> {
    let text = row.get::<_, Option<String>>(at)?;
    people::devices_of_text(text.as_deref()).map_err(|error| wrong(at, error.to_string()))
}

/// Four columns from `at` on: id, family, address, name.
pub(super) fn names(row: &Row<'_>, at: usize) -> rusqlite::Result<DeviceRef> {
    Ok(DeviceRef {
        id: DeviceId::new(row.get_ref(at)?.as_str()?),
        family: FamilyName::new(row.get_ref(at + 1)?.as_str()?),
        address: row.get(at + 2)?,
        name: row.get(at + 3)?,
    })
}

/// A value by its kind, as earlier schemas had it in rows and in the inbox.
pub(super) fn value(kind: i64, value: ValueRef<'_>) -> Option<Value> {
    match (kind, value) {
        (GAP, _) => Some(Value::Gap(Gap)),
        (BOOL, ValueRef::Integer(n)) => Some(Value::Bool(n != 0)),
        (INTEGER, ValueRef::Integer(n)) => Some(Value::Integer(n)),
        (REAL, ValueRef::Real(x)) => Some(Value::Real(x)),
        (TEXT, ValueRef::Text(text)) => Some(Value::Text(String::from_utf8_lossy(text).into_owned())),
        (_, _) => None,
    }
}

fn wrong(at: usize, text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Null, text.into())
}

// Kinds of values: SQLite has no type for a truth value.
const GAP: i64 = 0;
const BOOL: i64 = 1;
const INTEGER: i64 = 2;
const REAL: i64 = 3;
const TEXT: i64 = 4;
