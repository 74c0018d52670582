//! The load generator: a process of its own, so that its cost is nobody else's.
//!
//! It prints `begin` when its connections are warm, and one line of JSON when the time is over; whoever started it
//! looks at the server's CPU time at both lines.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::bed::Bed;
use crate::boards;
use crate::client::{Answer, Client};
use crate::heartbeat::Heart;
use crate::tls::{self, Key, Version};
use crate::uploads::{self, Upload};

#[derive(clap::Args, Clone)]
pub(crate) struct Load {
    #[arg(long)]
    pub(crate) addr: SocketAddr,
    /// How many clients at once.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How long to measure.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// A new connection for each request.
    #[arg(long)]
    fresh: bool,
    /// New connections take up the session of the one before.
    #[arg(long)]
    resume: bool,
    /// Offer so many new connections a second, however long they take.
    #[arg(long)]
    rate: Option<u32>,
    /// The first device's number; each client is a device of its own.
    #[arg(long, default_value_t = 1)]
    pub(crate) first: usize,
    /// Each client takes turns among so many devices.
    #[arg(long, default_value_t = 1)]
    devices_each: usize,
    /// End after so many requests of each client instead of after a time.
    #[arg(long)]
    requests_each: Option<u64>,
    /// Download this path instead of sending heartbeats.
    #[arg(long)]
    get: Option<String>,
    /// Push five rows of a bed sensor over plain HTTP instead of a heartbeat over TLS.
    #[arg(long)]
    bed: bool,
    /// Upload as devices with the tokens in this file, one for each client, over plain HTTP.
    #[arg(long)]
    things: Option<PathBuf>,
    /// Upload as Tswarm nodes with the login in this file, over plain HTTP.
    #[arg(long)]
    nodes: Option<PathBuf>,
    /// Be microcontrollers; each sends so many messages as fast as it can.
    #[arg(long)]
    board: Option<u64>,
    #[arg(long, value_enum, default_value = "tls13")]
    version: Version,
    #[arg(long, value_enum, default_value = "ecdsa")]
    key: Key,
}

/// What a load did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Requests answered rightly within the time.
    pub(crate) requests: u64,
    /// Requests answered wrongly or not at all, with the first one's reason.
    pub(crate) errors: u64,
    pub(crate) error: Option<String>,
    /// All requests answered rightly, before and after the time as well.
    pub(crate) answered: u64,
    /// Bytes of bodies within the time.
    pub(crate) bytes: u64,
    /// How long it was.
    pub(crate) seconds: f64,
    /// Handshakes that took up a session.
    pub(crate) resumed: u64,
    /// Microseconds from the request, or from the connect of a new connection, to the answer.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

pub(crate) struct Shared {
    pub(crate) load: Load,
    pub(crate) answered: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
    resumed: AtomicU64,
    pub(crate) warm: AtomicU64,
    /// Told when the time begins.
    pub(crate) started: Notify,
    measuring: AtomicBool,
    over: AtomicBool,
    error: Mutex<Option<String>>,
    took_us: Mutex<Vec<u64>>,
}

/// What a client pretends to be.
enum Device {
    Heart(Heart),
    Bed(Bed),
    Upload(Upload),
}

impl Device {
    fn request(&mut self, close: bool) -> Vec<u8> {
        match self {
            Self::Heart(heart) => heart.request(close),
            Self::Bed(bed) => bed.request(close),
            Self::Upload(upload) => upload.request(),
        }
    }
}

impl Load {
    fn device(&self, number: usize) -> Device {
        match (&self.things, &self.nodes) {
            (Some(file), _) => Device::Upload(Upload::thing(file, number - self.first)),
            (None, Some(file)) => Device::Upload(Upload::node(file, number)),
            (None, None) if self.bed => Device::Bed(Bed::new(number)),
            (None, None) => Device::Heart(Heart::new(number)),
        }
    }

    fn uploads(&self) -> bool {
        self.things.is_some() || self.nodes.is_some()
    }

    /// Whether an answer confirms a push.
    fn is_taken(&self, answer: &Answer) -> bool {
        if self.uploads() {
            return uploads::is_taken(answer.status, &answer.body);
        }
        let begin = if self.bed { "done" } else { r#"{"push":true"# };
        answer.status == 200 && answer.body.starts_with(begin.as_bytes())
    }

    pub(crate) fn run(&self) {
        crate::runtime().block_on(self.clone().drive());
    }

    async fn drive(self) {
        let shared = Arc::new(Shared::new(self.clone()));
        let mut workers = tokio::task::JoinSet::new();
        if let Some(rate) = self.rate {
            workers.spawn(offer(Arc::clone(&shared), rate));
        } else {
            for number in 0..self.clients {
                match self.board {
                    Some(messages) => workers.spawn(boards::work(Arc::clone(&shared), number, messages)),
                    None => workers.spawn(work(Arc::clone(&shared), number)),
                };
            }
            while shared.warm.load(Ordering::Relaxed) < self.clients as u64 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (answered, bytes) =
            (shared.answered.load(Ordering::Relaxed), shared.bytes.load(Ordering::Relaxed));
        shared.measuring.store(true, Ordering::Relaxed);
        let began = Instant::now();
        say("begin");
        shared.started.notify_waiters();
        if self.requests_each.is_some() || self.board.is_some() {
            while workers.join_next().await.is_some() {}
        } else {
            tokio::time::sleep(Duration::from_secs_f64(self.seconds)).await;
        }
        let mut report = Report {
            requests: shared.answered.load(Ordering::Relaxed) - answered,
            bytes: shared.bytes.load(Ordering::Relaxed) - bytes,
            seconds: began.elapsed().as_secs_f64(),
            ..Report::default()
        };
        shared.measuring.store(false, Ordering::Relaxed);
        say("end");
        shared.over.store(true, Ordering::Relaxed);
        while workers.join_next().await.is_some() {}
        shared.complete(&mut report);
        say(&serde_json::to_string(&report).expect("a report is JSON"));
    }
}

impl Shared {
    fn new(load: Load) -> Self {
        Self {
            load,
            answered: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            warm: AtomicU64::new(0),
            started: Notify::new(),
            measuring: AtomicBool::new(false),
            over: AtomicBool::new(false),
            error: Mutex::new(None),
            took_us: Mutex::new(Vec::new()),
        }
    }

    fn complete(&self, report: &mut Report) {
        let mut took = self.took_us.lock().unwrap_or_else(PoisonError::into_inner);
        took.sort_unstable();
        let at = |part: f64| took.get((took.len() as f64 * part) as usize).copied().unwrap_or_default();
        (report.p50_us, report.p99_us) = (at(0.5), at(0.99));
        report.max_us = took.last().copied().unwrap_or_default();
        report.errors = self.errors.load(Ordering::Relaxed);
        report.error.clone_from(&self.error.lock().unwrap_or_else(PoisonError::into_inner));
        report.answered = self.answered.load(Ordering::Relaxed);
        report.resumed = self.resumed.load(Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, why: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }

    fn done(&self, took: &mut Vec<u64>, since: Instant) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if self.measuring.load(Ordering::Relaxed) {
            took.push(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }

    fn keep(&self, took: Vec<u64>) {
        self.took_us.lock().unwrap_or_else(PoisonError::into_inner).extend(took);
    }

    /// One request and a look at its answer; says whether it was right.
    async fn ask(&self, client: &mut Client, request: &[u8]) -> bool {
        match client.ask(request).await {
            Ok(answer) if self.load.get.is_some() && answer.status == 200 => {
                self.bytes.fetch_add(answer.size as u64, Ordering::Relaxed);
                true
            }
            Ok(answer) if self.load.get.is_none() && self.load.is_taken(&answer) => true,
            Ok(answer) => {
                self.failed(&format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
                false
            }
            Err(error) => {
                self.failed(&error.to_string());
                false
            }
        }
    }

    fn request(&self, device: &mut Device) -> Vec<u8> {
        match &self.load.get {
            Some(path) => format!("GET {path} HTTP/1.1\r\nHost: push.homeport.test\r\n\r\n").into_bytes(),
            None => device.request(self.load.fresh),
        }
    }

    async fn open(&self, config: &Arc<ClientConfig>) -> Option<Client> {
        match Client::open(self.load.addr, (!self.load.bed && !self.load.uploads()).then_some(config)).await {
            Ok(client) => {
                self.resumed.fetch_add(u64::from(client.resumed()), Ordering::Relaxed);
                Some(client)
            }
            Err(error) => {
                self.failed(&error.to_string());
                None
            }
        }
    }
}

/// One client: request after request until the time is over.
async fn work(shared: Arc<Shared>, number: usize) {
    let load = &shared.load;
    let config = tls::client(load.version, load.key, load.resume);
    let first = load.first + number * load.devices_each;
    let mut devices: Vec<Device> =
        (first..first + load.devices_each).map(|number| load.device(number)).collect();
    let (mut took, mut kept) = (Vec::new(), None);
    let mut asked = 0_u64;
    while !shared.over.load(Ordering::Relaxed) && load.requests_each.is_none_or(|most| asked < most) {
        let turn = usize::try_from(asked).unwrap_or_default() % devices.len();
        let request = devices.get_mut(turn).map(|device| shared.request(device)).unwrap_or_default();
        let since = Instant::now();
        if kept.is_none() {
            kept = shared.open(&config).await;
        }
        let Some(mut client) = kept.take() else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if shared.ask(&mut client, &request).await {
            shared.done(&mut took, since);
            kept = Some(client);
        }
        if load.fresh
            && let Some(client) = kept.take()
        {
            client.close().await;
        }
        asked += 1;
        if asked == WARM_AFTER {
            shared.warm.fetch_add(1, Ordering::Relaxed);
        }
    }
    shared.keep(took);
}

/// New connections at a rate, whether the ones before are done or not.
async fn offer(shared: Arc<Shared>, rate: u32) {
    let config = tls::client(shared.load.version, shared.load.key, shared.load.resume);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    let mut hearts: Vec<Heart> =
        (0..shared.load.clients).map(|n| Heart::new(shared.load.first + n)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    let mut turn = 0;
    while !shared.over.load(Ordering::Relaxed) {
        ticks.tick().await;
        turn = (turn + 1) % hearts.len();
        let request = hearts.get_mut(turn).map(|heart| heart.request(true)).unwrap_or_default();
        let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
        tasks.spawn(async move {
            let since = Instant::now();
            let Some(mut client) = shared.open(&config).await else { return };
            if shared.ask(&mut client, &request).await {
                let mut took = Vec::new();
                shared.done(&mut took, since);
                shared.keep(took);
            }
            client.close().await;
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().ok();
}

/// Requests of each client before the time begins: with the second one a session can be taken up.
const WARM_AFTER: u64 = 2;
