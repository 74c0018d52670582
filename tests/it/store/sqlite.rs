//! The battery on SQLite, and what only a file has: locks, full disks, tampering, schema versions.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use homeport::model::Seq;
use homeport::store::audit::{self, Fault};
use homeport::store::sqlite::{Sqlite, SqliteSettings};
use homeport::store::{Bulk, DataFilter, Outcome, Prune, Store, StoreError, Target, Write, WriterSettings};

use super::Base;
use super::cases::{at, device, report};

super::battery!(run);

fn run(case: impl FnOnce(Base) -> Pin<Box<dyn Future<Output = ()>>>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("homeport.db");
    let target = Target::Sqlite(path.clone());
    let base = Base::new(
        move || {
            let target = target.clone();
            async move { Store::open(&target, WriterSettings::default()).await.unwrap() }
        },
        move |number| {
            let db = rusqlite::Connection::open(&path).unwrap();
            db.execute("UPDATE device SET wire_id = ?", [number]).unwrap();
            std::future::ready(())
        },
    );
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(case(base));
}

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&Target::Sqlite(path.to_owned()), WriterSettings::default()).await
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("homeport.db");
    (dir, path)
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_is_gone() {
    let (_dir, path) = file();
    let first = open(&path).await.unwrap();
    let Err(StoreError::InUse(text)) = open(&path).await else { panic!("two servers on one folder") };
    assert!(text.contains(&format!("process {}", std::process::id())) && text.contains("stop it"), "{text}");
    first.close().await;
    open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let (_dir, path) = file();
    open(&path).await.unwrap().close().await;
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open(&path).await.unwrap_err(), StoreError::TooNew { found: 99, .. }));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_has_a_sentence() {
    let error = open(Path::new("/dev/null/homeport.db")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    assert!(error.to_string().contains("/dev/null"), "{error}");
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = file();
    let store = open(&path).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_later_works_again() {
    let (_dir, path) = file();
    let engine = Sqlite::open(&path, SqliteSettings { max_pages: Some(120) }).unwrap();
    let store = Store::start(engine, WriterSettings::default()).unwrap();
    let mut big = device("a", "A");
    store.write(Write::Device(Box::new(big.clone()))).await.unwrap();
    let mut kept = 0;
    let error = loop {
        let mut message = report(&big, at(kept), &format!("message {kept}"));
        message.readings = (0..200).map(|n| super::cases::text_reading(&format!("s{n}"), "x")).collect();
        match store.write(Write::Report(Arc::new(message))).await {
            Ok(Outcome::Reported(reported)) => kept = reported.seq.0,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    assert!(kept > 0);
    assert_eq!(store.read().stats().await.unwrap().messages, kept, "only what was acknowledged is there");
    // Room is made: the next one follows without a gap.
    store.write(Write::Forget(big.names.id.clone())).await.unwrap();
    big = device("b", "B");
    let outcome = store.write(Write::Report(Arc::new(report(&big, at(kept), "after")))).await.unwrap();
    assert!(matches!(outcome, Outcome::Reported(reported) if reported.seq == Seq(kept + 1)));
    assert!(audit::check(store.read(), &mut |_| ()).await.unwrap().is_sound());
    store.close().await;
}

async fn faults_after(sql: &str) -> Vec<Fault> {
    let (_dir, path) = file();
    let store = open(&path).await.unwrap();
    for n in 1..=9 {
        let message = report(&device("a", "A"), at(n), &format!("message {n}"));
        store.write(Write::Report(Arc::new(message))).await.unwrap();
    }
    store.close().await;
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let store = open(&path).await.unwrap();
    let findings = audit::check(store.read(), &mut |_| ()).await.unwrap();
    store.close().await;
    findings.faults
}

#[tokio::test]
async fn tampering_is_found() {
    assert_eq!(faults_after("UPDATE message SET raw = x'00' WHERE seq = 4").await, [Fault::Body(Seq(4))]);
    assert_eq!(
        faults_after("UPDATE message SET verdict = 'bad_crc' WHERE seq = 4").await,
        [Fault::Hash(Seq(4))]
    );
    assert_eq!(
        faults_after("DELETE FROM message WHERE seq IN (1, 4, 5)").await,
        [Fault::Gap { from: Seq(1), to: Seq(1) }, Fault::Gap { from: Seq(4), to: Seq(5) }]
    );
    assert_eq!(
        faults_after("UPDATE message SET hash = zeroblob(32) WHERE seq = 4").await,
        [Fault::Hash(Seq(4)), Fault::Hash(Seq(5))]
    );
    assert_eq!(faults_after("UPDATE message SET raw = NULL WHERE seq < 4").await, [], "bodies may be pruned");
}

/// The server is killed between the moment a message is on disk and the moment what it said is in its place.
#[tokio::test]
async fn a_stop_between_commit_and_filing_loses_and_doubles_nothing() {
    use homeport::store::Engine as _;

    let (_dir, path) = file();
    let mut engine = Sqlite::open(&path, SqliteSettings::default()).unwrap();
    let reports = |seconds: std::ops::Range<i64>| {
        let one = |second| {
            let mut message = report(&device("a", "A"), at(second), &format!("message {second}"));
            message.readings = ["s", "t", "s"].map(|name| super::cases::text_reading(name, "x")).into();
            message.fingerprint = Some([u8::try_from(second).unwrap(); 16]);
            Write::Report(Arc::new(message))
        };
        seconds.map(one).collect::<Vec<_>>()
    };
    let kill = |copy: &str| {
        let copy = path.with_file_name(copy);
        for ending in ["", "-wal"] {
            let name = |path: &Path| format!("{}{ending}", path.display());
            drop(std::fs::copy(name(&path), name(&copy)));
        }
        copy
    };
    engine.commit(&reports(0..5)).await.unwrap();
    let before_filing = kill("before.db");
    engine.commit(&[Write::File]).await.unwrap();
    let after_filing = kill("after.db");
    engine.commit(&reports(5..9)).await.unwrap();
    let later = kill("later.db");
    drop(engine);
    for (left, messages) in [(before_filing, 5), (after_filing, 5), (later, 9), (path, 9)] {
        // The second time everything is in its place since the first.
        for _ in 0..2 {
            let store = open(&left).await.unwrap();
            let values = DataFilter { limit: 99, ..DataFilter::default() };
            let values = store.read().data(values).await.unwrap();
            let seqs: Vec<i64> = values.iter().map(|(_, datum)| datum.seq.0).collect();
            assert_eq!(seqs, (1..=messages).flat_map(|seq| [seq; 3]).collect::<Vec<_>>());
            let again = store.write(reports(4..5).remove(0)).await.unwrap();
            let Outcome::Reported(again) = again else { panic!("{again:?}") };
            assert_eq!(again.verdict, homeport::model::Verdict::Duplicate);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_damaged_page_is_told_and_stays_as_it_is() {
    let (_dir, path) = file();
    let mut store = open(&path).await.unwrap();
    for n in 0..70 {
        if n == 3 {
            store.close().await;
            let db = rusqlite::Connection::open(&path).unwrap();
            let damage = "UPDATE page SET body = zeroblob(length(body)) WHERE last = 1";
            assert_eq!(db.execute(damage, []).unwrap(), 1);
            drop(db);
            store = open(&path).await.unwrap();
        }
        for name in ["a", "b"] {
            let mut message = report(&device(name, name), at(n), "x");
            message.readings = vec![super::cases::text_reading("s", "x")];
            store.write(Write::Report(Arc::new(message))).await.unwrap();
        }
        store.write(Write::File).await.unwrap();
    }
    store.close().await;
    let store = open(&path).await.unwrap();
    let values = |name: &str| DataFilter {
        whose: device(name, name).names.id.into(),
        limit: 999,
        ..DataFilter::default()
    };
    let error = store.read().data(values("a")).await.unwrap_err();
    assert!(error.to_string().contains("damaged: restore a backup"), "{error}");
    assert_eq!(store.read().data(values("b")).await.unwrap().len(), 70);
    let later = DataFilter { from: Some(at(1)), ..values("a") };
    assert_eq!(store.read().data(later).await.unwrap().len(), 69, "what is not in it can be read");
    store.close().await;
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let (_dir, path) = file();
    let engine = Sqlite::open(&path, SqliteSettings::default()).unwrap();
    let store =
        Store::start(engine, WriterSettings { queue_max: 2, batch_max: 1, ..WriterSettings::default() })
            .unwrap();
    // Another program has the file: the writer waits, and what comes meanwhile must not.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = super::cases::flood(&store, 50);
    tokio::task::yield_now().await;
    let last = store.write(Write::Device(Box::new(device("z", "Z")))).await;
    assert_eq!(last.unwrap_err(), StoreError::Busy);
    db.execute_batch("ROLLBACK").unwrap();
    let mut stored = 0;
    for one in waiting {
        match one.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!(error, StoreError::Busy),
        }
    }
    assert!((1..=3).contains(&stored), "{stored}");
    assert_eq!(store.read().stats().await.unwrap().messages, stored);
    store.close().await;
}

#[tokio::test]
async fn pruning_small_messages_frees_pages() {
    let (_dir, path) = file();
    let store = open(&path).await.unwrap();
    for n in 1..=600 {
        let message = report(&device("a", "A"), at(n), &"x".repeat(400));
        store.write(Write::Report(Arc::new(message))).await.unwrap();
    }
    for _ in 0..10 {
        let work = Prune::Entries { what: Bulk::Raw, below: Seq(501), limit: 50, bytes: None };
        store.write(Write::Prune(work)).await.unwrap();
    }
    assert!(audit::check(store.read(), &mut |_| ()).await.unwrap().is_sound());
    store.close().await;
    let db = rusqlite::Connection::open(&path).unwrap();
    let free: i64 = db.pragma_query_value(None, "freelist_count", |row| row.get(0)).unwrap();
    // 500 times 400 bytes are 49 pages.
    assert!(free >= 25, "{free} pages are free");
}
