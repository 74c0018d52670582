//! Copies of an SQLite database: made under load, checked, and put in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeport::model::Seq;
use homeport::store::{Backup, Store, StoreError, Target, Write, WriterSettings, backup_closed, restore};

use super::cases::{at, device, report, store_report};

struct Room {
    dir: tempfile::TempDir,
    target: Target,
}

impl Room {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(dir.path().join("homeport.db"));
        Self { dir, target }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn open(&self) -> Store {
        Store::open(&self.target, WriterSettings::default()).await.unwrap()
    }

    /// A database with so many messages, closed.
    async fn filled(messages: i64) -> Self {
        let room = Self::new();
        let store = room.open().await;
        say(&store, messages).await;
        store.close().await;
        room
    }

    async fn messages(&self) -> i64 {
        let store = self.open().await;
        let messages = store.read().stats().await.unwrap().messages;
        store.close().await;
        messages
    }
}

async fn say(store: &Store, messages: i64) {
    for n in 0..messages {
        store_report(store, report(&device("a", "A"), at(n), &"x".repeat(2000))).await;
    }
}

/// Answers how many were taken.
async fn say_until_closed(store: Store) -> i64 {
    let message = |n| Write::Report(Arc::new(report(&device("b", "B"), at(n), "while it is copied")));
    let mut said = 0;
    while store.write(message(said)).await.is_ok() {
        said += 1;
    }
    said
}

fn keep(mut copy: Backup, at: &Path) {
    let mut file = fs::File::create(at).unwrap();
    assert_eq!(std::io::copy(&mut copy.file, &mut file).unwrap(), copy.bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_one_moment_while_others_write() {
    let room = Room::new();
    let store = room.open().await;
    // Some thousand pages: several steps of the copy.
    say(&store, 1500).await;
    let writing = tokio::spawn(say_until_closed(store.clone()));
    let copy = store.read().backup().await.unwrap();
    let entries = copy.entries;
    assert!(entries >= 1500);
    keep(copy, &room.path("copy.db"));
    store.close().await;
    let said = writing.await.unwrap();
    assert_eq!(room.messages().await, 1500 + said);
    let names: Vec<_> =
        fs::read_dir(room.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("partial")), "{names:?}");

    let (kept, restored) = restore(&room.target, &room.path("copy.db"), ".old").await.unwrap();
    assert_eq!((kept, restored), (Some(room.path("homeport.db.old")), entries));
    assert_eq!(room.messages().await, entries);
    assert!(!room.path("homeport.db-wal").exists(), "a closed database is one file");
}

#[tokio::test]
async fn a_closed_database_is_copied_and_left_as_it_is() {
    let room = Room::filled(3).await;
    let before = fs::read(room.path("homeport.db")).unwrap();
    assert_eq!(backup_closed(&room.target, &room.path("copy.db")).await.unwrap(), 3);
    assert_eq!(fs::read(room.path("homeport.db")).unwrap(), before);
    let again = backup_closed(&room.target, &room.path("copy.db")).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "a file that is there is left alone");

    let store = room.open().await;
    let refused = backup_closed(&room.target, &room.path("other.db")).await;
    assert!(matches!(refused, Err(StoreError::InUse(_))), "{refused:?}");
    let refused = restore(&room.target, &room.path("copy.db"), ".old").await;
    assert!(matches!(refused, Err(StoreError::InUse(_))), "{refused:?}");
    store.close().await;
    let missing = Target::Sqlite(room.path("none.db"));
    let refused = backup_closed(&missing, &room.path("other.db")).await.unwrap_err();
    assert!(refused.to_string().contains("none.db") && !room.path("none.db").exists(), "{refused}");
}

#[tokio::test]
async fn what_was_there_is_kept_and_comes_back() {
    let room = Room::filled(5).await;
    backup_closed(&room.target, &room.path("five.db")).await.unwrap();
    let store = room.open().await;
    say(&store, 2).await;
    store.close().await;
    let (kept, entries) = restore(&room.target, &room.path("five.db"), ".seven").await.unwrap();
    assert_eq!((entries, room.messages().await), (5, 5));
    let kept = kept.unwrap();
    let (again, _) = restore(&room.target, &kept, ".seven").await.unwrap();
    assert_eq!(again, Some(room.path("homeport.db.seven-2")), "what was kept is not written over");
    assert_eq!(room.messages().await, 7);
    // In a folder where there was nothing.
    let empty = Room::new();
    assert_eq!(restore(&empty.target, &room.path("five.db"), ".old").await.unwrap(), (None, 5));
    assert_eq!(empty.messages().await, 5);
}

#[tokio::test]
async fn a_backup_that_is_no_good_changes_nothing() {
    let room = Room::filled(400).await;
    let good = room.path("good.db");
    backup_closed(&room.target, &good).await.unwrap();
    let bytes = fs::read(&good).unwrap();
    let half = &bytes[..bytes.len() / 2];
    let mut worn = bytes.clone();
    let middle = worn.len() / 2;
    worn[middle..middle + 40_000].fill(0x5a);
    fs::write(room.path("half.db"), half).unwrap();
    fs::write(room.path("worn.db"), &worn).unwrap();
    fs::write(room.path("text.db"), "this is a letter and no database\n".repeat(400)).unwrap();
    fs::write(room.path("empty.db"), "").unwrap();
    rusqlite::Connection::open(room.path("other.db")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    fs::copy(&good, room.path("forged.db")).unwrap();
    let db = rusqlite::Connection::open(room.path("forged.db")).unwrap();
    db.execute_batch("UPDATE message SET verdict = 'bad_crc' WHERE seq = 200").unwrap();
    drop(db);
    for name in ["half", "worn", "text", "empty", "other", "forged", "none"] {
        let refused = restore(&room.target, &room.path(&format!("{name}.db")), ".old").await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{name}: {refused:?}");
        assert!(
            !room.path("homeport.db.old").exists() && !room.path("homeport.db.restoring").exists(),
            "{name}"
        );
    }
    fs::copy(&good, room.path("newer.db")).unwrap();
    let db = rusqlite::Connection::open(room.path("newer.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let refused = restore(&room.target, &room.path("newer.db"), ".old").await;
    assert!(matches!(refused, Err(StoreError::TooNew { found: 99, .. })), "{refused:?}");
    assert_eq!(room.messages().await, 400);
}

#[tokio::test]
async fn a_damaged_database_makes_room_for_a_backup() {
    let room = Room::filled(9).await;
    backup_closed(&room.target, &room.path("good.db")).await.unwrap();
    fs::write(room.path("homeport.db"), "ruined").unwrap();
    fs::write(room.path("homeport.db-wal"), "ruined too").unwrap();
    let (kept, _) = restore(&room.target, &room.path("good.db"), ".ruined").await.unwrap();
    assert_eq!(fs::read(kept.unwrap()).unwrap(), b"ruined");
    assert!(!room.path("homeport.db-wal").exists());
    let store = room.open().await;
    let next = store_report(&store, report(&device("a", "A"), at(99), "the next")).await;
    assert_eq!(next.seq, Seq(10));
    store.close().await;
}
