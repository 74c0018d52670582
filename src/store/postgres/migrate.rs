//! The schema's steps: applied once, in order, under a lock, and checked against what was applied.

use super::connect::Session;
use super::convert;
use super::error::translate;
use crate::store::migrate::{Applied, Migration, missing, newest};
use crate::store::{Inspection, StoreError};

/// Brings the database to the newest schema. Servers that start at once wait for each other.
pub(super) async fn migrate(session: &Session) -> Result<(), StoreError> {
    let client = session.client();
    let begin =
        format!("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK}); {HISTORY}");
    client.batch_execute(&begin).await.map_err(|error| translate(&error))?;
    match apply(session).await {
        Ok(()) => client.batch_execute("COMMIT").await.map_err(|error| translate(&error)),
        Err(error) => {
            // The cause is what matters; a failed ROLLBACK means the connection is gone, which undoes as well.
            drop(client.batch_execute("ROLLBACK").await);
            Err(error)
        }
    }
}

/// Which schema a database has; changes nothing.
pub(super) async fn look(session: &Session) -> Result<Inspection, StoreError> {
    let place = "PostgreSQL".to_owned();
    let known = newest(&STEPS);
    let there = session.first("SELECT to_regclass('schema_step')::text", &[]).await;
    let there = there.map_err(|error| translate(&error))?;
    if there.and_then(|row| row.get::<_, Option<String>>(0)).is_none() {
        return Ok(Inspection { place, schema: None, newest: known });
    }
    let row = session.first("SELECT max(version) FROM schema_step", &[]).await;
    let version = row.map_err(|error| translate(&error))?.and_then(|row| row.get::<_, Option<i32>>(0));
    let schema = version.map(|version| u32::try_from(version).unwrap_or(u32::MAX));
    Ok(Inspection { place, schema, newest: known })
}

async fn apply(session: &Session) -> Result<(), StoreError> {
    let rows = session
        .query("SELECT version, checksum FROM schema_step", &[])
        .await
        .map_err(|error| translate(&error))?;
    let number = |version: i32| u32::try_from(version).unwrap_or(u32::MAX);
    let applied: Vec<Applied> = rows.iter().map(|row| (number(row.get(0)), row.get(1))).collect();
    for step in missing(&STEPS, &applied)? {
        session.client().batch_execute(step.sql).await.map_err(|error| translate(&error))?;
        if step.version == PAGES {
            convert::readings(session).await?;
        }
        session
            .execute(
                "INSERT INTO schema_step (version, name, checksum) VALUES ($1, $2, $3)",
                &[&i32::try_from(step.version).unwrap_or(i32::MAX), &step.name, &step.checksum().as_slice()],
            )
            .await
            .map_err(|error| translate(&error))?;
    }
    Ok(())
}

/// The step after which rows are packed.
const PAGES: u32 = 3;

/// Every step, oldest first.
const STEPS: [Migration; 6] = [
    Migration { version: 1, name: "0001_start.sql", sql: include_str!("migrations/0001_start.sql") },
    Migration { version: 2, name: "0002_records.sql", sql: include_str!("migrations/0002_records.sql") },
    Migration { version: 3, name: "0003_pages.sql", sql: include_str!("migrations/0003_pages.sql") },
    Migration { version: 4, name: "0004_people.sql", sql: include_str!("migrations/0004_people.sql") },
    Migration { version: 5, name: "0005_sessions.sql", sql: include_str!("migrations/0005_sessions.sql") },
    Migration { version: 6, name: "0006_audit.sql", sql: include_str!("migrations/0006_audit.sql") },
];

/// The advisory lock of migrations: `hpschema` in ASCII.
const LOCK: i64 = 0x6870_7363_6865_6d61;

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_step (
    version  integer PRIMARY KEY,
    name     text NOT NULL,
    checksum bytea NOT NULL,
    applied  timestamptz NOT NULL DEFAULT now()
)";
