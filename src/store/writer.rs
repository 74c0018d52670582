//! The one writer: takes whatever waits, commits it in one transaction, and answers each sender after that.
//!
//! It has a thread of its own, because SQLite's calls block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::gauges::Gauges;
use super::{Engine, Outcome, StoreError, Write};

/// A write and who waits for it.
pub(super) struct Job {
    pub(super) write: Write,
    pub(super) answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

type Answers = Vec<Result<Outcome, StoreError>>;

/// Starts the writer's thread; the channel turns true when it has ended and dropped the engine.
pub(super) fn spawn<E: Engine>(
    engine: E,
    waiting: mpsc::Receiver<Job>,
    batch_max: usize,
) -> Result<watch::Receiver<bool>, StoreError> {
    let runtime =
        Handle::try_current().map_err(|_| StoreError::Failed("there is no runtime around it".to_owned()))?;
    let (end, ended) = watch::channel(false);
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            run(engine, &runtime, waiting, batch_max);
            end.send_replace(true);
        })
        .map_err(|error| StoreError::Failed(format!("no thread for the writer: {error}")))?;
    Ok(ended)
}

fn run<E: Engine>(mut engine: E, runtime: &Handle, mut waiting: mpsc::Receiver<Job>, batch_max: usize) {
    let mut writes = Vec::new();
    let mut senders = Vec::new();
    let gauges = Gauges::new();
    while let Some(first) = waiting.blocking_recv() {
        let mut next = Some(first);
        while let Some(job) = next {
            writes.push(job.write);
            senders.push(job.answer);
            next = if writes.len() < batch_max { waiting.try_recv().ok() } else { None };
        }
        let began = Instant::now();
        let answers = settle(&mut engine, runtime, &writes);
        gauges.committed(began.elapsed(), writes.len(), waiting.len());
        for (sender, answer) in senders.drain(..).zip(answers) {
            // Whoever asked may have gone; the write stands all the same.
            drop(sender.send(answer));
        }
        writes.clear();
    }
    // A drop of the engine that panics must still end the writer in order.
    drop(catch_unwind(AssertUnwindSafe(move || drop(engine))));
}

/// One answer for each write. A batch that failed is tried singly, so that one bad write rejects no neighbour.
fn settle<E: Engine>(engine: &mut E, runtime: &Handle, writes: &[Write]) -> Answers {
    let error = match commit(engine, runtime, writes) {
        Ok(answers) => return answers,
        Err(error) => error,
    };
    tracing::warn!(%error, writes = writes.len(), "the store took nothing of a batch");
    if writes.len() == 1 || !worth_trying_singly(&error) {
        return writes.iter().map(|_| Err(error.clone())).collect();
    }
    let single = |write| {
        commit(engine, runtime, std::slice::from_ref(write)).and_then(|mut answers| {
            answers.pop().unwrap_or_else(|| Err(StoreError::Failed("the engine gave no answer".to_owned())))
        })
    };
    writes.iter().map(single).collect()
}

fn commit<E: Engine>(engine: &mut E, runtime: &Handle, writes: &[Write]) -> Result<Answers, StoreError> {
    let attempt = catch_unwind(AssertUnwindSafe(|| runtime.block_on(engine.commit(writes))));
    let answers = attempt.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(StoreError::Failed(format!("a write made the writer panic: {text}")))
    })?;
    if answers.len() == writes.len() {
        Ok(answers)
    } else {
        Err(StoreError::Failed(format!("{} answers to {} writes", answers.len(), writes.len())))
    }
}

/// Whether the failure may be the fault of one of the writes rather than of the database as a whole.
fn worth_trying_singly(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict(_)
        | StoreError::NotFound(_)
        | StoreError::Refused(_)
        | StoreError::Failed(_) => true,
        StoreError::Busy
        | StoreError::Closed
        | StoreError::Full(_)
        | StoreError::ReadOnly(_)
        | StoreError::TooNew { .. }
        | StoreError::InUse(_) => false,
    }
}
