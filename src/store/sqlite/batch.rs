//! One transaction over a batch of writes, with a savepoint for each, so that a refused write leaves no trace
//! and rejects no neighbour.

use rusqlite::{Connection, TransactionBehavior};

use super::journal::Journal;
use super::{device, people, prune, queue, record, report};
use crate::store::{Outcome, StoreError, Write};

/// Applies the batch; it is on disk when this returns.
pub(super) fn commit(
    db: &mut Connection,
    batch: &[Write],
) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut journal = Journal::at_end(&tx)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for write in batch {
        let before = journal;
        tx.prepare_cached("SAVEPOINT one_write")?.execute([])?;
        let outcome = apply(&tx, &mut journal, write);
        match &outcome {
            Ok(_) => {}
            Err(error) if is_own_fault(error) => {
                tx.prepare_cached("ROLLBACK TO one_write")?.execute([])?;
                journal = before;
            }
            Err(error) => return Err(error.clone()),
        }
        tx.prepare_cached("RELEASE one_write")?.execute([])?;
        outcomes.push(outcome);
    }
    tx.commit()?;
    Ok(outcomes)
}

fn apply(db: &Connection, journal: &mut Journal, write: &Write) -> Result<Outcome, StoreError> {
    match write {
        Write::Report(report) => report::store(db, journal, report).map(Outcome::Reported),
        Write::Enqueue(draft) => queue::enqueue(db, draft).map(Outcome::Enqueued),
        Write::Lease { via, last, at, until, attempts_max, peer } => {
            let asked =
                queue::Asked { via, last: *last, at: *at, until: *until, attempts_max: *attempts_max, peer };
            queue::lease(db, journal, &asked).map(Outcome::Leased)
        }
        Write::Cancel { id, at, by } => queue::cancel(db, id, *at, by).map(Outcome::Changed),
        Write::Sweep { at, attempts_max } => {
            people::end_sessions(db, *at)?;
            queue::sweep(db, *at, *attempts_max).map(Outcome::Changed)
        }
        Write::Device(device) => device::set(db, device).map(|()| Outcome::Done),
        Write::Forget(id) => device::forget(db, id).map(|()| Outcome::Done),
        Write::User(write) => people::apply(db, write).map(|()| Outcome::Done),
        Write::Prune(work) => prune::apply(db, work).map(Outcome::Pruned),
        Write::Probe { at, bytes } => people::probe(db, *at, *bytes).map(|()| Outcome::Done),
        Write::Record(write) => record::apply(db, write).map(|()| Outcome::Done),
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
