//! A message that came in, with all that follows from it.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::value::RawValue;

use super::journal::{Journal, Message};
use super::{command, device, queue, row};
use crate::model::{CommandState, Direction, Seq, Timestamp, Verdict};
use crate::store::{Reply, ReportWrite, Reported, Settled, StoreError};

/// Stores a message.
pub(super) fn store(
    db: &Connection,
    journal: &mut Journal,
    report: &ReportWrite,
) -> Result<Reported, StoreError> {
    for device in &report.devices {
        device::touch(db, device)?;
    }
    let key = match &report.device {
        Some(names) => device::need(db, &names.id)?.key,
        None => 0,
    };
    let verdict = verdict(db, journal.next(), key, report)?;
    let seq = journal.append(
        db,
        &Message {
            at: report.at,
            device: report.device.as_ref(),
            direction: Direction::In,
            verdict,
            hmac: report.hmac,
            peer: &report.peer,
            raw: &report.raw,
        },
    )?;
    let mut settled = None;
    if verdict != Verdict::Duplicate {
        if report.device.is_some() {
            keep_readings(db, key, seq, report)?;
        }
        if let Some(reply) = &report.reply {
            settled = settle(db, reply, report)?;
        }
    }
    let pending = match &report.via {
        Some(via) => queue::announce(db, via, report.at)?,
        None => false,
    };
    Ok(Reported { seq, verdict, pending, settled })
}

/// The verdict as it is to be stored: a message that was stored before is a duplicate.
fn verdict(db: &Connection, seq: Seq, device: i64, report: &ReportWrite) -> Result<Verdict, StoreError> {
    let Some(fingerprint) = &report.fingerprint else { return Ok(report.verdict) };
    match report.verdict {
        Verdict::Ok | Verdict::BadCrc | Verdict::NoCrc => {}
        Verdict::Malformed | Verdict::Duplicate | Verdict::None => return Ok(report.verdict),
    }
    let new = db
        .prepare_cached(
            "INSERT INTO fingerprint (device, fingerprint, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute((device, fingerprint, seq.0))?;
    Ok(if new == 0 { Verdict::Duplicate } else { report.verdict })
}

fn keep_readings(db: &Connection, device: i64, seq: Seq, report: &ReportWrite) -> Result<(), StoreError> {
    let mut latest = db.prepare_cached(
        "INSERT INTO sensor (device, name, seq, at_us, created_us, kind, value) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (device, name) DO UPDATE SET seq = excluded.seq, at_us = excluded.at_us,
            created_us = excluded.created_us, kind = excluded.kind, value = excluded.value
         RETURNING key",
    )?;
    let mut history = db.prepare_cached(
        "INSERT INTO reading (device, seq, place, sensor, at_us, created_us, kind, value)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let at = report.at.micros();
    for (place, reading) in (0_i64..).zip(&report.readings) {
        let created = reading.created.map(Timestamp::micros);
        let (kind, value) = row::columns(&reading.value);
        let sensor: i64 = latest
            .query_row((device, &reading.sensor, seq.0, at, created, kind, &value), |found| found.get(0))?;
        history.execute((device, seq.0, place, sensor, at, created, kind, &value))?;
    }
    Ok(())
}

/// Settles the command that the message replies to: one that shares a payload key before one that does not,
/// then the one handed out last.
fn settle(db: &Connection, reply: &Reply, report: &ReportWrite) -> Result<Option<Settled>, StoreError> {
    let mut candidates = db.prepare_cached(
        "SELECT key, payload, sent_us FROM command
         WHERE device_id = ?1 AND wire_id = ?2 AND state IN ('queued', 'sent', 'accepted') AND sent_us >= ?3",
    )?;
    let mut best: Option<((bool, i64), i64)> = None;
    for device in &reply.from {
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
    let address = report.device.as_ref().map_or(target.device.address.as_str(), |names| &names.address);
    let change = command::Change {
        at: report.at,
        to: CommandState::Answered,
        reason: "the device replied",
        by: &format!("device:{address}"),
    };
    command::change(db, key, &change)?;
    db.prepare_cached("UPDATE command SET reply = ? WHERE key = ?")?.execute((report.raw.as_ref(), key))?;
    Ok(Some(Settled { command: command::need(db, key)? }))
}

fn shares_key(payload: &str, keys: &[String]) -> bool {
    serde_json::from_str::<HashMap<String, &RawValue>>(payload)
        .is_ok_and(|payload| keys.iter().any(|key| payload.contains_key(key)))
}
