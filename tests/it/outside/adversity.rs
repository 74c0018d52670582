//! A machine that does not play along: disk, rights, ports, a second server. Each is a sentence with cause and
//! fix, and no module is told "taken" meanwhile.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Module, Program, RunAs, am_root, settled};

#[track_caller]
fn refused(program: &Program, words: &[&str]) {
    let (code, said) = program.refuses_to_start();
    assert!(matches!(code, Some(1 | 2)), "{code:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    assert!(last.contains(' '), "a sentence, not: {last}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    refused(&Program::new().set("HOMEPORT_HTTPS", &address), &[&address, "use"]);
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let first = Program::started();
    let data = first.folder().join("data");
    let second = Program::new().set("HOMEPORT_DATA_DIR", data.to_str().expect("a path of text"));
    refused(&second, &[data.to_str().expect("a path of text")]);
    first.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    assert!(first.run(&["devices", "list"]).status.success(), "the first one's control socket still works");
}

#[test]
fn an_unreadable_certificate_is_named() {
    let program = Program::new()
        .run_as(RunAs::Nobody)
        .set("HOMEPORT_TLS_CERTIFICATE", "mine.pem")
        .set("HOMEPORT_TLS_KEY", "mine.key");
    refused(&program, &["mine.pem"]);
    let (certificate, key) = (program.folder().join("mine.pem"), program.folder().join("mine.key"));
    fs::write(&certificate, "hello").expect("a file can be written");
    fs::write(&key, "hello").expect("a file can be written");
    refused(&program, &["mine."]);
    forbid(&certificate, "000");
    refused(&program, &["mine.pem", "ermission"]);
}

fn forbid(path: &Path, mode: &str) {
    let done = Command::new("chmod").arg(mode).arg(path).status();
    assert!(done.is_ok_and(|status| status.success()), "rights of {} can be changed", path.display());
}

#[test]
fn a_read_only_database_is_named() {
    let mut program = Program::new().run_as(RunAs::Nobody);
    program.start();
    program.stop();
    let data = program.folder().join("data");
    for entry in fs::read_dir(&data).expect("the folder is there") {
        forbid(&entry.expect("it can be listed").path(), "0400");
    }
    forbid(&data, "0500");
    refused(&program, &["data"]);
    forbid(&data, "0700");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let program = Program::new().set("HOMEPORT_DATA_DIR", "/dev/null/data");
    refused(&program, &["/dev/null/data"]);
}

#[test]
fn an_unknown_setting_names_its_neighbour() {
    let program = Program::new();
    fs::write(program.folder().join("homeport.toml"), "[limits]\nbody_max_byte = 7\n")
        .expect("a file can be written");
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("body_max_bytes"), "{said}");
}

/// A file system of a few megabytes that goes when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder can be made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn on_a_full_disk_no_module_is_told_taken_and_it_recovers() {
    let program = Program::new();
    let data = program.folder().join("data");
    let disk = am_root().then(|| SmallDisk::mount(&data, 4_096)).flatten();
    let mut program = program;
    if disk.is_none() {
        // No rights to mount: a limit on file size makes the same writes fail.
        program = program.limit_file_kib(1_024);
    }
    program.start();
    let mut module = Module::new(program.client(), "0002010203040506");
    let padding = "x".repeat(3_000);
    let mut confirmed = 0;
    let refused = (0..4_000).find_map(|_| {
        let message = module.next(&format!(r#"{{"_hbt":{{"text":"{padding}"}}}}"#));
        let answer = module.push(&message).expect("an answer");
        if answer.status == 200 {
            assert!(answer.text().contains("\"push\":true"), "{}", answer.text());
            confirmed += 1;
            return None;
        }
        Some((answer, message))
    });
    let (answer, message) = refused.expect("the disk gets full");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(!answer.text().contains("\"push\":true"), "{}", answer.text());
    assert!(program.says("full") || program.says("space"), "the log says why");
    assert!(confirmed > 10, "{confirmed}");
    // It still answers who only asks, and still refuses who wants something kept.
    program.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    assert_eq!(module.push(&message).expect("an answer").status, 503);
    let ready = || program.client().get("/health/ready");
    assert_eq!((ready().status, program.client().get("/health/live").status), (503, 200));

    if disk.is_some() {
        let more = Command::new("mount").args(["-o", "remount,size=65536k"]).arg(&data).status();
        assert!(more.is_ok_and(|status| status.success()), "the disk can be made larger");
        let taken = settled(|| {
            let answer = module.push(&message).expect("an answer");
            (answer.status == 200).then_some(())
        });
        taken.expect("with room again it takes messages again");
        settled(|| (ready().status == 200).then_some(())).expect("with room again it is ready");
        confirmed += 1;
    }
    program.kill();
    program = program.unlimited();
    program.done(&["audit"]);
    program.start();
    let kept = program.all(&program.token(), "/api/v1/messages?limit=200");
    assert!(kept.len() >= confirmed, "{} kept, {confirmed} confirmed", kept.len());
    program.stop();
    drop(disk);
}
