//! The schema's steps, and how a file gets those it lacks.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;
use crate::store::migrate::{self, Applied, Migration};

const STEPS: [Migration; 8] = [
    Migration { version: 1, name: "0001_start.sql", sql: include_str!("migrations/0001_start.sql") },
    Migration { version: 2, name: "0002_records.sql", sql: include_str!("migrations/0002_records.sql") },
    Migration { version: 3, name: "0003_inbox.sql", sql: include_str!("migrations/0003_inbox.sql") },
    Migration { version: 4, name: "0004_pages.sql", sql: include_str!("migrations/0004_pages.sql") },
    Migration {
        version: 5,
        name: "0005_rows_of_many.sql",
        sql: include_str!("migrations/0005_rows_of_many.sql"),
    },
    Migration { version: 6, name: "0006_people.sql", sql: include_str!("migrations/0006_people.sql") },
    Migration { version: 7, name: "0007_sessions.sql", sql: include_str!("migrations/0007_sessions.sql") },
    Migration { version: 8, name: "0008_audit.sql", sql: include_str!("migrations/0008_audit.sql") },
];

/// The step after which rows are packed.
const PAGES: u32 = 4;

/// The step after which lists of messages are packed.
const LISTS: u32 = 5;

/// The newest schema.
pub(super) fn newest() -> u32 {
    migrate::newest(&STEPS)
}

/// Applies what is missing, all in one exclusive transaction.
pub(super) fn bring_up_to_date(db: &mut Connection) -> Result<(), StoreError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    refuse_newer(&tx)?;
    let known = migrate::newest(&STEPS);
    tx.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_step (
            version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum BLOB NOT NULL
         ) STRICT",
    )?;
    let applied = applied(&tx)?;
    for step in migrate::missing(&STEPS, &applied)? {
        tx.execute_batch(step.sql)?;
        if step.version == PAGES {
            super::convert::readings(&tx)?;
        }
        if step.version == LISTS {
            super::convert::lists(&tx)?;
        }
        tx.execute(
            "INSERT INTO schema_step (version, name, checksum) VALUES (?, ?, ?)",
            (step.version, step.name, step.checksum()),
        )?;
    }
    tx.execute(
        "INSERT OR IGNORE INTO note (name, body) VALUES ('server', ?)",
        [uuid::Uuid::new_v4().simple().to_string().into_bytes()],
    )?;
    tx.pragma_update(None, "user_version", known)?;
    Ok(tx.commit()?)
}

/// Refuses what a newer homeport made.
pub(super) fn refuse_newer(db: &Connection) -> Result<(), StoreError> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = migrate::newest(&STEPS);
    if found > known { Err(StoreError::TooNew { found, known }) } else { Ok(()) }
}

fn applied(db: &Connection) -> Result<Vec<Applied>, StoreError> {
    let mut steps = db.prepare("SELECT version, checksum FROM schema_step ORDER BY version")?;
    let rows = steps.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
