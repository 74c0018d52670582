//! Databases that earlier releases left behind (`tests/fixtures/store`, made by `scripts/store-fixture`): each is
//! opened, brought up to date, and has all that was in it.

use std::fs;
use std::path::{Path, PathBuf};

use homeport::model::{CommandState, DeviceState, Direction, Role, Seq, Value, Verdict};
use homeport::store::{
    CommandFilter, DataFilter, MessageFilter, RecordFilter, Store, Target, WriterSettings, audit,
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
