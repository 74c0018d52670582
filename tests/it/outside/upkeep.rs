//! Backups and restores by the program, beside a server that goes on taking messages.

use std::fs;

use crate::harness::{Module, Program};

fn beats(module: &mut Module, count: u32) {
    for _ in 0..count {
        let message = module.next(r#"{"_hbt":{"door":1}}"#);
        module.pushes(&message);
    }
}

fn heard(program: &Program) -> usize {
    program.all(&program.token(), "/api/v1/messages?limit=200").len()
}

/// What a command that must fail says.
#[track_caller]
fn refusal(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_backup_of_a_running_server_is_restored_after_it_stopped() {
    let mut program = Program::started();
    let mut module = Module::new(program.client(), "0002010203040506");
    beats(&mut module, 5);
    let said = program.done(&["backup", "copy.db"]);
    assert!(said.contains("copy.db: 5 entries"), "{said}");
    assert!(refusal(&program, &["backup", "copy.db"]).contains("there already"));
    beats(&mut module, 2);
    assert!(refusal(&program, &["restore", "copy.db"]).contains("stop it"));
    assert_eq!(heard(&program), 7);
    // What it said last is still in the journal.
    program.kill();

    let said = program.done(&["restore", "copy.db"]);
    assert!(said.contains("5 entries") && said.contains("homeport.db.replaced-"), "{said}");
    let kept = said.split_whitespace().find(|word| word.contains("replaced-")).expect("its name is said");
    assert!(program.folder().join(kept).is_file(), "{kept}");
    let offline: serde_json::Value =
        serde_json::from_str(&program.done(&["backup", "again.db", "--json"])).expect("JSON is printed");
    assert_eq!(offline["entries"], 5);
    program.start();
    assert_eq!(heard(&program), 5);
    // The module goes on, and the ledger with it.
    let mut module = Module::new(program.client(), "0002010203040507");
    beats(&mut module, 1);
    assert_eq!(heard(&program), 6);
    assert!(program.done(&["audit"]).contains("6 entries, 0 faults"));
    program.stop();
    assert!(program.done(&["restore", kept]).contains("7 entries"), "what was replaced is whole");
    let left: Vec<String> = fs::read_dir(program.folder().join("data"))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!left.iter().any(|name| name.contains("partial") || name.contains("restoring")), "{left:?}");
}

#[test]
fn only_administrators_get_a_copy() {
    let program = Program::started();
    let printed = program.done(&["token", "create", "looker", "--role", "operator"]);
    let token = printed.split_whitespace().find(|word| word.starts_with("hp_")).expect("a token is printed");
    assert_eq!(program.client().get_as(token, "/api/v1/backup").status, 403);
    let copy = program.client().get_as(&program.token(), "/api/v1/backup");
    assert_eq!(copy.status, 200);
    assert!(copy.body.starts_with(b"SQLite format 3\0"));
}

#[test]
fn a_store_of_a_newer_homeport_is_left_alone_with_a_sentence() {
    let mut program = Program::started();
    program.stop();
    let path = program.folder().join("data/homeport.db");
    let db = rusqlite::Connection::open(&path).expect("the database can be opened");
    db.pragma_update(None, "user_version", 99).expect("its version can be set");
    drop(db);
    let before = fs::read(&path).expect("it can be read");
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("schema 99") && said.contains("start a newer homeport"), "{said}");
    assert_eq!(fs::read(&path).expect("it can be read"), before);
    assert!(refusal(&program, &["backup", "copy.db"]).contains("schema 99"));
}

#[test]
fn postgres_has_its_own_tools() {
    let program = Program::new().set("HOMEPORT_STORE", "postgres://nobody@192.0.2.1/none");
    assert!(refusal(&program, &["backup", "copy.db"]).contains("pg_dump"));
    assert!(refusal(&program, &["restore", "copy.db"]).contains("pg_restore"));
}
