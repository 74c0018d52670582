//! Rows to plain types and back.

use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{Row, ToSql};

use crate::model::{Datum, DeviceId, DeviceRef, FamilyName, Gap, Priority, Seq, Timestamp, Value};

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

/// Four columns from `at` on: id, family, address, name.
pub(super) fn names(row: &Row<'_>, at: usize) -> rusqlite::Result<DeviceRef> {
    Ok(DeviceRef {
        id: DeviceId::new(row.get_ref(at)?.as_str()?),
        family: FamilyName::new(row.get_ref(at + 1)?.as_str()?),
        address: row.get(at + 2)?,
        name: row.get(at + 3)?,
    })
}

/// Six columns from `at` on: sensor, time received, time created, seq, kind, value.
pub(super) fn datum(row: &Row<'_>, at: usize) -> rusqlite::Result<Datum> {
    Ok(Datum {
        sensor: row.get::<_, String>(at)?.into(),
        time_received: time(row, at + 1)?,
        time_created: time_if_any(row, at + 2)?,
        seq: Seq(row.get(at + 3)?),
        value: value(row, at + 4)?,
    })
}

fn value(row: &Row<'_>, at: usize) -> rusqlite::Result<Value> {
    match (row.get(at)?, row.get_ref(at + 1)?) {
        (GAP, _) => Ok(Value::Gap(Gap)),
        (BOOL, ValueRef::Integer(n)) => Ok(Value::Bool(n != 0)),
        (INTEGER, ValueRef::Integer(n)) => Ok(Value::Integer(n)),
        (REAL, ValueRef::Real(x)) => Ok(Value::Real(x)),
        (TEXT, ValueRef::Text(text)) => Ok(Value::Text(String::from_utf8_lossy(text).into_owned())),
        (kind, value) => {
            Err(wrong(at, format!("kind {kind} does not go with a value of type {}", value.data_type())))
        }
    }
}

/// The two columns of a value: its kind and the value itself.
pub(super) fn columns(value: &Value) -> (i64, Column<'_>) {
    match value {
        Value::Gap(Gap) => (GAP, Column(ValueRef::Null)),
        Value::Bool(yes) => (BOOL, Column(ValueRef::Integer(i64::from(*yes)))),
        Value::Integer(n) => (INTEGER, Column(ValueRef::Integer(*n))),
        Value::Real(x) => (REAL, Column(ValueRef::Real(*x))),
        Value::Text(text) => (TEXT, Column(ValueRef::Text(text.as_bytes()))),
    }
}

/// A value on its way to SQLite.
pub(super) struct Column<'a>(pub(super) ValueRef<'a>);

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
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
