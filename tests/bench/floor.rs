//! The floor: the bare yardstick that also commits one SQLite row per request, with full sync and group commit, before
//! it answers. What it costs nobody can save who keeps the promise.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::bare;

#[derive(clap::Args)]
pub(crate) struct Floor {
    /// Folder of homeport's certificates; without it, plain HTTP.
    #[arg(long)]
    certs: Option<PathBuf>,
    /// The database to make.
    #[arg(long)]
    database: PathBuf,
    /// How long a commit that found company in the last one waits for more, in milliseconds.
    #[arg(long, default_value_t = 0)]
    company_ms: u64,
}

struct Job {
    row: Vec<u8>,
    done: oneshot::Sender<()>,
}

impl Floor {
    pub(crate) fn run(&self) {
        let (queue, waiting) = mpsc::channel::<Job>(4096);
        let (database, company) = (self.database.clone(), Duration::from_millis(self.company_ms));
        std::thread::spawn(move || write(&database, waiting, company));
        let store = move |request: Request<Incoming>| {
            let queue = queue.clone();
            let query = request.uri().query().map(|query| query.as_bytes().to_vec());
            async move {
                let row = match query {
                    Some(row) => row,
                    None => request
                        .into_body()
                        .collect()
                        .await
                        .map(|body| body.to_bytes().to_vec())
                        .unwrap_or_default(),
                };
                let (done, committed) = oneshot::channel();
                queue.send(Job { row, done }).await.ok();
                committed.await.ok();
            }
        };
        crate::runtime().block_on(bare::serve(self.certs.clone(), store));
    }
}

/// Takes what waits, commits it in one transaction, answers.
fn write(database: &Path, mut waiting: mpsc::Receiver<Job>, company: Duration) {
    let db = Connection::open(database).expect("a database");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("full sync");
    db.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")
        .expect("a table");
    let mut batch = Vec::new();
    let mut overlapping = false;
    while let Some(first) = waiting.blocking_recv() {
        batch.push(first);
        let until = Instant::now() + if overlapping { company } else { Duration::ZERO };
        take(&mut waiting, &mut batch, until);
        db.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).expect("a transaction");
        for job in &batch {
            let mut insert = db.prepare_cached("INSERT INTO row (body) VALUES (?)").unwrap();
            insert.execute([&job.row]).expect("a row");
        }
        db.prepare_cached("COMMIT").unwrap().execute([]).expect("a commit");
        overlapping = !waiting.is_empty();
        for job in batch.drain(..) {
            job.done.send(()).ok();
        }
    }
}

fn take(waiting: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>, until: Instant) {
    while batch.len() < BATCH_MAX {
        match waiting.try_recv() {
            Ok(job) => batch.push(job),
            Err(_) if Instant::now() < until => std::thread::park_timeout(Duration::from_micros(200)),
            Err(_) => return,
        }
    }
}

const BATCH_MAX: usize = 256;
