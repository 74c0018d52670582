//! Reads of what devices measured.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{pages, prune};
use crate::model::{Datum, DeviceId, Timestamp};
use crate::store::history::damaged;
use crate::store::history::listing::Listing;
use crate::store::history::newest;
use crate::store::history::page::Page;
use crate::store::history::quarters::Quarters;
use crate::store::history::sums::Sums;
use crate::store::history::tally::{Summary, Tally};
use crate::store::{Bucket, BucketFilter, Bulk, DataFilter, StoreError};

/// A page of values: one device's out of its pages, those of all devices by stretches of the ledger, so that both come
/// in its order.
pub(super) fn data(db: &Connection, filter: &DataFilter) -> Result<Vec<(DeviceId, Datum)>, StoreError> {
    let pruned = prune::mark(db, Bulk::Readings)?.0;
    let mut listing = Listing::new(filter, pruned);
    let mut left = listing.entries();
    if let Some(few) = filter.whose.few() {
        for id in few {
            if let Some(key) = key(db, id)? {
                let mut own = Listing::new(filter, pruned);
                take(db, filter, &mut own, (id, key), left, true)?;
                listing.absorb(own);
            }
        }
        return Ok(listing.finish());
    }
    let Some(extent) = extent(db, filter, listing.times())? else { return Ok(Vec::new()) };
    left = (left.0.max(extent.0), left.1.min(extent.1));
    let mut seen = 0;
    while left.0 <= left.1 && !listing.is_full() {
        let Stretch { end, count, devices } = stretch(db, filter, left, listing.stretch(seen))?;
        let Some(end) = end else { break };
        seen += count;
        let now = if filter.newest_first { (end, left.1) } else { (left.0, end) };
        for (key, id) in devices.iter().filter(|(_, id)| filter.whose.holds(id)) {
            take(db, filter, &mut listing, (id, *key), now, false)?;
        }
        left = if filter.newest_first { (left.0, end - 1) } else { (end.saturating_add(1), left.1) };
    }
    Ok(listing.finish())
}

/// The first and the last entry that values of some times can be of; `None` when there are none. Without times it is
/// not worth a look.
fn extent(
    db: &Connection,
    filter: &DataFilter,
    (from, to): (i64, i64),
) -> Result<Option<(i64, i64)>, StoreError> {
    if filter.from.is_none() && filter.to.is_none() {
        return Ok(Some((i64::MIN, i64::MAX)));
    }
    // Of the table alone, without the long columns that follow.
    let mut query =
        db.prepare_cached("SELECT min(first), max(last) FROM page WHERE to_us >= ?1 AND from_us < ?2")?;
    let found = query.query_row((from, to), |found| Ok((found.get(0)?, found.get(1)?)))?;
    Ok(if let (Some(first), Some(last)) = found { Some((first, last)) } else { None })
}

/// The newest value of every sensor of a device.
pub(super) fn latest(db: &Connection, id: &DeviceId) -> Result<Vec<Datum>, StoreError> {
    match key(db, id)? {
        Some(key) => Ok(newest::list(&pages::newest(db, key)?)),
        None => Ok(Vec::new()),
    }
}

/// The numbers of a device in buckets of time.
pub(super) fn buckets(db: &Connection, filter: &BucketFilter) -> Result<Vec<Bucket>, StoreError> {
    let mut tally = Tally::new(filter);
    let Some(key) = key(db, &filter.device)? else { return Ok(Vec::new()) };
    let pruned = prune::mark(db, Bulk::Readings)?.0;
    let summary = tally.summary();
    let sums = match summary {
        Some(Summary::Hours) => "hours",
        Some(Summary::Minutes) => "minutes",
        None => "NULL",
    };
    let mut query = db.prepare_cached(&format!(
        "SELECT last, CASE WHEN first > ?2 THEN {sums} END, CASE WHEN first > ?2 AND {sums} IS NOT NULL THEN NULL
            ELSE body END
         FROM page WHERE device = ?1 AND last > ?2 AND to_us >= ?3 AND from_us <= ?4 ORDER BY first"
    ))?;
    let (from, to) = tally.arrivals();
    let mut found = query.query((key, pruned, from, to))?;
    while let Some(row) = found.next()? {
        let wrong = || row.get(0).map_or_else(StoreError::from, |last| damaged(filter.device.as_str(), last));
        if let (Some(summary), Some(sums)) = (summary, blob(row, 1)?) {
            let wants = |sensor: &str| tally.wants(sensor);
            let sums = Sums::decode(sums, summary.length_us(), wants).ok_or_else(wrong)?;
            tally.take(&sums);
        } else if let Some(body) = blob(row, 2)? {
            let page = Page::decode(body, |sensor| tally.wants(sensor)).ok_or_else(wrong)?;
            tally.take_page(&page, pruned);
        }
    }
    Ok(tally.buckets())
}

/// In which quarters of an hour values of a device arrived.
pub(super) fn quarters(db: &Connection, id: &DeviceId) -> Result<Vec<Timestamp>, StoreError> {
    let mut quarters = Quarters::default();
    let Some(key) = key(db, id)? else { return Ok(Vec::new()) };
    let pruned = prune::mark(db, Bulk::Readings)?.0;
    let mut query = db.prepare_cached("SELECT last, body FROM page WHERE device = ?1 AND last > ?2")?;
    let mut found = query.query((key, pruned))?;
    while let Some(row) = found.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let last = row.get(0)?;
        quarters.take(body, pruned).ok_or_else(|| damaged(id.as_str(), last))?;
    }
    Ok(quarters.list())
}

/// Adds a device's values to a list: those of the entries of a stretch, or, if nothing else is added, as many of them as
/// it takes.
fn take(
    db: &Connection,
    filter: &DataFilter,
    listing: &mut Listing<'_, DeviceId>,
    (id, key): (&DeviceId, i64),
    stretch: (i64, i64),
    alone: bool,
) -> Result<(), StoreError> {
    let order = if filter.newest_first { "DESC" } else { "ASC" };
    // The page that the stretch begins in is the last one that begins before it.
    let mut query = db.prepare_cached(&format!(
        "SELECT last, first, body FROM page WHERE device = ?1 AND first <= ?3 AND last >= ?2
         AND first >= coalesce((SELECT max(first) FROM page WHERE device = ?1 AND first <= ?2), ?2)
         AND to_us >= ?4 AND from_us < ?5 ORDER BY first {order}",
    ))?;
    let (from, to) = listing.times();
    let mut found = query.query((key, stretch.0, stretch.1, from, to))?;
    let mut beside = None;
    while let Some(row) = found.next()? {
        let (last, first): (i64, i64) = (row.get(0)?, row.get(1)?);
        let page = blob(row, 2)?.and_then(|body| Page::decode(body, |sensor| listing.wants(sensor)));
        let page = page.ok_or_else(|| damaged(id.as_str(), last))?;
        if listing.needs_newest(first) && beside.is_none() {
            beside = Some(pages::newest(db, key)?);
        }
        let newest = beside.as_ref().filter(|_| listing.needs_newest(first));
        listing.take(id, &page, newest, stretch);
        if alone && listing.is_full() {
            break;
        }
    }
    Ok(())
}

/// A stretch of the ledger.
struct Stretch {
    /// Where it ends; `None` when nothing is left.
    end: Option<i64>,
    /// How many messages it has.
    count: u32,
    /// Whose they are.
    devices: BTreeMap<i64, DeviceId>,
}

/// The next stretch of what is left of the ledger.
fn stretch(db: &Connection, filter: &DataFilter, left: (i64, i64), most: u32) -> Result<Stretch, StoreError> {
    let order = if filter.newest_first { "DESC" } else { "ASC" };
    let mut query = db.prepare_cached(&format!(
        "SELECT m.seq, d.key, d.id FROM message m LEFT JOIN device d ON d.id = m.device_id
         WHERE m.seq >= ? AND m.seq <= ? ORDER BY m.seq {order} LIMIT ?",
    ))?;
    let mut found = query.query((left.0, left.1, most))?;
    let (mut end, mut count, mut seen, mut devices) = (None, 0, BTreeSet::new(), BTreeMap::new());
    while let Some(row) = found.next()? {
        (end, count) = (Some(row.get(0)?), count + 1);
        if let Some(key) = row.get::<_, Option<i64>>(1)?
            && seen.insert(key)
        {
            devices.insert(key, DeviceId::new(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?));
        }
    }
    Ok(Stretch { end, count, devices })
}

fn key(db: &Connection, id: &DeviceId) -> Result<Option<i64>, StoreError> {
    let mut query = db.prepare_cached("SELECT key FROM device WHERE id = ?")?;
    Ok(query.query_row([id.as_str()], |found| found.get(0)).optional()?)
}

fn blob<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r [u8]>, StoreError> {
    row.get_ref(at)?.as_blob_or_null().map_err(|error| rusqlite::Error::from(error).into())
}
