//! The connections that only read, and how a task asks one of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    audit_log, backup, connection, prune, read_commands, read_devices, read_messages, read_pages,
    read_people, record, sessions,
};
use crate::model::{
    Admission, AuditEntry, CommandId, CommandRecord, Credential, Datum, Device, DeviceId, MessageRecord,
    Record, Seq, Session, Standing, Timestamp, Token, User, UserId, WireId,
};
use crate::store::{
    Answer, AuditFilter, Backup, Bucket, BucketFilter, Bulk, CommandFilter, DataFilter, DeviceFilter,
    LedgerPage, MessageFilter, Queue, Reader, RecordFilter, Stats, StoreError, Weight, Write,
};

/// Connections that read at the same time; further reads wait for one of them.
const CONNECTIONS_MAX: usize = 4;

/// A read that takes longer is ended: while it lasts, the journal cannot be folded into the database.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A few connections, opened when first needed.
pub(super) struct Readers {
    pool: Arc<Pool>,
    turns: Arc<Semaphore>,
    /// One backup at a time.
    copying: Arc<Semaphore>,
    /// How many messages are stored whose values are not in their places.
    unfiled: Arc<AtomicUsize>,
    queue: OnceLock<Weak<Queue>>,
}

struct Pool {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    /// Readers of one file.
    pub(super) fn new(path: &Path, unfiled: Arc<AtomicUsize>) -> Self {
        let pool = Pool { path: path.to_owned(), idle: Mutex::new(Some(Vec::new())) };
        Self {
            pool: Arc::new(pool),
            turns: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            copying: Arc::new(Semaphore::new(1)),
            unfiled,
            queue: OnceLock::new(),
        }
    }

    /// Where to ask for filing.
    pub(super) fn connect(&self, queue: Weak<Queue>) {
        // A second queue would be one of the same writer.
        self.queue.get_or_init(|| queue);
    }

    /// The same as [`Readers::ask`], of what messages said: first all of it is put into its place.
    fn ask_filed<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move {
            if self.unfiled.load(Ordering::Acquire) > 0
                && let Some(queue) = self.queue.get().and_then(Weak::upgrade)
                && let Err(error) = queue.write(Write::File).await
            {
                tracing::debug!(%error, "read without what the newest messages said");
            }
            self.ask(read).await
        })
    }

    /// Closes the connections that rest; those at work close when they are done. The writer's is then the last
    /// one, and when it closes, SQLite folds the journal into the database and removes it.
    pub(super) fn close(&self) {
        drop(self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Runs a read on a connection of its own, on a thread that may block. All it reads is of one moment.
    fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StoreError::Closed)?;
            let db = self.pool.take()?;
            let stop = db.get_interrupt_handle();
            let pool = Arc::clone(&self.pool);
            let mut work = tokio::task::spawn_blocking(move || {
                let answer = db.unchecked_transaction().map_err(StoreError::from).and_then(|tx| read(&tx));
                // Back even when nobody waits for the answer any more; the turn ends after that.
                pool.give_back(db);
                drop(turn);
                answer
            });
            let answer = if let Ok(answer) = tokio::time::timeout(READ_TIMEOUT, &mut work).await {
                answer
            } else {
                stop.interrupt();
                work.await
            };
            answer.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
        })
    }
}

impl Pool {
    fn take(&self) -> Result<Connection, StoreError> {
        let idle = match self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Closed),
        };
        idle.map_or_else(|| connection::for_reading(&self.path), Ok)
    }

    fn give_back(&self, db: Connection) {
        if let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            idle.push(db);
        }
    }
}

impl Reader for Readers {
    fn all_devices(&self) -> Answer<'_, Vec<Device>> {
        self.ask_filed(read_devices::all)
    }

    fn devices(&self, filter: DeviceFilter) -> Answer<'_, Vec<Device>> {
        self.ask_filed(move |db| read_devices::page(db, &filter))
    }

    fn pending(&self, at: Timestamp) -> Answer<'_, Vec<DeviceId>> {
        self.ask(move |db| read_commands::pending(db, at))
    }

    fn messages(&self, filter: MessageFilter) -> Answer<'_, Vec<MessageRecord>> {
        self.ask_filed(move |db| read_messages::page(db, &filter))
    }

    fn messages_after(&self, entry: Seq, limit: u32) -> Answer<'_, Vec<MessageRecord>> {
        self.ask(move |db| read_messages::after(db, entry, limit))
    }

    fn message(&self, seq: Seq) -> Answer<'_, Option<MessageRecord>> {
        self.ask(move |db| read_messages::one(db, seq))
    }

    fn commands(&self, filter: CommandFilter) -> Answer<'_, Vec<CommandRecord>> {
        self.ask(move |db| read_commands::commands(db, &filter))
    }

    fn command(&self, id: CommandId) -> Answer<'_, Option<CommandRecord>> {
        self.ask(move |db| read_commands::command(db, &id))
    }

    fn next_wire_id(&self, via: DeviceId) -> Answer<'_, WireId> {
        self.ask(move |db| read_commands::next_wire_id(db, &via))
    }

    fn data(&self, filter: DataFilter) -> Answer<'_, Vec<(DeviceId, Datum)>> {
        if filter.upto.is_some() {
            return self.ask(move |db| read_pages::data(db, &filter));
        }
        self.ask_filed(move |db| read_pages::data(db, &filter))
    }

    fn buckets(&self, filter: BucketFilter) -> Answer<'_, Vec<Bucket>> {
        self.ask_filed(move |db| read_pages::buckets(db, &filter))
    }

    fn latest(&self, device: DeviceId) -> Answer<'_, Vec<Datum>> {
        self.ask_filed(move |db| read_pages::latest(db, &device))
    }

    fn latest_each(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<(DeviceId, Vec<Datum>)>> {
        self.ask_filed(move |db| {
            let one = |device: DeviceId| {
                let latest = read_pages::latest(db, &device)?;
                Ok((device, latest))
            };
            devices.into_iter().map(one).collect()
        })
    }

    fn quarters(&self, device: DeviceId) -> Answer<'_, Vec<Timestamp>> {
        self.ask_filed(move |db| read_pages::quarters(db, &device))
    }

    fn ledger(&self, from: Seq, limit: u32) -> Answer<'_, LedgerPage> {
        self.ask(move |db| read_messages::ledger(db, from, limit))
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        self.ask(read_people::users)
    }

    fn credential(&self, name: String) -> Answer<'_, Option<Credential>> {
        self.ask(move |db| read_people::credential(db, &name))
    }

    fn admission(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Admission, Session, User)>> {
        self.ask(move |db| sessions::admission(db, &secret_hash))
    }

    fn sessions(&self, user: Option<UserId>) -> Answer<'_, Vec<Session>> {
        self.ask(move |db| sessions::list(db, user.as_ref()))
    }

    fn standing(&self, ids: Vec<String>) -> Answer<'_, Vec<Standing>> {
        self.ask(move |db| sessions::standing(db, &ids))
    }

    fn token(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Token, User)>> {
        self.ask(move |db| read_people::token(db, &secret_hash))
    }

    fn tokens(&self, user: Option<UserId>) -> Answer<'_, Vec<Token>> {
        self.ask(move |db| read_people::tokens(db, user.as_ref()))
    }

    fn stats(&self) -> Answer<'_, Stats> {
        self.ask(read_devices::stats)
    }

    fn bytes(&self) -> Answer<'_, i64> {
        self.ask(read_devices::bytes)
    }

    fn pruned(&self, what: Bulk) -> Answer<'_, Seq> {
        self.ask(move |db| prune::mark(db, what))
    }

    fn first_since(&self, at: Timestamp) -> Answer<'_, Seq> {
        self.ask(move |db| prune::first_since(db, at))
    }

    fn weigh(&self, what: Bulk, after: Seq, limit: u32) -> Answer<'_, Weight> {
        self.ask_filed(move |db| prune::weigh(db, what, after, limit))
    }

    fn backup(&self) -> Answer<'_, Backup> {
        Box::pin(async move {
            let turn = Arc::clone(&self.copying).try_acquire_owned();
            let _turn =
                turn.map_err(|_| StoreError::Refused("a backup is being made: wait for it".to_owned()))?;
            backup::beside(&self.pool.path).await
        })
    }

    fn records(&self, filter: RecordFilter) -> Answer<'_, Vec<Record>> {
        self.ask(move |db| record::page(db, &filter))
    }

    fn audit_log(&self, filter: AuditFilter) -> Answer<'_, Vec<(i64, AuditEntry)>> {
        self.ask(move |db| audit_log::page(db, &filter))
    }

    fn note(&self, name: &'static str) -> Answer<'_, Option<Bytes>> {
        self.ask(move |db| read_people::note(db, name))
    }
}
