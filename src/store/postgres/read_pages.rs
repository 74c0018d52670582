//! Reads of what devices measured: a few pages at a time. Between two statements pages may be merged, which moves no
//! value behind the place that was reached.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use super::reader::{PostgresReader, Query};
use super::rows;
use crate::model::{Datum, DeviceId, Timestamp};
use crate::store::history::damaged;
use crate::store::history::listing::Listing;
use crate::store::history::newest;
use crate::store::history::page::Page;
use crate::store::history::quarters::Quarters;
use crate::store::history::sums::Sums;
use crate::store::history::tally::{Summary, Tally};
use crate::store::prune::mark;
use crate::store::{Bucket, BucketFilter, Bulk, DataFilter, StoreError};

/// A page of values: one device's out of its pages, those of all devices by stretches of the ledger, so that both come
/// in its order.
pub(super) async fn data(
    reader: &PostgresReader,
    filter: DataFilter,
) -> Result<Vec<(DeviceId, Datum)>, StoreError> {
    let pruned = pruned(reader).await?;
    let mut listing = Listing::new(&filter, pruned);
    if let Some(few) = filter.whose.few() {
        for id in few {
            let mut own = Listing::new(&filter, pruned);
            all_of(reader, &filter, &mut own, id).await?;
            listing.absorb(own);
        }
        return Ok(listing.finish());
    }
    let Some(extent) = extent(reader, &filter, listing.times()).await? else { return Ok(Vec::new()) };
    let mut left = listing.entries();
    left = (left.0.max(extent.0), left.1.min(extent.1));
    let mut seen = 0;
    while left.0 <= left.1 && !listing.is_full() {
        let found = stretch(reader, &filter, left, listing.stretch(seen)).await?;
        let Some((end, count, devices)) = found else { break };
        seen += count;
        let now = if filter.newest_first { (end, left.1) } else { (left.0, end) };
        for devices in devices.chunks(DEVICES) {
            take(reader, &filter, &mut listing, devices, now, i64::MAX).await?;
        }
        left = onward(&filter, left, end);
    }
    Ok(listing.finish())
}

/// Adds as many values of a device as the list takes.
async fn all_of(
    reader: &PostgresReader,
    filter: &DataFilter,
    listing: &mut Listing<'_, DeviceId>,
    id: &DeviceId,
) -> Result<(), StoreError> {
    let devices = [id.as_str().to_owned()];
    let mut left = listing.entries();
    while let Some(end) = take(reader, filter, listing, &devices, left, PAGES).await? {
        left = onward(filter, left, end);
        if left.0 > left.1 || listing.is_full() {
            break;
        }
    }
    Ok(())
}

/// What is left of some entries when those up to an end were read.
const fn onward(filter: &DataFilter, left: (i64, i64), end: i64) -> (i64, i64) {
    if filter.newest_first { (left.0, end.saturating_sub(1)) } else { (end.saturating_add(1), left.1) }
}

/// The first and the last entry that values of some times can be of; `None` when there are none. Without times it is
/// not worth a look.
async fn extent(
    reader: &PostgresReader,
    filter: &DataFilter,
    (from, to): (i64, i64),
) -> Result<Option<(i64, i64)>, StoreError> {
    if filter.from.is_none() && filter.to.is_none() {
        return Ok(Some((i64::MIN, i64::MAX)));
    }
    let query = Query::new("SELECT min(p.first) AS first, max(p.last) AS last FROM page p")
        .all()
        .and("p.to_us >=", from)
        .and("p.from_us <", to);
    let rows = reader.rows(query).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let found: (Option<i64>, Option<i64>) = (rows::value(row, "first")?, rows::value(row, "last")?);
    Ok(if let (Some(first), Some(last)) = found { Some((first, last)) } else { None })
}

/// The newest value of every sensor of a device.
pub(super) async fn latest(reader: &PostgresReader, device: DeviceId) -> Result<Vec<Datum>, StoreError> {
    Ok(newest_of(reader, device.as_str()).await?.as_ref().map(newest::list).unwrap_or_default())
}

/// The newest values of several devices.
pub(super) async fn latest_each(
    reader: &PostgresReader,
    devices: Vec<DeviceId>,
) -> Result<Vec<(DeviceId, Vec<Datum>)>, StoreError> {
    let names: Vec<String> = devices.iter().map(|device| device.as_str().to_owned()).collect();
    let query =
        Query::new("SELECT n.device, n.body FROM newest n").all().and("n.device = ANY(", names).text(")");
    let rows = reader.rows(query).await?;
    let one = |row: &Row| {
        let device: String = rows::value(row, "device")?;
        let newest = decoded(&device, row)?;
        Ok((DeviceId::new(&device), newest::list(&newest)))
    };
    rows.iter().map(one).collect()
}

/// The numbers of a device in buckets of time.
pub(super) async fn buckets(
    reader: &PostgresReader,
    filter: BucketFilter,
) -> Result<Vec<Bucket>, StoreError> {
    let mut tally = Tally::new(&filter);
    let (from, to) = tally.arrivals();
    let mut beyond = pruned(reader).await?;
    loop {
        let query = sums(tally.summary(), beyond)
            .and("p.device =", filter.device.as_str().to_owned())
            .and("p.last >", beyond)
            .and("p.to_us >=", from)
            .and("p.from_us <=", to)
            .text(" ORDER BY p.last LIMIT ")
            .with(PAGES);
        let rows = reader.rows(query).await?;
        for row in &rows {
            let last: i64 = rows::value(row, "last")?;
            add(&mut tally, row, beyond).ok_or_else(|| damaged(filter.device.as_str(), last))?;
            beyond = last;
        }
        if rows.is_empty() {
            return Ok(tally.buckets());
        }
    }
}

/// In which quarters of an hour values of a device arrived.
pub(super) async fn quarters(
    reader: &PostgresReader,
    device: DeviceId,
) -> Result<Vec<Timestamp>, StoreError> {
    let mut quarters = Quarters::default();
    let pruned = pruned(reader).await?;
    let mut beyond = pruned;
    loop {
        let query = Query::new("SELECT p.last, p.body FROM page p")
            .all()
            .and("p.device =", device.as_str().to_owned())
            .and("p.last >", beyond)
            .text(" ORDER BY p.last LIMIT ")
            .with(PAGES);
        let rows = reader.rows(query).await?;
        for row in &rows {
            beyond = rows::value(row, "last")?;
            let taken = quarters.take(rows::value(row, "body")?, pruned);
            taken.ok_or_else(|| damaged(device.as_str(), beyond))?;
        }
        if rows.is_empty() {
            return Ok(quarters.list());
        }
    }
}

/// A page's sums, where it lies wholly beyond an entry and has some, else the page.
fn sums(summary: Option<Summary>, beyond: i64) -> Query {
    let sums = match summary {
        Some(Summary::Hours) => "p.hours",
        Some(Summary::Minutes) => "p.minutes",
        None => "NULL::bytea",
    };
    Query::new("SELECT p.last, CASE WHEN p.first > ")
        .with(beyond)
        .text(&format!(" THEN {sums} END AS sums, CASE WHEN {sums} IS NOT NULL AND p.first > "))
        .with(beyond)
        .text(" THEN NULL ELSE p.body END AS body FROM page p")
        .all()
}

fn add(tally: &mut Tally, row: &Row, beyond: i64) -> Option<()> {
    let wants = |sensor: &str| tally.wants(sensor);
    if let Some(sums) = rows::value::<Option<&[u8]>>(row, "sums").ok()? {
        let sums = Sums::decode(sums, tally.summary()?.length_us(), wants)?;
        tally.take(&sums);
    } else {
        let page = Page::decode(rows::value(row, "body").ok()?, wants)?;
        tally.take_page(&page, beyond);
    }
    Some(())
}

/// Adds values of some devices to a list: those of the entries of a stretch, out of so many pages. Answers the entry
/// that it came to.
async fn take(
    reader: &PostgresReader,
    filter: &DataFilter,
    listing: &mut Listing<'_, DeviceId>,
    devices: &[String],
    (from, upto): (i64, i64),
    pages: i64,
) -> Result<Option<i64>, StoreError> {
    let (since, before) = listing.times();
    let query = Query::new("SELECT p.device, p.last, p.first, p.body FROM page p")
        .all()
        .and("p.device = ANY(", devices.to_vec())
        .text(")")
        .and("p.last >=", from)
        .and("p.first <=", upto)
        .and("p.to_us >=", since)
        .and("p.from_us <", before)
        .text(if filter.newest_first { " ORDER BY p.first DESC LIMIT " } else { " ORDER BY p.last LIMIT " })
        .with(pages);
    let mut reached = None;
    for row in reader.rows(query).await? {
        let (device, last): (&str, i64) = (rows::value(&row, "device")?, rows::value(&row, "last")?);
        let page = Page::decode(rows::value(&row, "body")?, |sensor| listing.wants(sensor));
        let page = page.ok_or_else(|| damaged(device, last))?;
        let first = rows::value(&row, "first")?;
        let needs_newest = listing.needs_newest(first);
        let newest = if needs_newest { newest_of(reader, device).await? } else { None };
        listing.take(&DeviceId::new(device), &page, newest.as_ref(), (from, upto));
        reached = Some(if filter.newest_first { first } else { last });
    }
    Ok(reached)
}

/// Where the next stretch of what is left of the ledger ends, how many messages it has, and whose they are; `None` when
/// nothing is left.
async fn stretch(
    reader: &PostgresReader,
    filter: &DataFilter,
    left: (i64, i64),
    most: u32,
) -> Result<Option<(i64, u32, Vec<String>)>, StoreError> {
    let query = Query::new("SELECT m.seq, m.device FROM message m")
        .all()
        .and("m.seq >=", left.0)
        .and("m.seq <=", left.1)
        .page(if filter.newest_first { "m.seq DESC" } else { "m.seq" }, most);
    let rows = reader.rows(query).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let devices = rows.iter().map(|row| rows::value::<Option<String>>(row, "device"));
    let devices = devices.collect::<Result<BTreeSet<_>, _>>()?;
    let wanted = |id: &String| filter.whose.holds(&DeviceId::new(id.as_str()));
    let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Ok(Some((rows::value(last, "seq")?, count, devices.into_iter().flatten().filter(wanted).collect())))
}

async fn newest_of(reader: &PostgresReader, device: &str) -> Result<Option<Page>, StoreError> {
    let query = Query::new("SELECT n.body FROM newest n").all().and("n.device =", device.to_owned());
    let Some(row) = reader.rows(query).await?.into_iter().next() else { return Ok(None) };
    decoded(device, &row).map(Some)
}

fn decoded(device: &str, row: &Row) -> Result<Page, StoreError> {
    let newest = Page::decode(rows::value(row, "body")?, |_| true);
    newest.ok_or_else(|| StoreError::Failed(format!("the newest values of {device} are damaged")))
}

async fn pruned(reader: &PostgresReader) -> Result<i64, StoreError> {
    let query = Query::new("SELECT value FROM note n").all().and("n.name =", Bulk::Readings.note());
    let note = reader.rows(query).await?;
    let note: Option<Vec<u8>> = note.first().map(|row| rows::value(row, "value")).transpose()?;
    Ok(mark(note.as_deref()).0)
}

/// Pages read at a time: a few megabytes.
const PAGES: i64 = 64;
/// Devices whose pages are read at a time.
const DEVICES: usize = 32;
