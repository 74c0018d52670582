//! One batch: the transaction, the ledger's lock, a savepoint around every write, the ledger's end.

use bytes::Bytes;
use tokio_postgres::{Error, SimpleQueryMessage};

use super::connect::{Params, Session};
use super::error::{Fault, translate};
use super::pages::{self, Said, Small};
use super::{audit_log, device, people, prune, queue, record, report, rows, sessions};
use crate::model::{DeviceRef, Direction, HmacCheck, Seq, Timestamp, Verdict};
use crate::store::ledger::{GENESIS, Link, digest};
use crate::store::{Outcome, StoreError, Write};

/// What the writes of a batch work on.
pub(super) struct Work<'a> {
    session: &'a Session,
    tail: Tail,
    /// What its messages said, as far as it is not in pages yet.
    said: Vec<Said<'a>>,
}

/// The ledger's end.
#[derive(Clone, Copy)]
struct Tail {
    seq: Seq,
    hash: [u8; 32],
}

/// A message that is to be appended.
pub(super) struct Append<'a> {
    pub(super) at: Timestamp,
    pub(super) device: Option<&'a DeviceRef>,
    pub(super) direction: Direction,
    pub(super) verdict: Verdict,
    pub(super) hmac: Option<HmacCheck>,
    pub(super) peer: &'a str,
    pub(super) raw: &'a Bytes,
}

/// Applies every write, in order, and leaves the transaction open. Answers the outcomes and the transaction's
/// name.
pub(super) async fn run(
    session: &Session,
    small: &mut Small,
    batch: &[Write],
) -> Result<(Vec<Result<Outcome, StoreError>>, String), StoreError> {
    let failed = |error: Error| translate(&error);
    let xact = begin(session).await?;
    let mut work = Work { session, tail: tail(session).await?, said: Vec::new() };
    let mut outcomes = Vec::with_capacity(batch.len());
    for write in batch {
        if concerns_pages(write) {
            work.keep_said(small).await?;
        }
        let (before, said) = (work.tail, work.said.len());
        session.client().batch_execute("SAVEPOINT one").await.map_err(failed)?;
        // Boxed: the future of a whole write is large.
        match Box::pin(apply(&mut work, write)).await {
            Ok(outcome) => {
                session.client().batch_execute("RELEASE one").await.map_err(failed)?;
                outcomes.push(Ok(outcome));
            }
            Err(Fault::Write(error)) => {
                let undo = "ROLLBACK TO one; RELEASE one";
                session.client().batch_execute(undo).await.map_err(failed)?;
                work.tail = before;
                work.said.truncate(said);
                outcomes.push(Err(error));
            }
            Err(Fault::Batch(error)) => return Err(error),
        }
    }
    work.keep_said(small).await?;
    pages::merge_some(session, small).await.map_err(Fault::into_error)?;
    Ok((outcomes, xact))
}

/// Whether what was said before it must be in its place.
const fn concerns_pages(write: &Write) -> bool {
    match write {
        Write::Forget(_) | Write::Prune(_) | Write::File => true,
        Write::Report(_)
        | Write::Enqueue(_)
        | Write::Lease { .. }
        | Write::HandBack { .. }
        | Write::Said { .. }
        | Write::Cancel { .. }
        | Write::Sweep { .. }
        | Write::Device(_)
        | Write::User(_)
        | Write::Audit(_)
        | Write::Probe { .. }
        | Write::Record(_)
        | Write::Records(_) => false,
    }
}

async fn apply<'a>(work: &mut Work<'a>, write: &'a Write) -> Result<Outcome, Fault> {
    match write {
        Write::Report(report) => Ok(Outcome::Reported(report::store(work, report).await?)),
        Write::Enqueue(draft) => Ok(Outcome::Enqueued(Box::new(queue::enqueue(work, draft).await?))),
        Write::Lease { via, last, at, until, attempts_max, peer, dress } => {
            let dress = dress.as_ref();
            let (last, at, until, attempts_max) = (*last, *at, *until, *attempts_max);
            let ask = queue::Ask { via, last, at, until, attempts_max, peer, dress };
            Ok(Outcome::Leased(Box::new(queue::lease(work, &ask).await?)))
        }
        Write::HandBack { id, at, reason } => {
            Ok(Outcome::Changed(vec![queue::hand_back(work, id, *at, reason).await?]))
        }
        Write::Said { device, at, peer, raw } => {
            queue::said(work, device, *at, peer, raw).await.map(|()| Outcome::Done)
        }
        Write::Cancel { id, at, by } => Ok(Outcome::Changed(vec![queue::cancel(work, id, *at, by).await?])),
        Write::Sweep { at, attempts_max } => {
            sessions::end(work, *at).await?;
            Ok(Outcome::Changed(queue::sweep(work, *at, *attempts_max).await?))
        }
        Write::Device(device) => device::set(work, device).await.map(|()| Outcome::Done),
        Write::Forget(id) => device::forget(work, id).await.map(|()| Outcome::Done),
        // Everything is in its place when its transaction ends.
        Write::File => Ok(Outcome::Done),
        Write::Audit(entry) => audit_log::add(work, entry).await.map(|()| Outcome::Done),
        Write::User(change) => people::change(work, change).await,
        Write::Prune(piece) => prune::apply(work, piece).await.map(Outcome::Pruned),
        Write::Probe { at, bytes } => people::probe(work, *at, *bytes).await.map(|()| Outcome::Done),
        Write::Record(write) => record::apply(work, write).await.map(|()| Outcome::Done),
        Write::Records(writes) => {
            for write in writes {
                record::apply(work, write).await?;
            }
            Ok(Outcome::Done)
        }
    }
}

/// Opens the transaction and takes the lock. In a statement of its own: every later statement then sees what
/// the lock's last holder committed.
async fn begin(session: &Session) -> Result<String, StoreError> {
    let client = session.client();
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT current_setting('transaction_read_only')";
    if last_text(client.simple_query(begin).await).map_err(|error| translate(&error))? == "on" {
        return Err(StoreError::ReadOnly(
            "PostgreSQL says that it is read-only: is this URL a standby's?".to_owned(),
        ));
    }
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK}); SELECT pg_current_xact_id()::text");
    last_text(client.simple_query(&lock).await).map_err(|error| translate(&error))
}

fn last_text(answer: Result<Vec<SimpleQueryMessage>, Error>) -> Result<String, Error> {
    let rows = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(rows.last().unwrap_or_default())
}

async fn tail(session: &Session) -> Result<Tail, StoreError> {
    let row = session
        .first("SELECT seq, hash FROM message ORDER BY seq DESC LIMIT 1", &[])
        .await
        .map_err(|error| translate(&error))?;
    match row {
        Some(row) => Ok(Tail { seq: Seq(rows::value(&row, "seq")?), hash: rows::hash(&row, "hash")? }),
        None => Ok(Tail { seq: Seq(0), hash: GENESIS }),
    }
}

impl<'a> Work<'a> {
    /// Notes what a message said.
    pub(super) fn say(&mut self, said: Said<'a>) {
        self.said.push(said);
    }

    /// The session, for work on pages.
    pub(super) const fn session(&self) -> &Session {
        self.session
    }

    /// Puts what the messages said so far into pages.
    async fn keep_said(&mut self, small: &mut Small) -> Result<(), StoreError> {
        if self.said.is_empty() {
            return Ok(());
        }
        let said = std::mem::take(&mut self.said);
        pages::keep(self.session, small, &said).await.map_err(Fault::into_error)
    }

    /// Rows of a query.
    pub(super) async fn query(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        Ok(self.session.query(sql, params).await?)
    }

    /// The first row of a query.
    pub(super) async fn first(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<tokio_postgres::Row>, Fault> {
        Ok(self.session.first(sql, params).await?)
    }

    /// Runs a statement; answers the number of rows it touched.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Fault> {
        Ok(self.session.execute(sql, params).await?)
    }

    /// The place of the next message.
    pub(super) fn next(&self) -> Seq {
        Seq(self.tail.seq.0 + 1)
    }

    /// Appends a message to the ledger.
    pub(super) async fn append(&mut self, entry: &Append<'_>) -> Result<Seq, Fault> {
        let (family, address, name) = match entry.device {
            Some(names) => (names.family.as_str(), names.address.as_str(), names.name.as_str()),
            None => ("", "", ""),
        };
        let link = Link {
            seq: self.next(),
            at: entry.at,
            family,
            address,
            direction: entry.direction,
            verdict: entry.verdict,
            peer: entry.peer,
            digest: digest(entry.raw),
        };
        let hash = link.hash(&self.tail.hash);
        self.execute(
            "INSERT INTO message (seq, at, device, family, address, name, direction, verdict, peer, \
             raw, digest, hash, hmac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                &link.seq.0,
                &link.at.micros(),
                &entry.device.map(|names| names.id.as_str()),
                &family,
                &address,
                &name,
                &link.direction.as_str(),
                &link.verdict.as_str(),
                &link.peer,
                &entry.raw.as_ref(),
                &link.digest.as_slice(),
                &hash.as_slice(),
                &entry.hmac.map(HmacCheck::as_str),
            ],
        )
        .await?;
        self.tail = Tail { seq: link.seq, hash };
        Ok(link.seq)
    }
}

/// The advisory lock that a writing transaction holds: `homeport` in ASCII.
pub(super) const LOCK: i64 = 0x686f_6d65_706f_7274;
