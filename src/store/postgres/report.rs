//! Storing a message with all that follows from it.

use super::batch::{Append, Work};
use super::error::Fault;
use super::pages::Said;
use super::{device, queue};
use crate::model::{Direction, Verdict};
use crate::store::{ReportWrite, Reported};

/// Stores one report.
pub(super) async fn store<'a>(work: &mut Work<'a>, report: &'a ReportWrite) -> Result<Reported, Fault> {
    for heard in &report.devices {
        device::touch(work, heard, report.heard()).await?;
    }
    if let Some(names) = report.names() {
        device::need(work, &names.id).await?;
    }
    let verdict = judge(work, report).await?;
    let seq = work
        .append(&Append {
            at: report.at,
            device: report.names(),
            direction: Direction::In,
            verdict,
            hmac: report.hmac,
            peer: &report.peer,
            raw: &report.raw,
        })
        .await?;
    let mut settled = None;
    if verdict != Verdict::Duplicate {
        if let Some(device) = report.names().filter(|_| !report.readings.is_empty()) {
            let (at, past) = (report.past.unwrap_or(report.at), report.past.is_some());
            work.say(Said { device: device.id.as_str(), seq, at, past, readings: &report.readings });
        }
        if let Some(reply) = &report.reply {
            settled = queue::settle(work, reply, report.names(), report.at, &report.raw).await?;
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
    let device = report.names().map_or("", |names| names.id.as_str());
    let new = work
        .execute(
            "INSERT INTO fingerprint (device, fingerprint, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[&device, &fingerprint.as_slice(), &work.next().0],
        )
        .await?;
    Ok(if new == 0 { Verdict::Duplicate } else { report.verdict })
}
