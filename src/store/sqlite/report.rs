//! A message that came in, with all that follows from it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::value::RawValue;

use super::entry::Entry;
use super::journal::{Journal, Message};
use super::prints::Print;
use super::recall::Recall;
use super::{command, device, queue};
use crate::model::{CommandState, DeviceRef, Direction, Timestamp, Verdict};
use crate::store::{Reply, ReportWrite, Reported, Settled, StoreError};

/// Stores a message: its ledger entry now, what it says in the inbox.
pub(super) fn store(
    db: &Connection,
    journal: &mut Journal<'_>,
    recall: &mut Recall,
    report: &Arc<ReportWrite>,
) -> Result<Reported, StoreError> {
    let keys = devices(db, recall, report)?;
    let key = match report.names() {
        Some(names) => own_key(db, report, names, &keys)?,
        None => 0,
    };
    let seen = report.heard().map(Timestamp::micros);
    let heard: Vec<_> = keys.into_iter().map(|key| (key, seen)).collect();
    let (verdict, print) = verdict(journal, recall, key, report)?;
    let seq = journal.append(&Message {
        at: report.at,
        device: report.names(),
        direction: Direction::In,
        verdict,
        hmac: report.hmac,
        peer: &report.peer,
        raw: &report.raw,
    })?;
    let fresh = verdict != Verdict::Duplicate;
    recall.inbox.take(Entry {
        seq: seq.0,
        at: report.past.unwrap_or(report.at).micros(),
        past: report.past.is_some(),
        device: key,
        device_id: report.names().map(|names| names.id.clone()),
        heard,
        print,
        readings: if fresh && report.device.is_some() { report.readings.clone() } else { Vec::new() },
    });
    let mut settled = None;
    if fresh && let Some(reply) = &report.reply {
        settled = settle(db, recall, reply, report)?;
    }
    let pending = match &report.via {
        Some(via) if recall.awaited(db, via)? => queue::announce(db, via, report.at)?,
        Some(_) | None => false,
    };
    Ok(Reported { seq, verdict, pending, settled })
}

/// The keys of the devices that a report names; new ones are made at once.
fn devices(db: &Connection, recall: &mut Recall, report: &ReportWrite) -> Result<Vec<i64>, StoreError> {
    if let Some(keys) = recall.met(&report.devices) {
        return Ok(keys);
    }
    let mut keys = Vec::with_capacity(report.devices.len());
    for device in &report.devices {
        device::touch(db, device, report.heard())?;
        let key = device::need(db, &device.names.id)?.key;
        recall.meet(device, key);
        keys.push(key);
    }
    Ok(keys)
}

fn own_key(
    db: &Connection,
    report: &ReportWrite,
    names: &DeviceRef,
    keys: &[i64],
) -> Result<i64, StoreError> {
    let own = report.devices.iter().zip(keys).find(|(device, _)| device.names.id == names.id);
    match own {
        Some((_, key)) => Ok(*key),
        None => Ok(device::need(db, &names.id)?.key),
    }
}

/// The verdict as it is to be stored, since a message that was stored before is a duplicate; and the fingerprint
/// that is to be kept.
fn verdict(
    journal: &mut Journal<'_>,
    recall: &Recall,
    device: i64,
    report: &ReportWrite,
) -> Result<(Verdict, Option<[u8; 16]>), StoreError> {
    let Some(print) = report.fingerprint else { return Ok((report.verdict, None)) };
    match report.verdict {
        Verdict::Ok | Verdict::BadCrc | Verdict::NoCrc => {}
        Verdict::Malformed | Verdict::Duplicate | Verdict::None => return Ok((report.verdict, None)),
    }
    let here = Print { device, print };
    let known = recall.inbox.has(&here) || recall.prints.has(&here) || journal.has(here)?;
    Ok(if known { (Verdict::Duplicate, None) } else { (report.verdict, Some(print)) })
}

/// Settles the command that the message replies to: one that shares a payload key before one that does not,
/// then the one handed out last.
fn settle(
    db: &Connection,
    recall: &mut Recall,
    reply: &Reply,
    report: &ReportWrite,
) -> Result<Option<Box<Settled>>, StoreError> {
    let mut candidates = db.prepare_cached(
        "SELECT key, payload, sent_us FROM command
         WHERE device_id = ?1 AND wire_id = ?2 AND state IN ('queued', 'sent', 'accepted') AND sent_us >= ?3",
    )?;
    let mut best: Option<((bool, i64), i64)> = None;
    for device in &reply.from {
        if !recall.awaited(db, device)? {
            continue;
        }
        let found = candidates
            .query_map((device.as_str(), reply.wire_id, reply.since.micros()), |found| {
                Ok((found.get::<_, i64>(0)?, found.get::<_, String>(1)?, found.get::<_, i64>(2)?))
            })?;
        for candidate in found {
            let (key, payload, sent) = candidate?;
            let rank = (shares_key(&payload, &reply.keys), sent);
            if best.is_none_or(|(so_far, _)| rank > so_far) {
                best = Some((rank, key));
            }
        }
    }
    let Some((_, key)) = best else { return Ok(None) };
    let target = command::need(db, key)?;
    let address = report.names().map_or(target.device.address.as_str(), |names| &names.address);
    let change = command::Change {
        at: report.at,
        to: CommandState::Answered,
        reason: "the device replied",
        by: &format!("device:{address}"),
    };
    command::change(db, key, &change)?;
    recall.close_one();
    db.prepare_cached("UPDATE command SET reply = ? WHERE key = ?")?.execute((report.raw.as_ref(), key))?;
    Ok(Some(Box::new(Settled { command: command::need(db, key)? })))
}

fn shares_key(payload: &str, keys: &[String]) -> bool {
    serde_json::from_str::<HashMap<String, &RawValue>>(payload)
        .is_ok_and(|payload| keys.iter().any(|key| payload.contains_key(key)))
}
