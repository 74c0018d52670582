//! An entry of the inbox: what one message said. On disk the entries of a transaction are one row.
//!
//! ```text
//! row     = 2, count, each: entry
//! entry   = ledger entry (after the one before), time of arrival (after the one before), device, devices heard,
//!           flags (1: a fingerprint follows, 2: brought over from elsewhere), fingerprint, readings
//! heard   = count, each: device, when (0 never, 1 at arrival, 2 and the time after it)
//! reading = name (0 and its text, or which of the row's names so far), kind and marks, time if it is a new one, value
//! ```

use super::entry_v1;
use super::prints::Print;
use crate::model::{DeviceId, Gap, Reading, SensorName, Timestamp, Value};
use crate::store::history::wire::{Bytes, put_count, put_signed, put_text};

/// A device and when it was heard.
pub(super) type Heard = (i64, Option<i64>);

/// What a message said.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) at: i64,
    /// Whether it was brought over from elsewhere.
    pub(super) past: bool,
    /// Whose message it is; 0 when it did not say.
    pub(super) device: i64,
    /// The same, by the name that the ledger keeps.
    pub(super) device_id: Option<DeviceId>,
    /// Devices that gave a sign of life by it, and when.
    pub(super) heard: Vec<Heard>,
    pub(super) print: Option<[u8; 16]>,
    /// A copy: what a message was taken in with goes back to the thread that took it in, whose next message needs the
    /// same pieces of memory.
    pub(super) readings: Vec<Reading>,
}

impl Entry {
    pub(super) fn print(&self) -> Option<Print> {
        self.print.map(|print| Print { device: self.device, print })
    }
}

/// Writes the entries of a transaction as a row.
pub(super) fn write(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(160 * entries.len());
    out.push(VERSION);
    put_count(&mut out, entries.len());
    let mut names = Names::default();
    let (mut seq, mut at) = (0, 0);
    for entry in entries {
        put_signed(&mut out, entry.seq.wrapping_sub(seq));
        put_signed(&mut out, entry.at.wrapping_sub(at));
        (seq, at) = (entry.seq, entry.at);
        put_signed(&mut out, entry.device);
        put_count(&mut out, entry.heard.len());
        for (device, heard) in &entry.heard {
            put_signed(&mut out, *device);
            match heard {
                None => out.push(NEVER),
                Some(heard) if *heard == at => out.push(THEN),
                Some(heard) => {
                    out.push(ANOTHER);
                    put_signed(&mut out, heard.wrapping_sub(at));
                }
            }
        }
        let past = if entry.past { PAST } else { 0 };
        out.push(past | if entry.print.is_some() { PRINT } else { 0 });
        out.extend(entry.print.iter().flatten());
        put_count(&mut out, entry.readings.len());
        let mut created = None;
        for reading in &entry.readings {
            names.put(&mut out, &reading.sensor);
            put_reading(&mut out, reading, &mut created, at);
        }
    }
    out
}

fn put_reading(out: &mut Vec<u8>, reading: &Reading, created: &mut Option<i64>, at: i64) {
    let kind = match &reading.value {
        Value::Gap(Gap) => GAP,
        Value::Bool(false) => FALSE,
        Value::Bool(true) => TRUE,
        Value::Integer(_) => INTEGER,
        Value::Real(_) => REAL,
        Value::Text(_) => TEXT,
    };
    let idle = if reading.counts { 0 } else { IDLE };
    let here = reading.created.map(Timestamp::micros);
    match here {
        Some(time) if here != *created => {
            out.push(kind | idle | NEW_TIME);
            put_signed(out, time.wrapping_sub(at));
        }
        Some(_) => out.push(kind | idle | SAME_TIME),
        None => out.push(kind | idle),
    }
    *created = here.or(*created);
    match &reading.value {
        Value::Gap(Gap) | Value::Bool(_) => {}
        Value::Integer(number) => put_signed(out, *number),
        Value::Real(number) => out.extend(number.to_le_bytes()),
        Value::Text(text) => put_text(out, text),
    }
}

/// The names that a row has so far. Messages name the same ones in the same order, so that the next one is mostly the
/// one that followed the last time.
#[derive(Default)]
struct Names<'a> {
    met: Vec<&'a SensorName>,
    next: usize,
}

impl<'a> Names<'a> {
    fn put(&mut self, out: &mut Vec<u8>, name: &'a SensorName) {
        let is_here = |place: usize| self.met.get(place).is_some_and(|met| *met == name);
        let place = if is_here(self.next) {
            Some(self.next)
        } else if self.met.len() < LISTED_MAX {
            self.met.iter().position(|met| *met == name)
        } else {
            // Not searched among so many: then it is written once more.
            is_here(0).then_some(0)
        };
        if let Some(place) = place {
            put_count(out, place + 1);
            self.next = place + 1;
        } else {
            out.push(0);
            put_text(out, name.as_str());
            self.met.push(name);
            self.next = self.met.len();
        }
        if self.next == self.met.len() && place.is_some() {
            self.next = 0;
        }
    }
}

/// Reads a row, named by its last entry. What it says of whose messages they are is a number; the name is the ledger's.
/// `None` when it is not as it was written.
pub(super) fn read(last: i64, body: &[u8]) -> Option<Vec<Entry>> {
    let mut rest = Bytes::new(body);
    match rest.byte()? {
        entry_v1::VERSION => return Some(vec![entry_v1::read(last, body)?]),
        VERSION => {}
        _ => return None,
    }
    let count = rest.count(rest.len())?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let mut names: Vec<SensorName> = Vec::new();
    let (mut seq, mut at) = (0_i64, 0_i64);
    for _ in 0..count {
        seq = seq.wrapping_add(rest.signed()?);
        at = at.wrapping_add(rest.signed()?);
        let device = rest.signed()?;
        let heard = (0..rest.count(rest.len())?).map(|_| read_heard(&mut rest, at)).collect::<Option<_>>()?;
        let flags = rest.byte()?;
        let print = match flags & !PAST {
            0 => None,
            PRINT => Some(*rest.take(16)?.first_chunk()?),
            _ => return None,
        };
        let past = flags & PAST != 0;
        let mut created = None;
        let readings = (0..rest.count(rest.len())?)
            .map(|_| read_reading(&mut rest, &mut names, &mut created, at))
            .collect::<Option<_>>()?;
        entries.push(Entry { seq, at, past, device, device_id: None, heard, print, readings });
    }
    (rest.is_empty() && entries.last()?.seq == last).then_some(entries)
}

fn read_heard(rest: &mut Bytes<'_>, at: i64) -> Option<Heard> {
    let device = rest.signed()?;
    let heard = match rest.byte()? {
        NEVER => None,
        THEN => Some(at),
        ANOTHER => Some(at.wrapping_add(rest.signed()?)),
        _ => return None,
    };
    Some((device, heard))
}

fn read_reading(
    rest: &mut Bytes<'_>,
    names: &mut Vec<SensorName>,
    created: &mut Option<i64>,
    at: i64,
) -> Option<Reading> {
    let sensor = if let Some(place) = rest.count(names.len())?.checked_sub(1) {
        names.get(place)?.clone()
    } else {
        names.push(SensorName::from(rest.text()?));
        names.last()?.clone()
    };
    let kind = rest.byte()?;
    let here = match kind & (NEW_TIME | SAME_TIME) {
        0 => None,
        NEW_TIME => Some(at.wrapping_add(rest.signed()?)),
        SAME_TIME => Some((*created)?),
        _ => return None,
    };
    *created = here.or(*created);
    let value = match kind & !(NEW_TIME | SAME_TIME | IDLE) {
        GAP => Value::Gap(Gap),
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INTEGER => Value::Integer(rest.signed()?),
        REAL => Value::Real(f64::from_le_bytes(*rest.take(8)?.first_chunk()?)),
        TEXT => Value::Text(rest.text()?.to_owned()),
        _ => return None,
    };
    Some(Reading { sensor, value, created: here.map(Timestamp::from_micros), counts: kind & IDLE == 0 })
}

const VERSION: u8 = 2;

// Flags of an entry.
const PRINT: u8 = 1;
const PAST: u8 = 2;

// When a device was heard.
const NEVER: u8 = 0;
const THEN: u8 = 1;
const ANOTHER: u8 = 2;

// Kinds of values, and their marks: one that buckets leave out, one with a time of its own, one with that of the value before.
const GAP: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const REAL: u8 = 4;
const TEXT: u8 = 5;
const IDLE: u8 = 0x80;
const NEW_TIME: u8 = 0x40;
const SAME_TIME: u8 = 0x20;

/// Names of a row that are searched one by one.
const LISTED_MAX: usize = 256;

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
