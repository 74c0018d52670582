//! The PostgreSQL half of the store's tests: a database per test, and what only several servers on one
//! database can get wrong.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use homeport::model::{
    CommandId, CommandState, Device, DeviceId, DeviceRef, DeviceState, Direction, Draft, FamilyName,
    Priority, Reading, Seq, Timestamp, Value, Verdict,
};
use homeport::store::postgres::PostgresEngine;
use homeport::store::{
    Acknowledgement, DataFilter, Engine as _, Leased, MessageFilter, Outcome, ReportWrite, Reported, Store,
    StoreError, Target, Write, WriterSettings, audit,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls};

/// An empty database of this test's own.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Makes one on the server that `HOMEPORT_TEST_POSTGRES` names.
    pub(crate) async fn make() -> Self {
        let server = std::env::var("HOMEPORT_TEST_POSTGRES").expect(
            "HOMEPORT_TEST_POSTGRES is not set: run scripts/test, which starts a PostgreSQL for the tests, or \
             set it to a URL with the right to CREATE DATABASE",
        );
        let name = format!("homeport_{}", uuid::Uuid::new_v4().simple());
        client(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { server, name }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let (base, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (scheme, rest) = base.split_once("://").unwrap();
        let server = rest.split('/').next().unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{server}/{}{mark}{query}", self.name)
    }

    /// A store of its own on this database.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&Target::Postgres(self.url()), WriterSettings::default()).await.unwrap()
    }

    /// Removes it. A failed test leaves its database for whoever looks into it.
    pub(crate) async fn remove(self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        client(&self.server).await.batch_execute(&sql).await.unwrap();
    }
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    drop(tokio::spawn(connection));
    client
}

/// Where the next connection that commits is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    None,
    /// The server never hears the COMMIT.
    BeforeCommit,
    /// The server hears it; its answer is lost.
    AfterCommit,
}

/// Stands between a homeport and the database, and cuts a connection at a given place, once.
struct Proxy {
    url: String,
    cut: tokio::sync::watch::Sender<Cut>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Proxy {
    async fn start(url: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (head, tail) = url.rsplit_once('/').unwrap();
        let (scheme, server) = head.split_once("://").unwrap();
        let (user, server) =
            server.split_once('@').map_or((String::new(), server), |(u, s)| (format!("{u}@"), s));
        let (cut, server) = (tokio::sync::watch::Sender::new(Cut::None), server.to_owned());
        let turn = cut.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(carry(near, server.clone(), turn.clone()));
            }
        });
        let task = tokio_util::task::AbortOnDropHandle::new(task);
        Self { url: format!("{scheme}://{user}127.0.0.1:{port}/{tail}"), cut, _task: task }
    }
}

async fn carry(mut near: TcpStream, server: String, cut: tokio::sync::watch::Sender<Cut>) {
    let mut far = TcpStream::connect(server).await.unwrap();
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let Ok(size @ 1..) = read else { return };
                // The engine's COMMIT is a message of its own.
                let now = if up[..size].ends_with(b"COMMIT\0") && size < 16 { cut.send_replace(Cut::None) } else { Cut::None };
                if now == Cut::BeforeCommit { return }
                far.write_all(&up[..size]).await.unwrap();
                if now == Cut::AfterCommit {
                    // The server has committed when it answers.
                    drop(far.read(&mut down).await);
                    return;
                }
            }
            read = far.read(&mut down) => {
                let Ok(size @ 1..) = read else { return };
                if near.write_all(&down[..size]).await.is_err() { return }
            }
        }
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn device(name: &str) -> Device {
    Device {
        names: DeviceRef {
            id: DeviceId::new(name),
            family: FamilyName::new("cwm"),
            address: name.to_uppercase(),
            name: name.to_owned(),
        },
        state: DeviceState::Active,
        parent: None,
        created: at(1),
        last_seen: None,
    }
}

fn report(device: &Device, second: i64, raw: &str) -> Write {
    Write::Report(Arc::new(ReportWrite {
        devices: vec![Arc::new(device.clone())],
        device: Some(Arc::new(device.clone())),
        at: at(second),
        past: None,
        verdict: Verdict::Ok,
        hmac: None,
        fingerprint: None,
        peer: "192.0.2.1".to_owned(),
        raw: Bytes::copy_from_slice(raw.as_bytes()),
        readings: vec![Reading {
            sensor: "t".into(),
            value: Value::Text("a\0b".to_owned()),
            created: None,
            counts: true,
        }],
        reply: None,
        via: Some(device.names.id.clone()),
    }))
}

fn draft(device: &Device, id: &str) -> Write {
    Write::Enqueue(Box::new(Draft {
        id: CommandId::new(id),
        device: device.names.clone(),
        via: device.names.clone(),
        cmd: "wr".to_owned(),
        payload: "{}".to_owned(),
        encode: Arc::new(|id| Ok(Bytes::from(format!("bytes {id}")))),
        priority: Priority::Normal,
        waiting_max: 1000,
        at: at(10),
        expires: at(10_000),
        by: "user:test".to_owned(),
    }))
}

fn lease(device: &Device, last: Acknowledgement) -> Write {
    Write::Lease {
        via: device.names.id.clone(),
        last,
        at: at(20),
        until: Some(at(80)),
        attempts_max: 3,
        peer: "192.0.2.1".to_owned(),
        dress: None,
    }
}

async fn reported(store: &Store, write: Write) -> Reported {
    match store.write(write).await.unwrap() {
        Outcome::Reported(reported) => reported,
        other => panic!("not a report's outcome: {other:?}"),
    }
}

async fn leased(store: &Store, write: Write) -> Leased {
    match store.write(write).await.unwrap() {
        Outcome::Leased(leased) => *leased,
        other => panic!("not a lease's outcome: {other:?}"),
    }
}

async fn assert_sound(store: &Store, entries: i64) {
    let findings = audit::check(store.read(), &mut |_| {}).await.unwrap();
    assert_eq!((findings.entries, findings.faults), (entries, vec![]));
}

#[tokio::test]
async fn servers_that_start_and_write_at_once_make_one_ledger_without_gaps() {
    let database = Database::make().await;
    let (one, two, three) = tokio::join!(database.store(), database.store(), database.store());
    let mut tasks = tokio::task::JoinSet::new();
    for (server, store) in [&one, &two, &three].into_iter().enumerate() {
        for n in 0..20 {
            let store = store.clone();
            let device = device(&format!("d{server}"));
            tasks.spawn(async move { reported(&store, report(&device, n, "x")).await.seq.0 });
        }
    }
    let mut places = tasks.join_all().await;
    places.sort_unstable();
    assert_eq!(places, (1..=60).collect::<Vec<i64>>());
    assert_sound(&two, 60).await;
    let page = one.read().messages(MessageFilter { limit: 100, ..MessageFilter::default() }).await.unwrap();
    assert!(page.iter().all(|message| message.direction == Direction::In));
    for store in [one, two, three] {
        store.close().await;
    }
    database.remove().await;
}

#[tokio::test]
async fn two_servers_never_hand_out_the_same_command() {
    let database = Database::make().await;
    let (one, two) = tokio::join!(database.store(), database.store());
    let devices: Vec<Device> = (0..8).map(|n| device(&format!("d{n}"))).collect();
    for device in &devices {
        one.write(Write::Device(Box::new(device.clone()))).await.unwrap();
        one.write(draft(device, &format!("c-{}", device.names.id))).await.unwrap();
    }
    let mut tasks = tokio::task::JoinSet::new();
    for device in &devices {
        for store in [&one, &two] {
            let (store, write) = (store.clone(), lease(device, Acknowledgement::Taken));
            tasks.spawn(async move { leased(&store, write).await.lease.map(|lease| lease.id.to_string()) });
        }
    }
    let mut ids: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    ids.sort();
    let expected: Vec<String> = (0..8).map(|n| format!("c-d{n}")).collect();
    assert_eq!(ids, expected);
    assert_sound(&two, 8).await;
    database.remove().await;
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_and_nothing_is_lost_or_doubled() {
    let database = Database::make().await;
    let store = database.store().await;
    let device = device("d");
    reported(&store, report(&device, 1, "before")).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let other = client(&database.url()).await;
    for n in 2..=5 {
        other.batch_execute(cut).await.unwrap();
        assert!(reported(&store, report(&device, n, "after")).await.seq.0 == n);
        assert_eq!(store.read().stats().await.unwrap().messages, n);
    }
    let count: i64 = other.query_one("SELECT count(*) FROM message", &[]).await.unwrap().get(0);
    assert_eq!(count, 5);
    assert_sound(&store, 5).await;
    database.remove().await;
}

#[tokio::test]
async fn a_commit_that_breaks_is_asked_after() {
    let database = Database::make().await;
    let proxy = Proxy::start(&database.url()).await;
    let mut engine = PostgresEngine::open(&proxy.url).await.unwrap();
    let device = device("d");
    for (n, cut) in (1..).zip([Cut::AfterCommit, Cut::BeforeCommit, Cut::AfterCommit, Cut::None]) {
        proxy.cut.send_replace(cut);
        let batch = [report(&device, n, "x")];
        let outcomes = engine.commit(&batch).await.unwrap();
        let [Ok(Outcome::Reported(reported))] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert_eq!(reported.seq.0, n);
        assert_eq!(*proxy.cut.borrow(), Cut::None, "the cut was made");
    }
    assert_eq!(engine.reader().stats().await.unwrap().messages, 4);
    let findings = audit::check(engine.reader().as_ref(), &mut |_| {}).await.unwrap();
    assert!(findings.is_sound());
    database.remove().await;
}

#[tokio::test]
async fn a_batch_that_is_dropped_half_way_leaves_nothing_and_no_lock() {
    let database = Database::make().await;
    let mut engine = PostgresEngine::open(&database.url()).await.unwrap();
    let device = device("d");
    // Another holds the lock of the ledger, so that the batch is certain to be under way when it is dropped.
    let other = client(&database.url()).await;
    other.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(x'686f6d65706f7274'::bigint)").await.unwrap();
    let batch = [report(&device, 1, "dropped")];
    let dropped = tokio::time::timeout(Duration::from_millis(50), engine.commit(&batch)).await;
    assert!(dropped.is_err());
    other.batch_execute("COMMIT").await.unwrap();
    let batch = [report(&device, 2, "kept")];
    let outcomes = engine.commit(&batch).await.unwrap();
    assert!(
        matches!(outcomes.as_slice(), [Ok(Outcome::Reported(Reported { seq: Seq(1), .. }))]),
        "{outcomes:?}"
    );
    database.remove().await;
}

#[tokio::test]
async fn a_refused_write_leaves_its_neighbours_and_the_ledger_whole() {
    let database = Database::make().await;
    let mut engine = PostgresEngine::open(&database.url()).await.unwrap();
    let (device, stranger) = (device("d"), device("s"));
    // An address that PostgreSQL's text cannot hold.
    let mut odd = device.clone();
    odd.names.address = "a\0b".to_owned();
    odd.names.id = DeviceId::new("odd");
    let batch =
        [report(&device, 1, "one"), draft(&stranger, "c"), report(&odd, 2, "odd"), report(&device, 3, "two")];
    let outcomes = engine.commit(&batch).await.unwrap();
    let seqs: Vec<Option<i64>> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Reported(reported)) => Some(reported.seq.0),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [Some(1), None, None, Some(2)]);
    assert!(matches!(outcomes[1], Err(StoreError::NotFound("device"))), "{:?}", outcomes[1]);
    let findings = audit::check(engine.reader().as_ref(), &mut |_| {}).await.unwrap();
    assert!(findings.is_sound());
    let data = engine.reader().data(DataFilter { limit: 10, ..DataFilter::default() }).await.unwrap();
    assert_eq!(data[0].1.value, Value::Text("a\0b".to_owned()));
    database.remove().await;
}

#[tokio::test]
async fn a_read_only_database_a_newer_schema_and_a_changed_step_are_named() {
    let database = Database::make().await;
    let url = database.url();
    let mut engine = PostgresEngine::open(&url).await.unwrap();
    let other = client(&url).await;
    let set = format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name);
    other.batch_execute(&set).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    other.batch_execute(cut).await.unwrap();
    let batch = [report(&device("d"), 1, "x")];
    let first = engine.commit(&batch).await.unwrap_err();
    let told =
        if matches!(first, StoreError::Failed(_)) { engine.commit(&batch).await.unwrap_err() } else { first };
    assert!(matches!(told, StoreError::ReadOnly(_)), "{told}");
    other.batch_execute(&set.replace("= on", "= off")).await.unwrap();

    let newer = "INSERT INTO schema_step (version, name, checksum) VALUES (999, 'x', '')";
    other.batch_execute(newer).await.unwrap();
    let told = PostgresEngine::open(&url).await.map(|_| ()).unwrap_err();
    assert!(matches!(told, StoreError::TooNew { found: 999, .. }), "{told}");
    other.batch_execute("DELETE FROM schema_step WHERE version = 999").await.unwrap();
    other.batch_execute("UPDATE schema_step SET checksum = ''").await.unwrap();
    let told = PostgresEngine::open(&url).await.map(|_| ()).unwrap_err();
    assert!(matches!(told, StoreError::Failed(_)), "{told}");
    database.remove().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let told = PostgresEngine::open("postgres://nobody@127.0.0.1:1/none").await.map(|_| ()).unwrap_err();
    assert!(matches!(&told, StoreError::Failed(text) if text.contains("PostgreSQL")), "{told}");
    let told = PostgresEngine::open("postgres://u@h/d?sslmode=require&sslrootcert=/none.pem").await;
    let told = told.map(|_| ()).unwrap_err();
    assert!(matches!(&told, StoreError::Failed(text) if text.contains("/none.pem")), "{told}");
}

#[tokio::test]
async fn a_command_walks_from_the_queue_to_the_device_and_back() {
    let database = Database::make().await;
    let store = database.store().await;
    let device = device("d");
    store.write(Write::Device(Box::new(device.clone()))).await.unwrap();
    for id in ["a", "b"] {
        store.write(draft(&device, id)).await.unwrap();
    }
    assert!(reported(&store, report(&device, 15, "push")).await.pending);
    let first = leased(&store, lease(&device, Acknowledgement::Taken)).await;
    assert!(first.more);
    let again = leased(&store, lease(&device, Acknowledgement::NotTaken)).await;
    assert_eq!(first.lease, again.lease);
    let second = leased(&store, lease(&device, Acknowledgement::Taken)).await;
    assert_eq!(second.lease.map(|lease| lease.wire_id), Some(2));
    assert!(!second.more);
    let Outcome::Changed(swept) = store.write(Write::Sweep { at: at(100), attempts_max: 3 }).await.unwrap()
    else {
        panic!("not a sweep's outcome");
    };
    assert_eq!(swept[0].state, CommandState::Queued);
    let a = store.read().command(CommandId::new("a")).await.unwrap().unwrap();
    let states: Vec<&str> = a.transitions.iter().map(|step| step.state.as_str()).collect();
    assert_eq!(states, ["queued", "sent", "queued", "sent", "accepted"]);
    assert_sound(&store, 4).await;
    database.remove().await;
}
