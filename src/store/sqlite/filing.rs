//! Puts what the inbox holds into its places: a device's messages together, each newest value once.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::inbox::{Said, SaidReading};
use super::recall::Recall;
use super::row::Column;
use crate::store::StoreError;

/// Files every entry, within a transaction.
pub(super) fn file(db: &Connection, recall: &mut Recall) -> Result<(), StoreError> {
    let Recall { inbox, sensors, .. } = recall;
    let mut said = inbox.entries().iter().map(super::inbox::Entry::said).collect::<Result<Vec<_>, _>>()?;
    let Some(last) = said.last().map(|said| said.seq) else { return Ok(()) };
    // A device's rows lie side by side, so that one page is written for many of them.
    said.sort_by_key(|said| (said.device, said.seq));
    let gone = note_heard(db, &said)?;
    let mut newest: BTreeMap<i64, Newest<'_>> = BTreeMap::new();
    let mut prints = db.prepare_cached(
        "INSERT INTO fingerprint (device, fingerprint, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    let mut history = db.prepare_cached(
        "INSERT INTO reading (device, seq, place, sensor, at_us, created_us, kind, value)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut own = db.prepare_cached("INSERT INTO message_of (device_id, seq) VALUES (?, ?)")?;
    for said in &said {
        if let Some(id) = said.device_id {
            own.execute((id, said.seq))?;
        }
        if gone.contains(&said.device) {
            continue; // forgotten since; its message stays in the ledger
        }
        if let Some(print) = &said.print {
            prints.execute((said.device, print, said.seq))?;
        }
        for (place, (nth, reading)) in (0_i64..).zip(said.readings.iter().enumerate()) {
            let sensor = sensors.key(db, said, nth, reading)?;
            let SaidReading { created, kind, value, .. } = reading;
            history.execute((
                said.device,
                said.seq,
                place,
                sensor,
                said.at,
                created,
                kind,
                Column(*value),
            ))?;
            newest.insert(sensor, Newest { said, reading });
        }
    }
    keep_newest(db, &newest)?;
    db.prepare_cached("DELETE FROM inbox WHERE seq <= ?")?.execute([last])?;
    drop(said);
    inbox.all_filed();
    Ok(())
}

/// A sensor's newest value among the entries.
struct Newest<'a> {
    said: &'a Said<'a>,
    reading: &'a SaidReading<'a>,
}

fn keep_newest(db: &Connection, newest: &BTreeMap<i64, Newest<'_>>) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE sensor SET seq = ?2, at_us = ?3, created_us = ?4, kind = ?5, value = ?6 WHERE key = ?1",
    )?;
    for (sensor, Newest { said, reading }) in newest {
        update.execute((sensor, said.seq, said.at, reading.created, reading.kind, Column(reading.value)))?;
    }
    Ok(())
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
