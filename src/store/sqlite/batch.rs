//! One transaction over a batch of writes. A refused write leaves no trace and rejects no neighbour: the batch that
//! has one is applied anew, with a savepoint for each write.

use rusqlite::Connection;

use super::journal::Journal;
use super::recall::Recall;
use super::{audit_log, device, filing, people, prune, queue, record, report, sessions};
use crate::store::{Outcome, StoreError, Write};

type Outcomes = Vec<Result<Outcome, StoreError>>;

/// Applies the batch; it is on disk when this returns.
pub(super) fn commit(db: &Connection, recall: &mut Recall, batch: &[Write]) -> Result<Outcomes, StoreError> {
    // Savepoints copy every page before it changes, and hardly ever is a write refused.
    match within(db, recall, |recall, journal| together(db, recall, journal, batch)) {
        Err(error) if is_own_fault(&error) => {
            within(db, recall, |recall, journal| singly(db, recall, journal, batch))
        }
        outcome => outcome,
    }
}

/// Files the inbox and merges some pages, in a transaction of its own.
pub(super) fn file(db: &Connection, recall: &mut Recall) -> Result<(), StoreError> {
    within(db, recall, |recall, _| {
        filing::file(db, recall)?;
        recall.prints.place_some(db)?;
        filing::merge(db, recall)
    })
}

/// Runs one transaction, and keeps what is remembered in step with it.
fn within<T>(
    db: &Connection,
    recall: &mut Recall,
    work: impl FnOnce(&mut Recall, &mut Journal<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if !db.is_autocommit() {
        // A panic left one open.
        roll_back(db, recall);
    }
    db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut journal = recall.journal(db)?;
    let done = work(recall, &mut journal);
    // Its statements go back to where others find them.
    let end = journal.end();
    drop(journal);
    let done = done
        .and_then(|done| recall.inbox.write(db).map(|()| done))
        .and_then(|done| Ok(db.prepare_cached("COMMIT")?.execute([]).map(|_| done)?));
    match done {
        Ok(done) => {
            recall.commit(end);
            Ok(done)
        }
        Err(error) => {
            roll_back(db, recall);
            Err(error)
        }
    }
}

fn roll_back(db: &Connection, recall: &mut Recall) {
    recall.roll_back();
    // Some errors end the transaction by themselves.
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn together(
    db: &Connection,
    recall: &mut Recall,
    journal: &mut Journal<'_>,
    batch: &[Write],
) -> Result<Outcomes, StoreError> {
    batch.iter().map(|write| apply(db, recall, journal, write).map(Ok)).collect()
}

fn singly(
    db: &Connection,
    recall: &mut Recall,
    journal: &mut Journal<'_>,
    batch: &[Write],
) -> Result<Outcomes, StoreError> {
    let mut outcomes = Vec::with_capacity(batch.len());
    for write in batch {
        let (before, mark) = (journal.end(), recall.inbox.mark());
        db.prepare_cached("SAVEPOINT one_write")?.execute([])?;
        let outcome = apply(db, recall, journal, write);
        match &outcome {
            Ok(_) => {}
            Err(error) if is_own_fault(error) => {
                db.prepare_cached("ROLLBACK TO one_write")?.execute([])?;
                journal.roll_back_to(before);
                recall.inbox.roll_back_to(mark);
                recall.forget();
            }
            Err(error) => return Err(error.clone()),
        }
        db.prepare_cached("RELEASE one_write")?.execute([])?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn apply(
    db: &Connection,
    recall: &mut Recall,
    journal: &mut Journal<'_>,
    write: &Write,
) -> Result<Outcome, StoreError> {
    match write {
        Write::Report(report) => report::store(db, journal, recall, report).map(Outcome::Reported),
        Write::Enqueue(draft) => {
            recall.await_too([&draft.device.id, &draft.via.id]);
            queue::enqueue(db, draft).map(|queued| Outcome::Enqueued(Box::new(queued)))
        }
        Write::Lease { via, last, at, until, attempts_max, peer, dress } => {
            let dress = dress.as_ref();
            let (last, at, until, attempts_max) = (*last, *at, *until, *attempts_max);
            let asked = queue::Asked { via, last, at, until, attempts_max, peer, dress };
            let leased = queue::lease(db, journal, &asked)?;
            if until.is_none() {
                recall.close_one();
            }
            Ok(Outcome::Leased(Box::new(leased)))
        }
        Write::HandBack { id, at, reason } => {
            recall.forget();
            queue::hand_back(db, id, *at, reason).map(Outcome::Changed)
        }
        Write::Said { device, at, peer, raw } => {
            queue::said(journal, device, *at, peer, raw).map(|()| Outcome::Done)
        }
        Write::Cancel { id, at, by } => {
            recall.close_one();
            queue::cancel(db, id, *at, by).map(Outcome::Changed)
        }
        Write::Sweep { at, attempts_max } => {
            sessions::end(db, *at)?;
            let changed = queue::sweep(db, *at, *attempts_max)?;
            if !changed.is_empty() {
                recall.close_one();
            }
            recall.sweep();
            Ok(Outcome::Changed(changed))
        }
        Write::Device(device) => {
            recall.forget();
            device::set(db, device).map(|()| Outcome::Done)
        }
        Write::Forget(id) => {
            recall.forget();
            device::forget(db, id).map(|()| Outcome::Done)
        }
        Write::File => filing::file(db, recall).map(|()| Outcome::Done),
        Write::User(write) => people::apply(db, write),
        Write::Audit(entry) => audit_log::add(db, entry).map(|()| Outcome::Done),
        Write::Prune(work) => {
            if prune::concerns_filed(work) {
                filing::file(db, recall)?;
            }
            prune::apply(db, &mut recall.prints, work).map(Outcome::Pruned)
        }
        Write::Probe { at, bytes } => people::probe(db, *at, *bytes).map(|()| Outcome::Done),
        Write::Record(write) => record::apply(db, write).map(|()| Outcome::Done),
        Write::Records(writes) => {
            writes.iter().try_for_each(|write| record::apply(db, write)).map(|()| Outcome::Done)
        }
    }
}

/// Whether the write was refused for what it asks, not for what the database can do.
fn is_own_fault(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict(_) | StoreError::NotFound(_) | StoreError::Refused(_) => true,
        StoreError::Busy
        | StoreError::Closed
        | StoreError::Full(_)
        | StoreError::ReadOnly(_)
        | StoreError::TooNew { .. }
        | StoreError::InUse(_)
        | StoreError::Failed(_) => false,
    }
}
