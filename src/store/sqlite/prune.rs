//! Removing what is old, and weighing what is there.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::audit_log;
use super::pages::{self, WEIGHT};
use super::prints::Prints;
use super::read_people;
use crate::model::{Seq, Timestamp};
use crate::store::StoreError;
use crate::store::prune::{self, Bulk, PAGE_BYTES, Place, Prune, Pruned, Weight};

/// Does one piece of work.
pub(super) fn apply(db: &Connection, prints: &mut Prints, work: &Prune) -> Result<Pruned, StoreError> {
    match work {
        Prune::Entries { what, below, limit, bytes } => {
            entries(db, *what, *below, *limit, bytes.unwrap_or(u64::MAX))
        }
        Prune::Fingerprints { below, after, limit } => {
            let mut pruned = fingerprints(db, *below, after.as_ref(), *limit)?;
            if after.is_none() {
                pruned.rows += prints.prune(db, below.0)?;
            }
            Ok(pruned)
        }
        Prune::Commands { before, limit } => commands(db, *before, *limit),
        Prune::Audit { before, limit } => audit_log::prune(db, *before, *limit),
    }
}

/// Whether the work is on what messages said. What still waits to be filed would come behind it and stay.
pub(super) const fn concerns_filed(work: &Prune) -> bool {
    match work {
        Prune::Entries { what: Bulk::Readings, .. } | Prune::Fingerprints { .. } => true,
        Prune::Entries { what: Bulk::Raw, .. } | Prune::Commands { .. } | Prune::Audit { .. } => false,
    }
}

/// The last entry whose part was pruned.
pub(super) fn mark(db: &Connection, what: Bulk) -> Result<Seq, StoreError> {
    Ok(prune::mark(read_people::note(db, what.note())?.as_deref()))
}

/// The first entry at or after a time; the one after the last when there is none. Halves the ledger, whose
/// times grow but for steps of the clock.
pub(super) fn first_since(db: &Connection, at: Timestamp) -> Result<Seq, StoreError> {
    let mut time = db.prepare_cached("SELECT seq, at_us FROM message WHERE seq >= ? ORDER BY seq LIMIT 1")?;
    let last: i64 = db
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM message")?
        .query_row([], |found| found.get(0))?;
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = time.query_row([middle], |found| Ok((found.get(0)?, found.get(1)?))).optional()?;
        match found {
            Some((seq, micros)) if at.micros() > micros => low = std::cmp::max(seq, middle) + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(Seq(low))
}

/// What a stretch of the ledger holds; a page belongs where it ends.
pub(super) fn weigh(db: &Connection, what: Bulk, after: Seq, limit: u32) -> Result<Weight, StoreError> {
    let sizes = match what {
        Bulk::Raw => {
            "SELECT sum(length(raw)) FROM message WHERE seq > ?1 AND seq <= ?2 AND ?3 > 0".to_owned()
        }
        Bulk::Readings => format!("SELECT sum({WEIGHT}) FROM page WHERE last > ?1 AND last <= ?2"),
    };
    let upto: Option<i64> = db
        .prepare_cached("SELECT max(seq) FROM (SELECT seq FROM message WHERE seq > ? ORDER BY seq LIMIT ?)")?
        .query_row((after.0, limit), |found| found.get(0))?;
    let bytes: Option<i64> = db
        .prepare_cached(&sizes)?
        .query_row((after.0, upto.unwrap_or(after.0), PAGE_BYTES), |found| found.get(0))?;
    Ok(Weight { upto: upto.map(Seq), bytes: positive(bytes.unwrap_or(0)) })
}

fn entries(db: &Connection, what: Bulk, below: Seq, limit: u32, enough: u64) -> Result<Pruned, StoreError> {
    let first = mark(db, what)?.0 + 1;
    let last = (below.0 - 1).min(first + i64::from(limit) - 1);
    if last < first {
        return Ok(Pruned::default());
    }
    let (mut pruned, last) = match what {
        Bulk::Raw => empty(db, first, last, enough)?,
        Bulk::Readings => pages::remove(db, first, last, enough)?,
    };
    db.prepare_cached(
        "INSERT INTO note (name, body) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = ?2",
    )?
    .execute((what.note(), last.to_string().into_bytes()))?;
    pruned.more = last < below.0 - 1;
    pruned.stretch = Some((Seq(first - 1), Seq(last)));
    Ok(pruned)
}

/// Takes the bytes of some entries; answers the last one it came to.
fn empty(db: &Connection, first: i64, last: i64, enough: u64) -> Result<(Pruned, i64), StoreError> {
    let mut sizes = db.prepare_cached(
        "SELECT seq, coalesce(length(raw), 0) FROM message WHERE seq BETWEEN ? AND ? ORDER BY seq",
    )?;
    let mut sizes = sizes.query((first, last))?;
    let (mut bytes, mut upto) = (0, last);
    while let Some(found) = sizes.next()? {
        bytes += positive(found.get(1)?);
        if bytes >= enough {
            upto = found.get(0)?;
            break;
        }
    }
    let rows = db
        .prepare_cached("SELECT count(*) FROM message WHERE seq BETWEEN ? AND ? AND raw IS NOT NULL")?
        .query_row((first, upto), |found| found.get(0))?;
    let rows = positive(rows);
    if bytes < rows * LARGE {
        rewrite(db, first, upto)?;
    } else {
        db.prepare_cached(
            "UPDATE message SET size = length(raw), raw = NULL WHERE seq BETWEEN ? AND ? AND raw IS NOT NULL",
        )?
        .execute((first, upto))?;
    }
    Ok((Pruned { rows, bytes, ..Pruned::default() }, upto))
}

/// Writes entries anew without their bytes. A row that only shrinks leaves its page half empty for ever, for
/// the ledger grows at its end; pages whose rows are removed are free, and what comes back takes fewer of them.
fn rewrite(db: &Connection, first: i64, upto: i64) -> Result<(), StoreError> {
    let mut entries = db.prepare_cached(&format!(
        "SELECT {KEPT}, length(raw) FROM message WHERE seq BETWEEN ? AND ? AND raw IS NOT NULL ORDER BY seq"
    ))?;
    let mut kept: Vec<Vec<Value>> = Vec::new();
    let mut found = entries.query((first, upto))?;
    while let Some(row) = found.next()? {
        kept.push((0..=KEPT_COUNT).map(|column| row.get(column)).collect::<Result<_, _>>()?);
    }
    db.prepare_cached("DELETE FROM message WHERE seq BETWEEN ? AND ? AND raw IS NOT NULL")?
        .execute((first, upto))?;
    let mut again = db.prepare_cached(&format!(
        "INSERT INTO message ({KEPT}, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))?;
    for entry in kept {
        again.execute(params_from_iter(entry))?;
    }
    Ok(())
}

fn fingerprints(
    db: &Connection,
    below: Seq,
    after: Option<&Place>,
    limit: u32,
) -> Result<Pruned, StoreError> {
    let (device, start) = after.map_or(Ok((i64::MIN, Vec::new())), read_place)?;
    let mut walk = db.prepare_cached(
        "SELECT device, fingerprint, seq FROM fingerprint WHERE (device, fingerprint) > (?, ?)
         ORDER BY device, fingerprint LIMIT ?",
    )?;
    let found = walk.query_map((device, start, limit), |found| {
        Ok((found.get::<_, i64>(0)?, found.get::<_, Vec<u8>>(1)?, found.get::<_, i64>(2)?))
    })?;
    let found: Vec<_> = found.collect::<Result<_, _>>()?;
    let mut remove = db.prepare_cached("DELETE FROM fingerprint WHERE device = ? AND fingerprint = ?")?;
    let mut pruned = Pruned::default();
    for (device, fingerprint, seq) in &found {
        if *seq < below.0 {
            pruned.rows += remove.execute((device, fingerprint))? as u64;
        }
    }
    pruned.more = found.len() as u64 >= u64::from(limit);
    if let (true, Some((device, fingerprint, _))) = (pruned.more, found.last()) {
        pruned.place = Some(place(*device, fingerprint));
    }
    Ok(pruned)
}

fn commands(db: &Connection, before: Timestamp, limit: u32) -> Result<Pruned, StoreError> {
    // Keys grow with time: what can go is at the front, behind a few that wait long.
    let rows = db
        .prepare_cached(
            "DELETE FROM command WHERE key IN (SELECT key FROM (SELECT key, state, created_us, hold_until_us FROM command
                ORDER BY key LIMIT ?3) WHERE created_us < ?1 AND state <> 'queued'
                AND (state <> 'sent' OR hold_until_us IS NULL) LIMIT ?2)",
        )?
        .execute((before.micros(), limit, i64::from(limit) + OPEN_AT_FRONT))?;
    Ok(Pruned { rows: rows as u64, more: rows as u64 >= u64::from(limit), ..Pruned::default() })
}

/// What an entry keeps: every column but its bytes and their size.
const KEPT: &str =
    "seq, at_us, device_id, family, address, name, direction, verdict, peer, digest, hash, hmac";
const KEPT_COUNT: usize = 12;

/// Bodies of this size on average lie in pages of their own, which are free without more ado.
const LARGE: u64 = 1024;

/// Commands at the front of the queue that may still be open.
const OPEN_AT_FRONT: i64 = 1000;

fn place(device: i64, fingerprint: &[u8]) -> Place {
    Place([&device.to_be_bytes(), fingerprint].concat().into())
}

fn read_place(place: &Place) -> Result<(i64, Vec<u8>), StoreError> {
    let (device, fingerprint) = place
        .0
        .split_first_chunk()
        .ok_or_else(|| StoreError::Failed("a place in a walk that is none".to_owned()))?;
    Ok((i64::from_be_bytes(*device), fingerprint.to_vec()))
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
