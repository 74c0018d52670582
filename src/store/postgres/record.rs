//! Small documents: writing them.

use super::batch::Work;
use super::error::Fault;
use crate::model::DeviceId;
use crate::store::{RecordWrite, StoreError};

/// Keeps, replaces or removes one. Whoever writes holds the lock, so what is looked at here stays as it is.
pub(super) async fn apply(work: &Work<'_>, write: &RecordWrite) -> Result<(), Fault> {
    if let Some(was) = &write.was {
        let sql = "UPDATE record SET at = at WHERE kind = $1 AND key = $2 AND body = $3";
        if work.execute(sql, &[&write.kind, &write.key, was]).await? == 0 {
            let text = format!("the {} {} has changed", write.kind, write.key);
            return Err(StoreError::Conflict(text).into());
        }
    }
    let Some(body) = &write.body else {
        let sql = "DELETE FROM record WHERE kind = $1 AND key = $2";
        work.execute(sql, &[&write.kind, &write.key]).await?;
        return Ok(());
    };
    let taken = if write.only_new { "NOTHING" } else { REPLACE };
    let sql = format!(
        "INSERT INTO record (kind, key, device, at, body) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (kind, key) DO {taken}"
    );
    let device = write.device.as_ref().map(DeviceId::as_str);
    if work.execute(&sql, &[&write.kind, &write.key, &device, &write.at.micros(), body]).await? == 0 {
        let text = format!("there is a {} {} already", write.kind, write.key);
        return Err(StoreError::Conflict(text).into());
    }
    if let Some(max) = write.keep_max {
        work.execute(
            "DELETE FROM record WHERE kind = $1 AND key IN (SELECT key FROM record WHERE kind = $1 \
             ORDER BY at DESC, key DESC OFFSET $2)",
            &[&write.kind, &i64::from(max)],
        )
        .await?;
    }
    Ok(())
}

const REPLACE: &str = "UPDATE SET device = excluded.device, at = excluded.at, body = excluded.body";
