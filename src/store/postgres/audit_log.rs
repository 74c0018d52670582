//! The audit log: rows are added, listed, and go by age.

use tokio_postgres::Row;

use super::batch::Work;
use super::error::Fault;
use super::reader::Query;
use super::rows;
use crate::model::{AuditEntry, DeviceId, Timestamp, UserId};
use crate::store::{AuditFilter, Pruned, StoreError};

/// Adds one.
pub(super) async fn add(work: &Work<'_>, entry: &AuditEntry) -> Result<(), Fault> {
    work.execute(
        "INSERT INTO audit (at, who, user_id, proof, token, peer, what, device, target, result) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &entry.at.micros(),
            &entry.who,
            &entry.user.as_ref().map(UserId::as_str),
            &entry.proof,
            &entry.token,
            &entry.from,
            &entry.what,
            &entry.device.as_ref().map(DeviceId::as_str),
            &entry.target,
            &entry.result,
        ],
    )
    .await?;
    Ok(())
}

/// A page of them, the newest first.
pub(super) fn page(filter: AuditFilter) -> Query {
    let columns = "key, at, who, user_id, proof, token, peer, what, device, target, result";
    Query::new(format!("SELECT {columns} FROM audit"))
        .all()
        .and_if("who =", filter.who)
        .and_if("what =", filter.what)
        .and_if("device =", filter.device.map(|id| id.as_str().to_owned()))
        .and_if("at >=", filter.from.map(Timestamp::micros))
        .and_if("at <", filter.to.map(Timestamp::micros))
        .and_if("key <", filter.before)
        .page("key DESC", filter.limit)
}

/// One with its number.
pub(super) fn row(row: &Row) -> Result<(i64, AuditEntry), StoreError> {
    let entry = AuditEntry {
        at: rows::time(row, "at")?,
        who: rows::value(row, "who")?,
        user: rows::value::<Option<&str>>(row, "user_id")?.map(UserId::new),
        proof: rows::value(row, "proof")?,
        token: rows::value(row, "token")?,
        from: rows::value(row, "peer")?,
        what: rows::value(row, "what")?,
        device: rows::value::<Option<&str>>(row, "device")?.map(DeviceId::new),
        target: rows::value(row, "target")?,
        result: rows::value(row, "result")?,
    };
    Ok((rows::value(row, "key")?, entry))
}

/// Removes the oldest, from before a time.
pub(super) async fn prune(work: &Work<'_>, before: Timestamp, limit: u32) -> Result<Pruned, Fault> {
    let rows = work
        .execute(
            "DELETE FROM audit WHERE key IN (SELECT o.key FROM (SELECT key, at FROM audit ORDER BY key LIMIT $2) o \
             WHERE o.at < $1)",
            &[&before.micros(), &i64::from(limit)],
        )
        .await?;
    Ok(Pruned { rows, more: rows >= u64::from(limit), ..Pruned::default() })
}
