//! What stored messages say, between the moment they are on disk and the moment it is in its places.
//!
//! A push touches the end of two tables and nothing else, so that its commit is small whatever the number of
//! devices; [`super::filing`] puts values, newest values, fingerprints and signs of life where readers look for
//! them, for many messages at once. After a crash the inbox is still there and is filed at the next opening.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::row;
use crate::model::{Reading, Seq, Timestamp, Value};
use crate::store::StoreError;

/// A message's fingerprint and whose it is.
pub(super) type Print = (i64, [u8; 16]);

/// A device and when it was heard.
pub(super) type Heard = (i64, Option<i64>);

/// The entries that wait, oldest first.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Vec<Entry>,
    prints: HashSet<Print>,
    /// How many of them were there before the transaction that runs.
    committed: usize,
    /// How many of them that transaction files.
    filed: usize,
    /// How many are committed and wait: readers look here whether they have to ask for filing.
    unfiled: Arc<AtomicUsize>,
}

/// A point within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    filed: usize,
}

/// One message's entry, as it lies on disk.
pub(super) struct Entry {
    pub(super) seq: i64,
    pub(super) body: Vec<u8>,
    print: Option<Print>,
}

/// What an entry says.
#[derive(Debug, PartialEq)]
pub(super) struct Said<'a> {
    pub(super) seq: i64,
    pub(super) at: i64,
    /// Whose message it is; 0 when it did not say.
    pub(super) device: i64,
    /// The same, by the name that the ledger keeps.
    pub(super) device_id: Option<&'a str>,
    /// Devices that gave a sign of life by it, and when.
    pub(super) heard: Vec<Heard>,
    pub(super) print: Option<[u8; 16]>,
    pub(super) readings: Vec<SaidReading<'a>>,
}

/// One value of an entry.
#[derive(Debug, PartialEq)]
pub(super) struct SaidReading<'a> {
    pub(super) sensor: &'a str,
    pub(super) created: Option<i64>,
    pub(super) counts: bool,
    pub(super) value: Value,
}

/// What is to be written of a message.
pub(super) struct News<'a> {
    pub(super) at: Timestamp,
    pub(super) device: i64,
    pub(super) device_id: Option<&'a str>,
    pub(super) heard: &'a [Heard],
    pub(super) print: Option<[u8; 16]>,
    pub(super) readings: &'a [Reading],
}

impl Inbox {
    /// Reads what an earlier run left.
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut inbox = Self::default();
        let mut query = db.prepare("SELECT seq, body FROM inbox ORDER BY seq")?;
        let mut rows = query.query([])?;
        while let Some(found) = rows.next()? {
            let mut entry = Entry { seq: found.get(0)?, body: found.get(1)?, print: None };
            let said = entry.said()?;
            entry.print = said.print.map(|print| (said.device, print));
            inbox.take(entry);
        }
        inbox.commit();
        Ok(inbox)
    }

    /// Where readers see whether something waits.
    pub(super) fn unfiled(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.unfiled)
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A point within the transaction, for [`Inbox::roll_back_to`].
    pub(super) fn mark(&self) -> Mark {
        Mark { length: self.waiting.len(), filed: self.filed }
    }

    /// Whether a message with this fingerprint waits.
    pub(super) fn has(&self, print: &Print) -> bool {
        self.prints.contains(print)
    }

    /// Writes a message's entry, within the transaction that stores the message.
    pub(super) fn put(&mut self, db: &Connection, seq: Seq, news: &News<'_>) -> Result<(), StoreError> {
        let body = encode(news);
        db.prepare_cached("INSERT INTO inbox (seq, body) VALUES (?, ?)")?.execute((seq.0, &body))?;
        self.take(Entry { seq: seq.0, body, print: news.print.map(|print| (news.device, print)) });
        Ok(())
    }

    fn take(&mut self, entry: Entry) {
        self.prints.extend(entry.print);
        self.waiting.push(entry);
    }

    /// The entries that are not filed yet, of this transaction too.
    pub(super) fn entries(&self) -> &[Entry] {
        self.waiting.get(self.filed..).unwrap_or_default()
    }

    /// Notes that the transaction that runs has filed all entries.
    pub(super) fn all_filed(&mut self) {
        self.filed = self.waiting.len();
    }

    /// The transaction is on disk.
    pub(super) fn commit(&mut self) {
        for entry in self.waiting.drain(..self.filed) {
            if let Some(print) = entry.print {
                self.prints.remove(&print);
            }
        }
        self.filed = 0;
        self.committed = self.waiting.len();
        self.unfiled.store(self.committed, Ordering::Release);
    }

    /// The transaction came to nothing.
    pub(super) fn roll_back(&mut self) {
        self.roll_back_to(Mark { length: self.committed, filed: 0 });
    }

    /// What the transaction did since the mark came to nothing.
    pub(super) fn roll_back_to(&mut self, mark: Mark) {
        self.filed = mark.filed;
        for entry in self.waiting.drain(mark.length.min(self.waiting.len())..) {
            if let Some(print) = entry.print {
                self.prints.remove(&print);
            }
        }
    }
}

impl Entry {
    /// Reads what the entry says.
    pub(super) fn said(&self) -> Result<Said<'_>, StoreError> {
        decode(self.seq, &self.body)
            .ok_or_else(|| StoreError::Failed(format!("the inbox entry of message {} is damaged", self.seq)))
    }
}

/// A version byte, time, device, devices heard, fingerprint, readings; numbers little-endian.
fn encode(news: &News<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + 40 * news.readings.len());
    body.push(VERSION);
    body.extend(news.at.micros().to_le_bytes());
    body.extend(news.device.to_le_bytes());
    put_list(&mut body, news.device_id.as_slice(), |body, id| put_bytes(body, id.as_bytes()));
    put_list(&mut body, news.heard, |body, (key, at)| {
        body.extend(key.to_le_bytes());
        put_list(body, at.as_slice(), |body, at| body.extend(at.to_le_bytes()));
    });
    put_list(&mut body, news.print.as_slice(), |body, print| body.extend(print));
    put_list(&mut body, news.readings, |body, reading| {
        put_bytes(body, reading.sensor.as_bytes());
        put_list(body, reading.created.as_slice(), |body, at| body.extend(at.micros().to_le_bytes()));
        let (kind, value) = row::columns(&reading.value);
        body.push(if reading.counts { kind } else { kind | IDLE });
        match value {
            ValueRef::Null => body.push(NULL),
            ValueRef::Integer(number) => {
                body.push(INTEGER);
                body.extend(number.to_le_bytes());
            }
            ValueRef::Real(number) => {
                body.push(REAL);
                body.extend(number.to_le_bytes());
            }
            ValueRef::Text(text) | ValueRef::Blob(text) => {
                body.push(TEXT);
                put_bytes(body, text);
            }
        }
    });
    body
}

fn put_list<T>(body: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    // A message has a few hundred values at most (`core::telemetry::Limits`).
    let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
    body.extend(count.to_le_bytes());
    items.iter().take(usize::from(count)).for_each(|item| put(body, item));
}

fn put_bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    body.extend(length.to_le_bytes());
    body.extend(bytes.iter().take(length as usize));
}

fn decode(seq: i64, body: &[u8]) -> Option<Said<'_>> {
    let mut rest = body;
    if byte(&mut rest)? != VERSION {
        return None;
    }
    let at = number(&mut rest)?;
    let device = number(&mut rest)?;
    let device_id = list(&mut rest, text)?.pop();
    let heard = list(&mut rest, |rest| Some((number(rest)?, list(rest, number)?.pop())))?;
    let print = list(&mut rest, chunk::<16>)?.pop();
    let readings = list(&mut rest, |rest| {
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
        Some(SaidReading { sensor, created, counts: kind & IDLE == 0, value })
    })?;
    rest.is_empty().then_some(Said { seq, at, device, device_id, heard, print, readings })
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

const VERSION: u8 = 1;
/// The mark, beside a value's kind, of one that buckets leave out.
const IDLE: u8 = 0x80;
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Gap;

    #[test]
    fn an_entry_says_what_was_put_into_it() {
        let reading =
            |sensor: &str, value, created| Reading { sensor: sensor.into(), value, created, counts: true };
        let readings = [
            reading("a", Value::Integer(-7), Some(Timestamp::from_micros(5))),
            reading("b.c", Value::Real(0.1), None),
            reading("ä", Value::Text("käse".into()), None),
            reading("d", Value::Bool(true), None),
            reading("e", Value::Gap(Gap), None),
        ];
        let news = News {
            at: Timestamp::from_micros(9),
            device: 3,
            device_id: Some("d"),
            heard: &[(2, None), (3, Some(9))],
            print: Some([7; 16]),
            readings: &readings,
        };
        let body = encode(&news);
        let said = decode(1, &body).unwrap();
        assert_eq!(said.device_id, Some("d"));
        assert_eq!(
            (said.at, said.device, said.heard, said.print),
            (9, 3, vec![(2, None), (3, Some(9))], Some([7; 16]))
        );
        let values: Vec<_> =
            said.readings.iter().map(|reading| (reading.sensor, reading.counts, &reading.value)).collect();
        let put: Vec<_> = readings
            .iter()
            .map(|reading| (reading.sensor.as_str(), reading.counts, &reading.value))
            .collect();
        assert_eq!(values, put);
        assert_eq!(said.readings[0].created, Some(5));
    }

    #[test]
    fn a_damaged_entry_is_found() {
        let news = News {
            at: Timestamp::from_micros(9),
            device: 3,
            device_id: None,
            heard: &[],
            print: None,
            readings: &[],
        };
        let body = encode(&news);
        for end in 0..body.len() {
            assert_eq!(decode(1, &body[..end]), None, "{end}");
        }
        assert_eq!(decode(1, &[&body[..], b"x"].concat()), None);
    }
}
