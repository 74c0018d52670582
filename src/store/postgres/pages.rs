//! Pages of what devices measured: writing them, making large ones of small ones, removing old ones.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::connect::Session;
use super::error::Fault;
use super::rows;
use crate::model::{Reading, Seq, Timestamp};
use crate::store::StoreError;
use crate::store::history::merge::{self, FANOUT, FULL, Packed, Packer};
use crate::store::history::page::{Head, Page};
use crate::store::history::{damaged, newest};
use crate::store::prune::{PAGE_BYTES, Pruned};

/// What a message said, until its batch is written.
pub(super) struct Said<'a> {
    pub(super) device: &'a str,
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    /// Whether it was brought over from elsewhere.
    pub(super) past: bool,
    pub(super) readings: &'a [Reading],
}

/// Which devices' pages are to be merged: what the writer remembers between two batches.
#[derive(Default)]
pub(super) struct Small {
    /// How many small pages of a device were written since it was looked at.
    written: HashMap<String, usize>,
    due: VecDeque<String>,
}

/// Keeps what the messages of a batch said: one page a device, more where some of it was brought
/// over, and its newest values.
pub(super) async fn keep(session: &Session, small: &mut Small, said: &[Said<'_>]) -> Result<(), Fault> {
    let mut of_device: BTreeMap<&str, Vec<(bool, Page)>> = BTreeMap::new();
    for said in said {
        let pages = of_device.entry(said.device).or_default();
        if pages.last().is_none_or(|(past, _)| *past != said.past) {
            pages.push((said.past, Page::default()));
        }
        let Some((_, page)) = pages.last_mut() else { continue };
        page.add(Head { seq: said.seq.0, at_us: said.at.micros() });
        for (nth, reading) in said.readings.iter().enumerate() {
            let created = reading.created.map(Timestamp::micros);
            page.say(nth, &reading.sensor, created, reading.counts, reading.value.clone());
        }
    }
    let devices: Vec<&str> = of_device.keys().copied().collect();
    let mut known = newest_of(session, &devices).await?;
    let mut bodies = Vec::with_capacity(devices.len());
    let mut packed = Vec::with_capacity(devices.len());
    for (device, pages) in &of_device {
        let mut newest = known.remove(*device).unwrap_or_default();
        for (past, page) in pages {
            newest = if *past { newest::beside(&newest, page) } else { newest::after(&newest, page) };
            packed.extend(Packed::small(page).map(|page| (*device, page)));
            small.wrote(device);
        }
        bodies.push(newest.encode());
    }
    insert(session, &packed).await?;
    keep_newest(session, &devices, &bodies).await
}

/// Keeps the newest values of devices.
pub(super) async fn keep_newest(
    session: &Session,
    devices: &[&str],
    bodies: &[Vec<u8>],
) -> Result<(), Fault> {
    session
        .execute(
            "INSERT INTO newest (device, body) SELECT * FROM unnest($1::text[], $2::bytea[]) \
             ON CONFLICT (device) DO UPDATE SET body = excluded.body",
            &[&devices, &bodies],
        )
        .await?;
    Ok(())
}

/// The newest values of some devices, by device.
pub(super) async fn newest_of(session: &Session, devices: &[&str]) -> Result<HashMap<String, Page>, Fault> {
    let rows = session.query("SELECT device, body FROM newest WHERE device = ANY($1)", &[&devices]).await?;
    let newest = rows.iter().map(|row| {
        let device: String = rows::value(row, "device")?;
        let page = Page::decode(rows::value(row, "body")?, |_| true).ok_or_else(|| {
            StoreError::Failed(format!("the newest values of {device} are damaged: restore a backup"))
        })?;
        Ok((device, page))
    });
    Ok(newest.collect::<Result<_, StoreError>>()?)
}

/// Writes pages.
pub(super) async fn insert(session: &Session, pages: &[(&str, Packed)]) -> Result<(), Fault> {
    let numbers = |of: fn(&Packed) -> i64| pages.iter().map(|(_, page)| of(page)).collect::<Vec<_>>();
    let levels: Vec<i32> = pages.iter().map(|(_, page)| i32::from(page.level)).collect();
    session
        .execute(
            "INSERT INTO page (last, device, first, from_us, to_us, level, hours, minutes, body) \
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], \
             $7::bytea[], $8::bytea[], $9::bytea[])",
            &[
                &numbers(|page| page.last),
                &pages.iter().map(|(device, _)| *device).collect::<Vec<_>>(),
                &numbers(|page| page.first),
                &numbers(|page| page.from_us),
                &numbers(|page| page.to_us),
                &levels,
                &pages.iter().map(|(_, page)| page.hours.as_deref()).collect::<Vec<_>>(),
                &pages.iter().map(|(_, page)| page.minutes.as_deref()).collect::<Vec<_>>(),
                &pages.iter().map(|(_, page)| page.body.as_slice()).collect::<Vec<_>>(),
            ],
        )
        .await?;
    Ok(())
}

impl Small {
    fn wrote(&mut self, device: &str) {
        let written = self.written.entry(device.to_owned()).or_default();
        *written += 1;
        // Once, until it is looked at.
        if *written == FANOUT {
            self.due.push_back(device.to_owned());
        }
    }

    fn next_due(&mut self) -> Option<String> {
        let device = self.due.pop_front()?;
        self.written.remove(&device);
        Some(device)
    }
}

/// Makes large pages of the small ones of some devices.
pub(super) async fn merge_some(session: &Session, small: &mut Small) -> Result<(), Fault> {
    for _ in 0..MERGED_AT_ONCE {
        let Some(device) = small.next_due() else { break };
        merge(session, &device).await?;
    }
    Ok(())
}

async fn merge(session: &Session, device: &str) -> Result<(), Fault> {
    let tail = session
        .query(
            "SELECT first, level FROM page WHERE device = $1 AND last > coalesce((SELECT max(p.last) FROM page p \
             WHERE p.device = $1 AND p.level = 255), -1) ORDER BY last",
            &[&device],
        )
        .await?;
    let level = |row| rows::number::<u8>(row, "level");
    let levels = tail.iter().map(level).collect::<Result<Vec<u8>, _>>()?;
    let Some((from, level)) = merge::due(&levels) else { return Ok(()) };
    let Some(row) = tail.get(from) else { return Ok(()) };
    let first: i64 = rows::value(row, "first")?;
    let sql = "SELECT last, body FROM page WHERE device = $1 AND last >= $2 ORDER BY last";
    let mut packer = Packer::new(level);
    for row in session.query(sql, &[&device, &first]).await? {
        let body: &[u8] = rows::value(&row, "body")?;
        let Some(page) = Page::decode(body, |_| true) else {
            // Nothing is merged over it: whoever reads it is told, and the rest stays readable.
            tracing::error!("{}", damaged(device, rows::value(&row, "last")?));
            return Ok(());
        };
        packer.take(page, body.len());
    }
    session.execute("DELETE FROM page WHERE device = $1 AND last >= $2", &[&device, &first]).await?;
    let pages: Vec<_> = packer.finish().into_iter().map(|page| (device, page)).collect();
    insert(session, &pages).await
}

/// Removes the pages whose last entry is from `first` to `last`, but for newest values; ends with the page that makes
/// it `enough` bytes. Answers the entry it came to.
pub(super) async fn remove(
    session: &Session,
    first: i64,
    last: i64,
    enough: u64,
) -> Result<(Pruned, i64), Fault> {
    let sql = format!(
        "SELECT last, device, {WEIGHT} AS bytes FROM page WHERE last BETWEEN $1 AND $2 ORDER BY last"
    );
    let (mut devices, mut bytes, mut upto) = (BTreeSet::new(), 0, last);
    for row in session.query(&sql, &[&first, &last]).await? {
        devices.insert(rows::value::<String>(&row, "device")?);
        bytes += positive(rows::value(&row, "bytes")?);
        if bytes >= enough {
            upto = rows::value(&row, "last")?;
            break;
        }
    }
    let mut pruned = Pruned::default();
    for device in &devices {
        remove_of(session, device, upto, &mut pruned).await?;
    }
    Ok((pruned, upto))
}

/// Removes a device's pages up to an entry, those too that were left for a value that is not the newest any more.
async fn remove_of(session: &Session, device: &str, upto: i64, pruned: &mut Pruned) -> Result<(), Fault> {
    let newest = newest_of(session, &[device]).await?.remove(device).unwrap_or_default();
    let sql = format!(
        "SELECT last, first, body, {WEIGHT} AS bytes FROM page WHERE device = $1 AND last <= $2 ORDER BY last"
    );
    for row in session.query(&sql, &[&device, &upto]).await? {
        let (last, first): (i64, i64) = (rows::value(&row, "last")?, rows::value(&row, "first")?);
        let body: &[u8] = rows::value(&row, "body")?;
        let mut left = None;
        if newest.messages.iter().any(|head| (first..=last).contains(&head.seq)) {
            let page = Page::decode(body, |_| true).ok_or_else(|| damaged(device, last))?;
            left = newest::kept(&page, &newest).and_then(|left| Packed::small(&left));
        }
        if left.as_ref().is_some_and(|left| left.body == body) {
            continue;
        }
        pruned.rows += 1;
        pruned.bytes += positive(rows::value(&row, "bytes")?);
        session.execute("DELETE FROM page WHERE last = $1", &[&last]).await?;
        if let Some(left) = left {
            pruned.bytes = pruned.bytes.saturating_sub(u64::from(PAGE_BYTES) + left.bytes() as u64);
            insert(session, &[(device, Packed { level: FULL, ..left })]).await?;
        }
    }
    Ok(())
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// What a page weighs. 64: [`PAGE_BYTES`].
pub(super) const WEIGHT: &str = "(64 + octet_length(body) + coalesce(octet_length(minutes), 0) \
     + coalesce(octet_length(hours), 0))::bigint";

/// Devices whose pages are merged in one batch.
const MERGED_AT_ONCE: usize = 8;
