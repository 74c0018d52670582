//! The engine for more than one machine: PostgreSQL 14 or newer, behind the same seam as SQLite.
//!
//! A batch is one transaction on a connection of the engine's own, with a savepoint around every write. It
//! takes the ledger's advisory lock first and holds it to the end: of all servers on one database one writes
//! at a time, so every check a write makes still holds when it is committed, and the ledger has no gaps.
//! Reading has connections of its own and waits for nobody.

mod audit_log;
mod batch;
mod connect;
mod convert;
mod device;
mod error;
mod migrate;
mod pages;
mod people;
mod prune;
mod queue;
mod read_pages;
mod reader;
mod record;
mod report;
mod rows;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use connect::{Address, Session};
use reader::PostgresReader;

use super::{Engine, Inspection, Outcome, Reader, StoreError, Write};

/// PostgreSQL behind the seam.
pub struct PostgresEngine {
    address: Address,
    /// `None` while a batch is under way and after the connection was lost. A batch takes the session out
    /// and puts it back only when its transaction has ended, so one that is dropped half-way takes its
    /// connection with it, and the database undoes it.
    session: Option<Session>,
    reader: Arc<PostgresReader>,
    small: pages::Small,
}

/// An answer for each write of a batch.
type Answers = Vec<Result<Outcome, StoreError>>;

/// Why a batch was not committed.
enum Miss {
    /// The connection was lost, and nothing is stored.
    Lost(StoreError),
    /// Any other reason.
    Told(StoreError),
}

/// Which schema the database at `url` has; changes nothing.
///
/// # Errors
/// It cannot be reached.
pub async fn inspect(url: &str) -> Result<Inspection, StoreError> {
    migrate::look(&Address::parse(url)?.connect().await?).await
}

impl PostgresEngine {
    /// Connects to `url` (`postgres://…`) and brings the schema up to date.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] when a newer homeport made the schema; [`StoreError::Failed`] when the database
    /// cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let session = address.connect().await?;
        migrate::migrate(&session).await?;
        let reader = Arc::new(PostgresReader::new(address.clone()));
        Ok(Self { address, session: Some(session), reader, small: pages::Small::default() })
    }

    async fn session(&mut self) -> Result<Session, StoreError> {
        match self.session.take() {
            Some(session) if !session.is_closed() => Ok(session),
            Some(_) | None => self.address.connect().await,
        }
    }

    async fn attempt(&mut self, batch: &[Write]) -> Result<Answers, Miss> {
        let session = self.session().await.map_err(Miss::Told)?;
        match batch::run(&session, &mut self.small, batch).await {
            Ok((answers, xact)) => self.finish(session, &xact).await.map(|()| answers),
            Err(error) => {
                if session.client().batch_execute("ROLLBACK").await.is_err() {
                    return Err(Miss::Lost(error));
                }
                self.session = Some(session);
                Err(Miss::Told(error))
            }
        }
    }

    /// Commits; when the connection breaks on the way, asks the database whether it did.
    async fn finish(&mut self, session: Session, xact: &str) -> Result<(), Miss> {
        let error = match session.client().batch_execute("COMMIT").await {
            Ok(()) => {
                self.session = Some(session);
                return Ok(());
            }
            Err(error) => error,
        };
        drop(session);
        if !error::is_lost(&error) {
            return Err(Miss::Told(error::translate(&error)));
        }
        for _ in 0..ASK_TIMES {
            match self.ask(xact).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Miss::Lost(error::translate(&error))),
                Err(error) => {
                    tracing::warn!(%error, "the connection broke in a commit; asking what became of it");
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
        }
        Err(Miss::Told(StoreError::Failed(
            "PostgreSQL went away in a commit and does not come back: whether it is stored is unknown"
                .to_owned(),
        )))
    }

    /// Whether the transaction was committed. Waits for the ledger's lock, which it holds while it is open.
    async fn ask(&mut self, xact: &str) -> Result<bool, StoreError> {
        let session = self.address.connect().await?;
        let sql = format!("BEGIN; SELECT pg_advisory_xact_lock({}); COMMIT", batch::LOCK);
        session.client().batch_execute(&sql).await.map_err(|error| error::translate(&error))?;
        let row = session
            .first("SELECT pg_xact_status($1::text::xid8) = 'committed'", &[&xact])
            .await
            .map_err(|error| error::translate(&error))?;
        self.session = Some(session);
        Ok(row.and_then(|row| row.get::<_, Option<bool>>(0)).unwrap_or(false))
    }
}

impl Engine for PostgresEngine {
    async fn commit(&mut self, batch: &[Write]) -> Result<Answers, StoreError> {
        let again = match self.attempt(batch).await {
            Ok(answers) => return Ok(answers),
            Err(Miss::Told(error)) => return Err(error),
            Err(Miss::Lost(error)) => error,
        };
        // A database that was restarted costs a new connection, not a batch.
        tracing::info!(error = %again, "the connection to PostgreSQL was lost; trying the batch over a new one");
        self.attempt(batch).await.map_err(|miss| match miss {
            Miss::Told(error) | Miss::Lost(error) => error,
        })
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::<PostgresReader>::clone(&self.reader)
    }
}

/// How often a broken commit is asked after, each time over a new connection: for half a minute or more.
const ASK_TIMES: usize = 30;
const ASK_EVERY: Duration = Duration::from_secs(1);
