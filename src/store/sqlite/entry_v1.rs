//! Entries of the inbox as schemas 3 and 4 had them, one in a row: a version byte, time, device, its name, devices heard,
//! fingerprint, readings; numbers little-endian.

use rusqlite::types::ValueRef;

use super::entry::Entry;
use super::row;
use crate::model::{DeviceId, Reading, Timestamp};

/// Reads an entry; `None` when it is not as it was written.
pub(super) fn read(seq: i64, body: &[u8]) -> Option<Entry> {
    let mut rest = body;
    if byte(&mut rest)? != VERSION {
        return None;
    }
    let at = number(&mut rest)?;
    let device = number(&mut rest)?;
    let device_id = list(&mut rest, text)?.pop().map(DeviceId::new);
    let heard = list(&mut rest, |rest| Some((number(rest)?, list(rest, number)?.pop())))?;
    let print = list(&mut rest, chunk::<16>)?.pop();
    let readings = list(&mut rest, reading)?;
    rest.is_empty().then_some(Entry { seq, at, past: false, device, device_id, heard, print, readings })
}

fn reading(rest: &mut &[u8]) -> Option<Reading> {
    let (sensor, created) = (text(rest)?, list(rest, number)?.pop());
    let kind = byte(rest)?;
    let value = match byte(rest)? {
        NULL => ValueRef::Null,
        INTEGER => ValueRef::Integer(number(rest)?),
        REAL => ValueRef::Real(f64::from_le_bytes(chunk(rest)?)),
        TEXT => ValueRef::Text(bytes(rest)?),
        _ => return None,
    };
    let value = row::value(i64::from(kind & !IDLE), value)?;
    let created = created.map(Timestamp::from_micros);
    Some(Reading { sensor: sensor.into(), value, created, counts: kind & IDLE == 0 })
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    chunk::<1>(rest).map(|[byte]| byte)
}

fn number(rest: &mut &[u8]) -> Option<i64> {
    chunk(rest).map(i64::from_le_bytes)
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(chunk(rest)?) as usize;
    let (found, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(found)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(bytes(rest)?).ok()
}

fn list<'a, T>(rest: &mut &'a [u8], one: impl Fn(&mut &'a [u8]) -> Option<T>) -> Option<Vec<T>> {
    let count = u16::from_le_bytes(chunk(rest)?);
    (0..count).map(|_| one(rest)).collect()
}

/// The first byte of such an entry.
pub(super) const VERSION: u8 = 1;
/// The mark, beside a value's kind, of one that buckets leave out.
const IDLE: u8 = 0x80;
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
