//! Reads of the ledger.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{own, row};
use crate::model::{Direction, HmacCheck, MessageRecord, Seq, Timestamp, Verdict};
use crate::store::ledger::{self, Entry, GENESIS, Link};
use crate::store::{LedgerPage, MessageFilter, StoreError};

/// A page of messages, newest first.
pub(super) fn page(db: &Connection, filter: &MessageFilter) -> Result<Vec<MessageRecord>, StoreError> {
    let before = filter.before.map_or(i64::MAX, |seq| seq.0);
    let Some(device) = &filter.device else {
        return chosen(db, filter, "m.seq < ?1", before, filter.limit);
    };
    let mut messages = Vec::new();
    if filter.limit > 0 {
        own::walk(db, device.as_str(), before, |seq| {
            messages.extend(chosen(db, filter, "m.seq = ?1", seq, 1)?);
            Ok(messages.len() < filter.limit as usize)
        })?;
    }
    Ok(messages)
}

/// Those of some messages that the filter lets through.
fn chosen(
    db: &Connection,
    filter: &MessageFilter,
    which: &str,
    seq: i64,
    limit: u32,
) -> Result<Vec<MessageRecord>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "{MESSAGES} FROM message m {NAMES} WHERE {which}
         AND (?2 IS NULL OR m.verdict = ?2) AND (?3 IS NULL OR m.direction = ?3)
         AND (?4 IS NULL OR m.at_us >= ?4) AND (?5 IS NULL OR m.at_us < ?5)
         ORDER BY m.seq DESC LIMIT ?6"
    ))?;
    let messages = query.query_map(
        (
            seq,
            filter.verdict.map(Verdict::as_str),
            filter.direction.map(Direction::as_str),
            filter.from.map(Timestamp::micros),
            filter.to.map(Timestamp::micros),
            limit,
        ),
        message,
    )?;
    Ok(messages.collect::<Result<_, _>>()?)
}

/// Messages behind an entry, the oldest first.
pub(super) fn after(db: &Connection, entry: Seq, limit: u32) -> Result<Vec<MessageRecord>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "{MESSAGES} FROM message m {NAMES} WHERE m.seq > ? ORDER BY m.seq LIMIT ?"
    ))?;
    let messages = query.query_map((entry.0, limit), message)?;
    Ok(messages.collect::<Result<_, _>>()?)
}

/// One message.
pub(super) fn one(db: &Connection, seq: Seq) -> Result<Option<MessageRecord>, StoreError> {
    let found = db
        .prepare_cached(&format!("{MESSAGES} FROM message m {NAMES} WHERE m.seq = ?"))?
        .query_row([seq.0], message)
        .optional()?;
    Ok(found)
}

/// A stretch of the ledger with hashes, oldest first.
pub(super) fn ledger(db: &Connection, from: Seq, limit: u32) -> Result<LedgerPage, StoreError> {
    let before = db
        .prepare_cached("SELECT hash FROM message WHERE seq < ? ORDER BY seq DESC LIMIT 1")?
        .query_row([from.0], |found| found.get::<_, [u8; 32]>(0))
        .optional()?;
    let mut previous = before.unwrap_or(GENESIS);
    let mut query = db.prepare_cached(
        "SELECT seq, at_us, family, address, direction, verdict, peer, raw, digest, hash FROM message
         WHERE seq >= ? ORDER BY seq LIMIT ?",
    )?;
    let mut rows = query.query((from.0, limit))?;
    let mut entries = Vec::new();
    while let Some(found) = rows.next()? {
        let entry = entry(found, &previous)?;
        previous = entry.hash;
        entries.push(entry);
    }
    Ok(LedgerPage { entries })
}

fn entry(found: &Row<'_>, previous: &[u8; 32]) -> rusqlite::Result<Entry> {
    let digest = found.get(8)?;
    let link = Link {
        seq: Seq(found.get(0)?),
        at: row::time(found, 1)?,
        family: found.get_ref(2)?.as_str()?,
        address: found.get_ref(3)?.as_str()?,
        direction: row::word(found, 4, Direction::parse)?,
        verdict: row::word(found, 5, Verdict::parse)?,
        peer: found.get_ref(6)?.as_str()?,
        digest,
    };
    let raw = found.get_ref(7)?.as_blob_or_null()?;
    Ok(Entry {
        seq: link.seq,
        hash: found.get(9)?,
        digest,
        computed: raw.map(ledger::digest),
        expected: link.hash(previous),
    })
}

fn message(found: &Row<'_>) -> rusqlite::Result<MessageRecord> {
    let known: Option<&str> = found.get_ref(2)?.as_str_or_null()?;
    let device = known.map(|_| row::names(found, 2)).transpose()?;
    let raw = found.get_ref(9)?.as_blob_or_null()?;
    let pruned_size: Option<u32> = found.get(11)?;
    let size = raw.map_or(pruned_size.unwrap_or_default() as usize, <[u8]>::len);
    let hmac =
        found.get_ref(10)?.as_str_or_null()?.map(|_| row::word(found, 10, HmacCheck::parse)).transpose()?;
    Ok(MessageRecord {
        seq: Seq(found.get(0)?),
        at: row::time(found, 1)?,
        device,
        direction: row::word(found, 6, Direction::parse)?,
        verdict: row::word(found, 7, Verdict::parse)?,
        hmac,
        peer: found.get(8)?,
        raw: raw.map(<[u8]>::to_vec).unwrap_or_default().into(),
        size,
        pruned: raw.is_none(),
    })
}

/// Names are the device's of today; a forgotten one keeps those of its message.
const MESSAGES: &str = "SELECT m.seq, m.at_us, m.device_id, m.family, m.address, coalesce(d.name, m.name), \
     m.direction, m.verdict, m.peer, m.raw, m.hmac, m.size";
const NAMES: &str = "LEFT JOIN device d ON d.id = m.device_id";
