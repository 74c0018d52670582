//! Removing what is old.

use super::audit_log;
use super::batch::Work;
use super::error::Fault;
use super::{pages, rows};
use crate::model::{Seq, Timestamp};
use crate::store::StoreError;
use crate::store::prune::{self, Bulk, Place, Prune, Pruned};

/// Does one piece of work.
pub(super) async fn apply(work: &Work<'_>, piece: &Prune) -> Result<Pruned, Fault> {
    match piece {
        Prune::Entries { what, below, limit, bytes } => {
            entries(work, *what, *below, *limit, bytes.unwrap_or(u64::MAX)).await
        }
        Prune::Fingerprints { below, after, limit } => {
            fingerprints(work, *below, after.as_ref(), *limit).await
        }
        Prune::Commands { before, limit } => commands(work, *before, *limit).await,
        Prune::Audit { before, limit } => audit_log::prune(work, *before, *limit).await,
    }
}

async fn entries(work: &Work<'_>, what: Bulk, below: Seq, limit: u32, enough: u64) -> Result<Pruned, Fault> {
    let note = work.first("SELECT value FROM note WHERE name = $1", &[&what.note()]).await?;
    let note: Option<Vec<u8>> = note.map(|row| rows::value(&row, "value")).transpose()?;
    let first = prune::mark(note.as_deref()).0 + 1;
    let last = (below.0 - 1).min(first + i64::from(limit) - 1);
    if last < first {
        return Ok(Pruned::default());
    }
    let (pruned, upto) = match what {
        Bulk::Raw => empty(work, first, last, enough).await?,
        Bulk::Readings => pages::remove(work.session(), first, last, enough).await?,
    };
    work.execute(
        "INSERT INTO note (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        &[&what.note(), &upto.to_string().into_bytes()],
    )
    .await?;
    let stretch = Some((Seq(first - 1), Seq(upto)));
    Ok(Pruned { stretch, more: upto < below.0 - 1, ..pruned })
}

/// Takes the bytes of some entries; answers the last one it came to.
async fn empty(work: &Work<'_>, first: i64, last: i64, enough: u64) -> Result<(Pruned, i64), Fault> {
    let (mut bytes, mut upto) = (0, last);
    for row in work.query(RAW_SIZES, &[&first, &last]).await? {
        bytes += positive(rows::value(&row, "bytes")?);
        if bytes >= enough {
            upto = rows::value(&row, "seq")?;
            break;
        }
    }
    let rows = work.execute(EMPTY, &[&first, &upto]).await?;
    Ok((Pruned { rows, bytes, ..Pruned::default() }, upto))
}

async fn fingerprints(
    work: &Work<'_>,
    below: Seq,
    after: Option<&Place>,
    limit: u32,
) -> Result<Pruned, Fault> {
    let (device, start) = match after {
        Some(place) => read_place(place)?,
        None => (String::new(), Vec::new()),
    };
    let found = work
        .query(
            "SELECT device, fingerprint, seq FROM fingerprint WHERE (device, fingerprint) > ($1, $2) \
             ORDER BY device, fingerprint LIMIT $3",
            &[&device, &start, &i64::from(limit)],
        )
        .await?;
    let mut pruned = Pruned { more: found.len() as u64 >= u64::from(limit), ..Pruned::default() };
    if let Some(last) = found.last() {
        let (until, end): (&str, &[u8]) = (rows::value(last, "device")?, rows::value(last, "fingerprint")?);
        pruned.rows = work
            .execute(
                "DELETE FROM fingerprint WHERE (device, fingerprint) > ($1, $2) \
                 AND (device, fingerprint) <= ($3, $4) AND seq < $5",
                &[&device, &start, &until, &end, &below.0],
            )
            .await?;
        pruned.place = pruned.more.then(|| place(until, end));
    }
    Ok(pruned)
}

async fn commands(work: &Work<'_>, before: Timestamp, limit: u32) -> Result<Pruned, Fault> {
    let rows = work
        .execute(
            "DELETE FROM command WHERE id IN (SELECT id FROM command WHERE created < $1 \
             AND state <> 'queued' AND (state <> 'sent' OR hold IS NULL) ORDER BY created, id LIMIT $2)",
            &[&before.micros(), &i64::from(limit)],
        )
        .await?;
    Ok(Pruned { rows, more: rows >= u64::from(limit), ..Pruned::default() })
}

fn place(device: &str, fingerprint: &[u8]) -> Place {
    Place([device.as_bytes(), &[0], fingerprint].concat().into())
}

fn read_place(place: &Place) -> Result<(String, Vec<u8>), StoreError> {
    let wrong = || StoreError::Failed("a place in a walk that is none".to_owned());
    let end = place.0.iter().position(|byte| *byte == 0).ok_or_else(wrong)?;
    let device = String::from_utf8(place.0.slice(..end).to_vec()).map_err(|_| wrong())?;
    Ok((device, place.0.slice(end + 1..).to_vec()))
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

const RAW_SIZES: &str = "SELECT seq, coalesce(octet_length(raw), 0)::bigint AS bytes FROM message \
     WHERE seq BETWEEN $1 AND $2 ORDER BY seq";

const EMPTY: &str = "UPDATE message SET size = octet_length(raw), raw = NULL \
     WHERE seq BETWEEN $1 AND $2 AND raw IS NOT NULL";
