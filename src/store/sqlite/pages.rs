//! Pages of what devices measured: writing them, making large ones of small ones, removing old ones.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};

use crate::store::StoreError;
use crate::store::history::merge::{self, FULL, Packed, Packer};
use crate::store::history::page::Page;
use crate::store::history::{damaged, newest};
use crate::store::prune::{PAGE_BYTES, Pruned};

/// Writes a page.
pub(super) fn insert(db: &Connection, device: i64, page: &Packed) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO page (last, device, first, from_us, to_us, level, hours, minutes, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute((
        page.last,
        device,
        page.first,
        page.from_us,
        page.to_us,
        page.level,
        &page.hours,
        &page.minutes,
        &page.body,
    ))?;
    Ok(())
}

/// The newest value of every sensor of a device.
pub(super) fn newest(db: &Connection, device: i64) -> Result<Page, StoreError> {
    let body: Option<Vec<u8>> = db
        .prepare_cached("SELECT body FROM newest WHERE device = ?")?
        .query_row([device], |found| found.get(0))
        .optional()?;
    match body {
        Some(body) => Page::decode(&body, |_| true)
            .ok_or_else(|| StoreError::Failed(format!("the newest values of device {device} are damaged"))),
        None => Ok(Page::default()),
    }
}

/// Keeps them.
pub(super) fn keep_newest(db: &Connection, device: i64, newest: &Page) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT INTO newest (device, body) VALUES (?1, ?2) ON CONFLICT (device) DO UPDATE SET body = ?2",
    )?
    .execute((device, newest.encode()))?;
    Ok(())
}

/// Makes large pages of a device's small ones, if enough of them came together.
pub(super) fn merge(db: &Connection, device: i64) -> Result<(), StoreError> {
    let mut levels =
        db.prepare_cached("SELECT first, level FROM page WHERE device = ? ORDER BY first DESC")?;
    let mut found = levels.query([device])?;
    let mut tail: Vec<(i64, u8)> = Vec::new();
    while let Some(row) = found.next()? {
        let (first, level) = (row.get(0)?, row.get(1)?);
        if level == FULL {
            break;
        }
        tail.push((first, level));
    }
    tail.reverse();
    let levels: Vec<u8> = tail.iter().map(|(_, level)| *level).collect();
    let Some((from, level)) = merge::due(&levels) else { return Ok(()) };
    let Some((first, _)) = tail.get(from) else { return Ok(()) };
    let mut packer = Packer::new(level);
    let mut bodies =
        db.prepare_cached("SELECT last, body FROM page WHERE device = ? AND first >= ? ORDER BY first")?;
    let mut found = bodies.query((device, first))?;
    while let Some(row) = found.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let Some(page) = Page::decode(body, |_| true) else {
            // Nothing is merged over it: whoever reads it is told, and the rest stays readable.
            tracing::error!("{}", damaged(&format!("device {device}"), row.get(0)?));
            return Ok(());
        };
        packer.take(page, body.len());
    }
    db.prepare_cached("DELETE FROM page WHERE device = ? AND first >= ?")?.execute((device, first))?;
    packer.finish().iter().try_for_each(|page| insert(db, device, page))
}

/// Removes the pages whose last entry is from `first` to `last`, but for newest values; ends with the page that makes
/// it `enough` bytes. Answers the entry it came to.
pub(super) fn remove(
    db: &Connection,
    first: i64,
    last: i64,
    enough: u64,
) -> Result<(Pruned, i64), StoreError> {
    let mut sizes = db.prepare_cached(&format!(
        "SELECT last, device, {WEIGHT} FROM page WHERE last BETWEEN ?1 AND ?2 ORDER BY last"
    ))?;
    let mut found = sizes.query((first, last, PAGE_BYTES))?;
    let (mut devices, mut bytes, mut upto) = (BTreeSet::new(), 0, last);
    while let Some(row) = found.next()? {
        devices.insert(row.get::<_, i64>(1)?);
        bytes += positive(row.get(2)?);
        if bytes >= enough {
            upto = row.get(0)?;
            break;
        }
    }
    let mut pruned = Pruned::default();
    for device in devices {
        remove_of(db, device, upto, &mut pruned)?;
    }
    Ok((pruned, upto))
}

/// Removes a device's pages up to an entry, those too that were left for a value that is not the newest any more.
fn remove_of(db: &Connection, device: i64, upto: i64, pruned: &mut Pruned) -> Result<(), StoreError> {
    let newest = newest(db, device)?;
    let mut old = db.prepare_cached(&format!(
        "SELECT last, first, body, {WEIGHT} FROM page WHERE device = ?1 AND first <= ?2 AND last <= ?2 ORDER BY first"
    ))?;
    let mut found = old.query((device, upto, PAGE_BYTES))?;
    let mut work: Vec<(i64, Option<Packed>)> = Vec::new();
    while let Some(row) = found.next()? {
        let (last, first): (i64, i64) = (row.get(0)?, row.get(1)?);
        let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let mut left = None;
        if newest.messages.iter().any(|head| (first..=last).contains(&head.seq)) {
            let page =
                Page::decode(body, |_| true).ok_or_else(|| damaged(&format!("device {device}"), last))?;
            left = newest::kept(&page, &newest).and_then(|left| Packed::small(&left));
        }
        if left.as_ref().is_some_and(|left| left.body == body) {
            continue;
        }
        pruned.rows += 1;
        pruned.bytes += positive(row.get(3)?);
        work.push((last, left));
    }
    for (last, left) in work {
        db.prepare_cached("DELETE FROM page WHERE last = ?")?.execute([last])?;
        if let Some(left) = left {
            pruned.bytes = pruned.bytes.saturating_sub(u64::from(PAGE_BYTES) + left.bytes() as u64);
            insert(db, device, &Packed { level: FULL, ..left })?;
        }
    }
    Ok(())
}

/// The last entry of the first page that is not as it was written.
pub(super) fn first_damaged(db: &Connection) -> Result<Option<i64>, StoreError> {
    // A copy of an earlier schema has no pages yet.
    if !db.table_exists(None, "page")? {
        return Ok(None);
    }
    let mut query = db.prepare("SELECT last, body FROM page ORDER BY last")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        // Its sum covers every column of it.
        if Page::decode(body, |_| false).is_none() {
            return Ok(Some(row.get(0)?));
        }
    }
    Ok(None)
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What a page weighs; the third parameter is what it takes beside its bytes.
pub(super) const WEIGHT: &str =
    "?3 + length(body) + coalesce(length(minutes), 0) + coalesce(length(hours), 0)";
