//! The one writer: takes whatever waits, commits it in one transaction, and answers each sender after that.
//!
//! It has a thread of its own, because SQLite's calls block. Writes that come while others are being committed wait
//! a little for company, so that they share a sync; a write that comes alone never waits.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::gauges::Gauges;
use super::{Engine, Outcome, StoreError, Write};

/// A write and who waits for it.
pub(super) struct Job {
    write: Write,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// The writes that wait for the writer.
pub struct Queue {
    /// `None` once closed.
    sender: RwLock<Option<SyncSender<Job>>>,
    length: Arc<AtomicUsize>,
}

/// The writer's end of the queue.
pub(super) struct Waiting {
    jobs: Receiver<Job>,
    length: Arc<AtomicUsize>,
}

impl Queue {
    /// A queue of at most so many writes, and its other end.
    pub(super) fn new(max: usize) -> (Arc<Self>, Waiting) {
        let (sender, jobs) = mpsc::sync_channel(max);
        let length = Arc::new(AtomicUsize::new(0));
        let waiting = Waiting { jobs, length: Arc::clone(&length) };
        (Arc::new(Self { sender: RwLock::new(Some(sender)), length }), waiting)
    }

    /// Sends a write; what is given waits for what became of it. See [`super::Store::write`].
    pub(super) fn write(&self, write: Write) -> Written {
        Written(self.send(write).map_err(Some))
    }

    fn send(&self, write: Write) -> Result<oneshot::Receiver<Result<Outcome, StoreError>>, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let sender = self.sender.read().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(Job { write, answer }).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        self.length.fetch_add(1, Ordering::Relaxed);
        Ok(outcome)
    }

    /// Writes that wait now.
    pub(super) fn waiting(&self) -> usize {
        in_all(&self.length)
    }

    /// Takes no further write.
    pub(super) fn close(&self) {
        drop(self.sender.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// A write that was sent: waits for what became of it. Small, since every message waits in one.
#[derive(Debug)]
pub struct Written(Result<oneshot::Receiver<Result<Outcome, StoreError>>, Option<StoreError>>);

impl Future for Written {
    type Output = Result<Outcome, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ok(outcome) => {
                Pin::new(outcome).poll(cx).map(|outcome| outcome.unwrap_or(Err(StoreError::Closed)))
            }
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(StoreError::Closed))),
        }
    }
}

impl Waiting {
    fn taken(&self, job: Job) -> Job {
        self.length.fetch_sub(1, Ordering::Relaxed);
        job
    }
}

/// A write is counted by its sender a moment after it was sent: meanwhile the count may be one below zero.
fn in_all(length: &AtomicUsize) -> usize {
    isize::try_from(length.load(Ordering::Relaxed)).map_or(0, isize::unsigned_abs)
}

type Answers = Vec<Result<Outcome, StoreError>>;

/// Starts the writer's thread; the channel turns true when it has ended and dropped the engine.
pub(super) fn spawn<E: Engine>(
    engine: E,
    waiting: Waiting,
    batch_max: usize,
) -> Result<watch::Receiver<bool>, StoreError> {
    let runtime =
        Handle::try_current().map_err(|_| StoreError::Failed("there is no runtime around it".to_owned()))?;
    let (end, ended) = watch::channel(false);
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            run(engine, &runtime, &waiting, batch_max);
            end.send_replace(true);
        })
        .map_err(|error| StoreError::Failed(format!("no thread for the writer: {error}")))?;
    Ok(ended)
}

fn run<E: Engine>(mut engine: E, runtime: &Handle, waiting: &Waiting, batch_max: usize) {
    let mut batch = Batch { writes: Vec::new(), senders: Vec::new(), max: batch_max };
    let gauges = Gauges::new();
    let (mut answered, mut chore_after) = (0, None);
    loop {
        // Whoever came during the last commit overlaps with those it answered, who may come again.
        let overlapping = batch.take(waiting);
        if overlapping > 0 {
            batch.keep_company(waiting, answered + overlapping);
        } else {
            let Some(first) = next(&mut engine, waiting, chore_after) else { break };
            batch.add(first);
            batch.take(waiting);
        }
        let began = Instant::now();
        let answers = settle(&mut engine, runtime, &batch.writes);
        gauges.committed(began.elapsed(), batch.writes.len(), in_all(&waiting.length));
        answered = batch.answer(answers);
        chore_after = chore(&mut engine, false);
    }
    chore(&mut engine, true);
    // A drop of the engine that panics must still end the writer in order.
    drop(catch_unwind(AssertUnwindSafe(move || drop(engine))));
}

/// The next write; `None` when the queue is closed. In the quiet before it the engine does its chores.
fn next<E: Engine>(engine: &mut E, waiting: &Waiting, mut chore_after: Option<Duration>) -> Option<Job> {
    loop {
        let Some(quiet) = chore_after else { return waiting.jobs.recv().ok().map(|job| waiting.taken(job)) };
        match waiting.jobs.recv_timeout(quiet) {
            Ok(job) => return Some(waiting.taken(job)),
            Err(RecvTimeoutError::Timeout) => chore_after = chore(engine, true),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn chore<E: Engine>(engine: &mut E, quiet: bool) -> Option<Duration> {
    catch_unwind(AssertUnwindSafe(|| engine.chore(quiet))).unwrap_or_else(|_| {
        tracing::error!("the store's own work panicked");
        None
    })
}

/// The writes of one transaction, and who waits for them.
struct Batch {
    writes: Vec<Write>,
    senders: Vec<oneshot::Sender<Result<Outcome, StoreError>>>,
    max: usize,
}

impl Batch {
    fn add(&mut self, job: Job) {
        self.writes.push(job.write);
        self.senders.push(job.answer);
    }

    /// Takes what waits; says how many that were.
    fn take(&mut self, waiting: &Waiting) -> usize {
        let before = self.writes.len();
        while self.writes.len() < self.max
            && let Ok(job) = waiting.jobs.try_recv()
        {
            self.add(waiting.taken(job));
        }
        self.writes.len() - before
    }

    /// Waits for more, until as many are there as may be expected or [`COMPANY`] is over. It looks now and then:
    /// to be woken by each one that comes would cost more than it saves.
    fn keep_company(&mut self, waiting: &Waiting, expected: usize) {
        let until = Instant::now() + COMPANY;
        while self.writes.len() < expected.min(self.max) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left.min(LOOK_EVERY));
            self.take(waiting);
        }
    }

    /// Tells everybody what became of their write; says how many they were.
    fn answer(&mut self, answers: Answers) -> usize {
        self.writes.clear();
        let count = self.senders.len();
        for (sender, answer) in self.senders.drain(..).zip(answers) {
            // Whoever asked may have gone; the write stands all the same.
            drop(sender.send(answer));
        }
        count
    }
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

/// How long a commit that overlaps with others waits for company.
const COMPANY: Duration = Duration::from_millis(2);
/// How often it looks whether all are there.
const LOOK_EVERY: Duration = Duration::from_micros(250);
