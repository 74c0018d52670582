//! Databases that earlier releases left behind (`tests/fixtures/store`, made by `scripts/store-fixture`): each is
//! opened, brought up to date, and has all that was in it.

use std::fs;
use std::path::{Path, PathBuf};

use homeport::model::{CommandState, DeviceId, DeviceState, Direction, Gap, Role, Seq, Value, Verdict};
use homeport::store::{
    After, CommandFilter, DataFilter, MessageFilter, RecordFilter, Store, Target, WriterSettings, audit,
};

use super::cases::{at, device, report, store_report};

/// The fixtures with an ending.
fn fixtures(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store");
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == ending));
    found.sort();
    assert!(!found.is_empty());
    found
}

async fn open(target: &Target) -> Store {
    Store::open(target, WriterSettings::default()).await.unwrap()
}

/// Looks for everything that `scripts/store-fixture` puts in.
async fn has_everything(store: &Store) {
    use CommandState::{Accepted, Answered, Queued, Sent};
    let reader = store.read();
    let mut devices = reader.all_devices().await.unwrap();
    devices.sort_by(|one, other| one.names.address.cmp(&other.names.address));
    let [module, oke] = devices.as_slice() else { panic!("{devices:?}") };
    assert_eq!((module.names.address.as_str(), module.names.name.as_str()), ("0002010203040506", "Oven"));
    assert_eq!(oke.names.address, "00020102030405AA");
    assert_eq!(oke.parent.as_ref(), Some(&module.names.id));
    // A command adopted the module; nobody did so with what is behind it.
    assert_eq!((module.state, oke.state), (DeviceState::Active, DeviceState::Held));

    let all = MessageFilter { limit: 99, ..MessageFilter::default() };
    let messages = reader.messages(all).await.unwrap();
    let verdicts: Vec<Verdict> = messages.iter().rev().map(|message| message.verdict).collect();
    let expected = "ok duplicate ok bad_crc no_crc malformed none ok";
    assert_eq!(verdicts.iter().map(|verdict| verdict.as_str()).collect::<Vec<_>>().join(" "), expected);
    assert_eq!(messages[1].direction, Direction::Out);
    assert!(messages.iter().all(|message| !message.pruned && message.size == message.raw.len()));
    assert!(messages[7].raw.starts_with(br#"{"_src":["0002010203040506"],"_cmd":"wr","_id":1,"#));

    for (device, seqs) in [(module, &[8, 7, 5, 4, 2, 1][..]), (oke, &[3])] {
        let own = |before| MessageFilter {
            device: Some(device.names.id.clone()),
            before,
            limit: 99,
            ..MessageFilter::default()
        };
        for before in [None, Some(Seq(8)), Some(Seq(3))] {
            let own = reader.messages(own(before)).await.unwrap();
            let own: Vec<i64> = own.iter().map(|message| message.seq.0).collect();
            let seqs = seqs.iter().copied().filter(|seq| before.is_none_or(|before| *seq < before.0));
            assert_eq!(own, seqs.collect::<Vec<_>>());
        }
    }

    let values = reader.data(DataFilter { limit: 99, ..DataFilter::default() }).await.unwrap();
    assert_eq!(values.len(), 7);
    let latest = reader.latest(module.names.id.clone()).await.unwrap();
    let latest = latest.iter().find(|datum| datum.sensor == "door").unwrap();
    assert_eq!(latest.value, Value::Bool(false));

    let commands = reader.commands(CommandFilter { limit: 9, ..CommandFilter::default() }).await.unwrap();
    assert_eq!(commands[0].state, Queued);
    let answered: Vec<CommandState> = commands[1].transitions.iter().map(|step| step.state).collect();
    assert_eq!(answered, [Queued, Sent, Accepted, Answered]);
    assert_eq!(commands[1].reply.as_ref(), Some(&messages[0].raw));

    let users = reader.users().await.unwrap();
    let users: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(users, [("admin", Role::Admin), ("eve", Role::Operator)]);
    assert_eq!(reader.tokens(None).await.unwrap()[0].name, "robot");
}

/// Looks at it, writes to it, and closes it.
async fn is_used(store: Store, fixture: &Path) {
    let name = fixture.file_stem().unwrap().to_string_lossy();
    let schema: u32 = name.strip_prefix("schema-").unwrap().parse().unwrap();
    has_everything(&store).await;
    let records = RecordFilter { kind: "file".to_owned(), limit: 9, ..RecordFilter::default() };
    let records = store.read().records(records).await.unwrap();
    assert_eq!(records.len(), usize::from(schema > 1));
    assert!(records.iter().all(|record| record.key == "hello.txt"));
    let next = store_report(&store, report(&device("new", "NEW"), at(1), "the next")).await;
    assert_eq!(next.seq, Seq(9));
    let findings = audit::check(store.read(), &mut |_| ()).await.unwrap();
    assert_eq!((findings.entries, findings.faults), (9, vec![]));
    store.close().await;
}

#[tokio::test]
async fn databases_of_every_release_are_opened() {
    for fixture in fixtures("db") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("homeport.db");
        fs::copy(&fixture, &path).unwrap();
        let target = Target::Sqlite(path);
        is_used(open(&target).await, &fixture).await;
        open(&target).await.close().await;
    }
}

/// Enough rows for several pages: all kinds of values, four of one sensor in a message, times said and not.
const NUMBERS: &str =
    "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 39999) SELECT";

/// The value of each row.
fn value(n: i64) -> Value {
    match n % 5 {
        0 => Value::Integer(n * 7919 % 1000),
        1 => Value::Bool(n % 3 == 0),
        2 => Value::Text(format!("text {}", n % 11)),
        3 => Value::Gap(Gap),
        _ => Value::Real(f64::from(i32::try_from(n).unwrap()) / 8.0),
    }
}

/// Looks whether the rows are all there, each once and in their order.
async fn has_rows(store: &Store, device: &DeviceId) {
    let (mut after, mut n) = (None, 0);
    loop {
        let filter = DataFilter {
            whose: device.clone().into(),
            sensors: vec!["rows".to_owned()],
            after: after.clone(),
            limit: 5003,
            ..DataFilter::default()
        };
        let page = store.read().data(filter).await.unwrap();
        let Some(next) = After::last_of(&page, after.as_ref()) else { break };
        after = Some(next);
        for (_, datum) in page {
            assert_eq!((datum.seq.0, datum.value), (1000 + n / 4, value(n)));
            assert_eq!(datum.time_received, at(n / 4));
            assert_eq!(datum.time_created, (n % 7 > 0).then(|| at(n)));
            n += 1;
        }
    }
    assert_eq!(n, 40_000);
    let latest = store.read().latest(device.clone()).await.unwrap();
    let latest = latest.iter().find(|datum| *datum.sensor == *"rows").unwrap();
    assert_eq!((latest.seq, &latest.value), (Seq(10_999), &value(39_999)));
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store").join(name)
}

#[tokio::test]
async fn many_rows_become_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("homeport.db");
    fs::copy(fixture("schema-0003.db"), &path).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(&format!(
        "INSERT INTO sensor (key, device, name, seq, at_us, created_us, kind, value)
            VALUES (99, 1, 'rows', 10999, 1700009999000000, 1700039999000000, 3, 39999 / 8.0);
         INSERT INTO reading (seq, place, sensor, device, kind, value, at_us, created_us) {NUMBERS}
            1000 + n / 4, n % 4, 99, 1,
            CASE n % 5 WHEN 0 THEN 2 WHEN 1 THEN 1 WHEN 2 THEN 4 WHEN 3 THEN 0 ELSE 3 END,
            CASE n % 5 WHEN 0 THEN n * 7919 % 1000 WHEN 1 THEN n % 3 = 0 WHEN 2 THEN 'text ' || (n % 11)
                WHEN 3 THEN NULL ELSE n / 8.0 END,
            1700000000000000 + n / 4 * 1000000, CASE WHEN n % 7 > 0 THEN 1700000000000000 + n * 1000000 END FROM n;"
    ))
    .unwrap();
    let device: String = db.query_row("SELECT id FROM device WHERE key = 1", [], |row| row.get(0)).unwrap();
    drop(db);
    let target = Target::Sqlite(path.clone());
    for _ in 0..2 {
        let store = open(&target).await;
        has_rows(&store, &DeviceId::new(&device)).await;
        store.close().await;
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let pages: i64 = db.query_row("SELECT count(*) FROM page", [], |row| row.get(0)).unwrap();
    assert!((2..20).contains(&pages), "{pages}");
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn many_rows_become_pages_on_postgres() {
    use super::postgres::Database;

    let database = Database::make().await;
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    drop(tokio::spawn(connection));
    client.batch_execute(&fs::read_to_string(fixture("schema-0002.sql")).unwrap()).await.unwrap();
    // The dump leaves no schema to look names up in.
    client.batch_execute("SET search_path = public").await.unwrap();
    let device = "SELECT id FROM device WHERE parent IS NULL LIMIT 1";
    let device: String = client.query_one(device, &[]).await.unwrap().get(0);
    client
        .batch_execute(&format!(
            "INSERT INTO reading (seq, place, sensor, device, value, at, created) {NUMBERS}
                1000 + n / 4, n % 4, 'rows', '{device}',
                CASE n % 5 WHEN 0 THEN (n::bigint * 7919 % 1000)::text WHEN 1 THEN (n % 3 = 0)::text
                    WHEN 2 THEN '\"text ' || (n % 11) || '\"' WHEN 3 THEN 'null' ELSE (n / 8.0)::numeric(12, 3)::text END,
                1700000000000000 + n / 4 * 1000000::bigint,
                CASE WHEN n % 7 > 0 THEN 1700000000000000 + n * 1000000::bigint END FROM n"
        ))
        .await
        .unwrap();
    drop(client);
    let target = Target::Postgres(database.url());
    for _ in 0..2 {
        let store = open(&target).await;
        has_rows(&store, &DeviceId::new(&device)).await;
        store.close().await;
    }
    database.remove().await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_databases_of_every_release_are_opened() {
    use super::postgres::Database;

    for fixture in fixtures("sql") {
        let database = Database::make().await;
        let (client, connection) =
            tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
        drop(tokio::spawn(connection));
        client.batch_execute(&fs::read_to_string(&fixture).unwrap()).await.unwrap();
        drop(client);
        is_used(open(&Target::Postgres(database.url())).await, &fixture).await;
        database.remove().await;
    }
}
