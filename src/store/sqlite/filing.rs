//! Puts what the inbox holds into its places: of each device one page of what its messages said, and its newest values.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::entry::Entry;
use super::recall::{Pages, Recall};
use super::{own, pages, prints};
use crate::model::{Timestamp, Value};
use crate::store::StoreError;
use crate::store::history::merge::{PAGE_BYTES, Packed};
use crate::store::history::page::{Head, MESSAGES_MAX, Page};

/// Files every entry, within a transaction.
pub(super) fn file(db: &Connection, recall: &mut Recall) -> Result<(), StoreError> {
    let Recall { inbox, pages, .. } = recall;
    let mut entries: Vec<&Entry> = inbox.entries().iter().collect();
    let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(()) };
    // A device's messages side by side.
    entries.sort_unstable_by_key(|entry| (entry.device, entry.seq));
    let gone = note_heard(db, &entries)?;
    let mut run = Vec::with_capacity(entries.len());
    for of_device in entries.chunk_by(|one, next| one.device == next.device) {
        if let Some(id) = of_device.iter().find_map(|entry| entry.device_id.as_ref()) {
            let seqs: Vec<i64> = of_device.iter().map(|entry| entry.seq).collect();
            own::note(db, id.as_str(), &seqs)?;
        }
        let device = of_device.first().map_or(0, |entry| entry.device);
        // A device that was forgotten since: its messages stay in the ledger.
        if !gone.contains(&device) {
            run.extend(of_device.iter().filter_map(|entry| Some((entry.print()?, entry.seq))));
            for of_one_kind in of_device.chunk_by(|one, next| one.past == next.past) {
                keep(db, pages, device, of_one_kind)?;
            }
        }
    }
    prints::keep(db, last, &run)?;
    db.prepare_cached("DELETE FROM inbox WHERE seq <= ?")?.execute([last])?;
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

/// Keeps what a device's messages said: all of them just now, or all of them in the past.
fn keep(db: &Connection, recall: &mut Pages, device: i64, of_device: &[&Entry]) -> Result<(), StoreError> {
    let past = of_device.iter().any(|entry| entry.past);
    let mut page = Page::default();
    let mut bytes = 0;
    for entry in of_device.iter().filter(|entry| !entry.readings.is_empty()) {
        let more = entry.readings.iter().map(|reading| size(&reading.value)).sum::<usize>();
        if bytes + more > PAGE_BYTES || page.messages.len() >= MESSAGES_MAX {
            put(db, recall, device, &std::mem::take(&mut page), past)?;
            bytes = 0;
        }
        bytes += more;
        page.add(Head { seq: entry.seq, at_us: entry.at });
        for (nth, reading) in entry.readings.iter().enumerate() {
            let created = reading.created.map(Timestamp::micros);
            page.say(nth, &reading.sensor, created, reading.counts, reading.value.clone());
        }
    }
    put(db, recall, device, &page, past)
}

fn put(db: &Connection, recall: &mut Pages, device: i64, page: &Page, past: bool) -> Result<(), StoreError> {
    let Some(packed) = Packed::small(page) else { return Ok(()) };
    pages::insert(db, device, &packed)?;
    pages::keep_newest(db, device, recall.newest_after(db, device, page, past)?)
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
fn note_heard(db: &Connection, entries: &[&Entry]) -> Result<BTreeSet<i64>, StoreError> {
    let mut heard: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    for (key, at) in entries.iter().flat_map(|entry| &entry.heard) {
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
