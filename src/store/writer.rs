//! The one writer: takes whatever waits, commits it in one transaction, and answers each sender after that.
//!
//! It has a thread of its own, because SQLite's calls block. Writes that come while others are being committed wait
//! a little for company, so that they share a sync; a write that comes alone never waits.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::gauges::Gauges;
use super::{Engine, Outcome, StoreError, Write, WriterSettings};

/// A write and who waits for it.
pub(super) struct Job {
    write: Write,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// The writes that wait for the writer.
pub struct Queue {
    /// `None` once closed.
    sender: RwLock<Option<SyncSender<Job>>>,
    count: Arc<Count>,
}

/// The writer's end of the queue.
pub(super) struct Waiting {
    jobs: Receiver<Job>,
    count: Arc<Count>,
}

/// How many writes wait, and when the writer wants to be woken for them.
struct Count {
    length: AtomicUsize,
    /// The writer sleeps until so many wait; [`NEVER`] when it does not.
    enough: AtomicUsize,
    writer: OnceLock<Thread>,
}

impl Count {
    const fn new() -> Self {
        Self { length: AtomicUsize::new(0), enough: AtomicUsize::new(NEVER), writer: OnceLock::new() }
    }

    /// One more waits.
    fn one_more(&self) {
        let before = self.length.fetch_add(1, Ordering::SeqCst);
        // It is one below zero while a write is taken before its sender counted it.
        let length = before.wrapping_add(1);
        let enough = self.enough.load(Ordering::SeqCst);
        if length >= enough && enough != NEVER && self.enough.swap(NEVER, Ordering::SeqCst) != NEVER {
            self.writer.get().inspect(|writer| writer.unpark());
        }
    }

    fn one_less(&self) {
        self.length.fetch_sub(1, Ordering::SeqCst);
    }

    /// A write is counted by its sender a moment after it was sent: meanwhile the count may be one below zero.
    fn now(&self) -> usize {
        isize::try_from(self.length.load(Ordering::SeqCst)).map_or(0, isize::unsigned_abs)
    }
}

impl Queue {
    /// A queue of at most so many writes, and its other end.
    pub(super) fn new(max: usize) -> (Arc<Self>, Waiting) {
        let (sender, jobs) = mpsc::sync_channel(max);
        let count = Arc::new(Count::new());
        let waiting = Waiting { jobs, count: Arc::clone(&count) };
        (Arc::new(Self { sender: RwLock::new(Some(sender)), count }), waiting)
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
        self.count.one_more();
        Ok(outcome)
    }

    /// Writes that wait now.
    pub(super) fn waiting(&self) -> usize {
        self.count.now()
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
        self.count.one_less();
        job
    }

    /// Sleeps until so many wait, or until the time is over. Only the writer's own thread sleeps here.
    fn sleep(&self, enough: usize, longest: Duration) {
        self.count.writer.get_or_init(thread::current);
        self.count.enough.store(enough, Ordering::SeqCst);
        // Who was counted before saw nobody to wake.
        if self.count.now() < enough {
            thread::park_timeout(longest);
        }
        self.count.enough.store(NEVER, Ordering::SeqCst);
    }
}

type Answers = Vec<Result<Outcome, StoreError>>;

/// Starts the writer's thread; the channel turns true when it has ended and dropped the engine.
pub(super) fn spawn<E: Engine>(
    engine: E,
    waiting: Waiting,
    settings: WriterSettings,
) -> Result<watch::Receiver<bool>, StoreError> {
    let runtime =
        Handle::try_current().map_err(|_| StoreError::Failed("there is no runtime around it".to_owned()))?;
    let (end, ended) = watch::channel(false);
    thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            run(engine, &runtime, &waiting, settings);
            end.send_replace(true);
        })
        .map_err(|error| StoreError::Failed(format!("no thread for the writer: {error}")))?;
    Ok(ended)
}

fn run<E: Engine>(mut engine: E, runtime: &Handle, waiting: &Waiting, settings: WriterSettings) {
    let (max, wait) = (settings.batch_max.max(1), settings.batch_wait);
    let mut batch = Batch { writes: Vec::new(), senders: Vec::new(), max, wait };
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
        gauges.committed(began.elapsed(), batch.writes.len(), waiting.count.now());
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
    wait: Duration,
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

    /// Waits for more, until as many are there as may be expected or the time is over. Only the last of them wakes
    /// the writer: to be woken by each one that comes would cost more than it saves.
    fn keep_company(&mut self, waiting: &Waiting, expected: usize) {
        let until = Instant::now() + self.wait;
        loop {
            let missing = expected.min(self.max).saturating_sub(self.writes.len());
            let left = until.saturating_duration_since(Instant::now());
            if missing == 0 || left.is_zero() {
                break;
            }
            waiting.sleep(missing, left);
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

/// More writes than can ever wait.
const NEVER: usize = usize::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    /// Longer than any test may take: who is not woken is found.
    const LONG: Duration = Duration::from_hours(1);

    fn some_write() -> Write {
        Write::Sweep { at: Timestamp::from_micros(0), attempts_max: 1 }
    }

    #[test]
    fn the_last_of_those_that_are_expected_wakes_the_writer() {
        let (queue, waiting) = Queue::new(16);
        let writer = thread::spawn(move || {
            let mut batch = Batch { writes: Vec::new(), senders: Vec::new(), max: 16, wait: LONG };
            let mut company = Vec::new();
            for expected in [1, 3, 8] {
                while batch.writes.len() < expected {
                    waiting.sleep(expected - batch.writes.len(), LONG);
                    batch.take(&waiting);
                }
                company.push(batch.writes.len());
            }
            company
        });
        let answers: Vec<_> = (0..8).map(|_| queue.write(some_write())).collect();
        assert_eq!(writer.join().expect("the writer wakes").last(), Some(&8));
        assert_eq!((queue.waiting(), answers.len()), (0, 8));
    }

    #[test]
    fn nobody_waits_for_who_is_there_already() {
        let (queue, waiting) = Queue::new(16);
        let answers: Vec<_> = (0..3).map(|_| queue.write(some_write())).collect();
        waiting.sleep(3, LONG);
        assert_eq!((queue.waiting(), answers.len()), (3, 3));
    }
}
