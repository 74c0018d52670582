//! Storing a message with all that follows from it.

use super::batch::{Append, Work};
use super::error::Fault;
use super::{device, queue, rows};
use crate::model::{DeviceRef, Direction, Reading, Seq, Timestamp, Verdict};
use crate::store::{ReportWrite, Reported};

/// Stores one report.
pub(super) async fn store(work: &mut Work<'_>, report: &ReportWrite) -> Result<Reported, Fault> {
    for heard in &report.devices {
        device::touch(work, heard).await?;
    }
    if let Some(names) = &report.device {
        device::need(work, &names.id).await?;
    }
    let verdict = judge(work, report).await?;
    let seq = work
        .append(&Append {
            at: report.at,
            device: report.device.as_ref(),
            direction: Direction::In,
            verdict,
            hmac: report.hmac,
            peer: &report.peer,
            raw: &report.raw,
        })
        .await?;
    let mut settled = None;
    if verdict != Verdict::Duplicate {
        if let Some(device) = &report.device {
            keep(work, seq, report.at, device, &report.readings).await?;
        }
        if let Some(reply) = &report.reply {
            settled = queue::settle(work, reply, report.device.as_ref(), report.at, &report.raw).await?;
        }
    }
    let pending = match &report.via {
        Some(via) => queue::announce(work, via, report.at).await?,
        None => false,
    };
    Ok(Reported { seq, verdict, pending, settled })
}

/// The verdict as it is stored: a sound message that was stored before is a duplicate.
async fn judge(work: &Work<'_>, report: &ReportWrite) -> Result<Verdict, Fault> {
    let Some(fingerprint) = &report.fingerprint else { return Ok(report.verdict) };
    match report.verdict {
        Verdict::Ok | Verdict::BadCrc | Verdict::NoCrc => {}
        Verdict::Malformed | Verdict::Duplicate | Verdict::None => return Ok(report.verdict),
    }
    let device = report.device.as_ref().map_or("", |names| names.id.as_str());
    let new = work
        .execute(
            "INSERT INTO fingerprint (device, fingerprint, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&device, &fingerprint.as_slice(), &work.next().0],
        )
        .await?;
    Ok(if new == 0 { Verdict::Duplicate } else { report.verdict })
}

async fn keep(
    work: &Work<'_>,
    seq: Seq,
    at: Timestamp,
    device: &DeviceRef,
    readings: &[Reading],
) -> Result<(), Fault> {
    if readings.is_empty() {
        return Ok(());
    }
    let sensors: Vec<&str> = readings.iter().map(|reading| reading.sensor.as_str()).collect();
    let values: Vec<String> = readings.iter().map(|reading| rows::text_of(&reading.value)).collect();
    let created: Vec<Option<i64>> =
        readings.iter().map(|reading| reading.created.map(Timestamp::micros)).collect();
    work.execute(
        "INSERT INTO reading (seq, place, sensor, device, value, at, created) \
         SELECT $1, u.place - 1, u.sensor, $2, u.value, $3, u.created \
         FROM unnest($4::text[], $5::text[], $6::bigint[]) WITH ORDINALITY AS u (sensor, value, created, place)",
        &[&seq.0, &device.id.as_str(), &at.micros(), &sensors, &values, &created],
    )
    .await?;
    Ok(())
}
