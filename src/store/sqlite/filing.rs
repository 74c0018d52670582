//! Puts what the inbox holds into its places: of each device one page of what its messages said, and its newest values.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::inbox::Said;
use super::pages;
use super::recall::{Pages, Recall};
use crate::model::Value;
use crate::store::StoreError;
use crate::store::history::merge::{PAGE_BYTES, Packed};
use crate::store::history::page::{Head, MESSAGES_MAX, Page};

/// Files every entry, within a transaction.
pub(super) fn file(db: &Connection, recall: &mut Recall) -> Result<(), StoreError> {
    let Recall { inbox, pages, .. } = recall;
    let mut said = inbox.entries().iter().map(super::inbox::Entry::said).collect::<Result<Vec<_>, _>>()?;
    let Some(last) = said.last().map(|said| said.seq) else { return Ok(()) };
    // A device's messages side by side.
    said.sort_by_key(|said| (said.device, said.seq));
    let gone = note_heard(db, &said)?;
    let mut prints = db.prepare_cached(
        "INSERT INTO fingerprint (device, fingerprint, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    let mut own = db.prepare_cached("INSERT INTO message_of (device_id, seq) VALUES (?, ?)")?;
    for of_device in said.chunk_by(|one, next| one.device == next.device) {
        for said in of_device {
            if let Some(id) = said.device_id {
                own.execute((id, said.seq))?;
            }
            // A device that was forgotten since: its messages stay in the ledger.
            if let Some(print) = said.print.filter(|_| !gone.contains(&said.device)) {
                prints.execute((said.device, print, said.seq))?;
            }
        }
        let device = of_device.first().map_or(0, |said| said.device);
        if !gone.contains(&device) {
            keep(db, pages, device, of_device)?;
        }
    }
    db.prepare_cached("DELETE FROM inbox WHERE seq <= ?")?.execute([last])?;
    drop(said);
    inbox.all_filed();
    Ok(())
}

/// Makes large pages of the small ones of some devices, within a transaction.
pub(super) fn merge(db: &Connection, recall: &mut Recall) -> Result<(), StoreError> {
    for _ in 0..MERGED_AT_ONCE {
        let Some(device) = recall.pages.next_due() else { break };
        pages::merge(db, device)?;
    }
    Ok(())
}

/// Keeps what a device's messages said.
fn keep(db: &Connection, recall: &mut Pages, device: i64, of_device: &[Said<'_>]) -> Result<(), StoreError> {
    let mut page = Page::default();
    let mut bytes = 0;
    for said in of_device.iter().filter(|said| !said.readings.is_empty()) {
        let more = said.readings.iter().map(|reading| size(&reading.value)).sum::<usize>();
        if bytes + more > PAGE_BYTES || page.messages.len() >= MESSAGES_MAX {
            put(db, recall, device, &std::mem::take(&mut page))?;
            bytes = 0;
        }
        bytes += more;
        page.add(Head { seq: said.seq, at_us: said.at });
        for (nth, reading) in said.readings.iter().enumerate() {
            page.say(nth, reading.sensor, reading.created, reading.counts, reading.value.clone());
        }
    }
    put(db, recall, device, &page)
}

fn put(db: &Connection, recall: &mut Pages, device: i64, page: &Page) -> Result<(), StoreError> {
    let Some(packed) = Packed::small(page) else { return Ok(()) };
    pages::insert(db, device, &packed)?;
    pages::keep_newest(db, device, recall.newest_after(db, device, page)?)
}

/// What a value takes in a page, about.
const fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 2,
        Value::Real(_) => 8,
        Value::Integer(_) | Value::Bool(_) | Value::Gap(_) => 2,
    }
}

/// Notes when devices were heard last; gives those that are not there any more.
fn note_heard(db: &Connection, said: &[Said<'_>]) -> Result<BTreeSet<i64>, StoreError> {
    let mut heard: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    for (key, at) in said.iter().flat_map(|said| &said.heard) {
        let newest = heard.entry(*key).or_insert(*at);
        *newest = (*at).max(*newest);
    }
    let mut update = db.prepare_cached(
        "UPDATE device SET last_seen_us = max(coalesce(last_seen_us, ?2), coalesce(?2, last_seen_us)) WHERE key = ?1",
    )?;
    let mut gone = BTreeSet::new();
    for (device, at) in heard {
        if update.execute((device, at))? == 0 {
            gone.insert(device);
        }
    }
    Ok(gone)
}

/// Devices whose pages are merged at a time: each takes a millisecond or two.
const MERGED_AT_ONCE: usize = 16;
