//! Certificates: the same over restarts, renewed and replaced under load without dropping anybody.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::harness::{Client, Module, Program, settled};

#[test]
fn the_root_is_the_same_after_a_restart_and_keys_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut program = Program::started();
    let before = program.done(&["certs", "export-root"]);
    let shown = without_days(&program.done(&["certs", "show"]));
    program.stop();
    program.start();
    assert_eq!(program.done(&["certs", "export-root"]), before);
    assert_eq!(without_days(&program.done(&["certs", "show"])), shown);
    program.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    let mut keys = 0;
    for entry in fs::read_dir(program.folder().join("certs")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let Ok(pem) = fs::read_to_string(&path) else { continue };
        if pem.contains("PRIVATE KEY") {
            keys += 1;
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} can be read by others", path.display());
        }
        assert!(pem.len() < 4096, "{} has {} bytes", path.display(), pem.len());
    }
    assert!(keys >= 3, "a root key and two server keys");
}

/// What `certs show` prints, less the countdown, which may turn between two looks.
fn without_days(shown: &str) -> Vec<String> {
    shown.lines().filter(|line| !line.contains("days left")).map(str::to_owned).collect()
}

#[test]
fn a_reload_under_load_drops_nobody() {
    let program = Program::started();
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let (address, root) = (program.https(), program.root());
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let (stop, count, root) = (Arc::clone(&stop), Arc::clone(&count), root.clone());
            let mut kept = Module::new(program.client(), &format!("000201020304050{number}"));
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let message = kept.next(r#"{"_hbt":{"door":1}}"#);
                    kept.pushes(&message);
                    let mut fresh =
                        Client::connect(address, "localhost", &root).expect("a handshake under reload");
                    fresh.get("/pull").is_device_answer(200, r#"{"pull":false}"#);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let leaf = || served(&program, &root);
    for _ in 0..3 {
        let before = leaf();
        program.done(&["certs", "renew"]);
        program.signal("HUP");
        settled(|| (leaf() != before).then_some(())).expect("the renewed certificate is served");
        let then = count.load(Ordering::SeqCst);
        settled(|| (count.load(Ordering::SeqCst) > then + 4).then_some(())).expect("calls go on");
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.join().expect("no call failed");
    }
}

/// The certificate that OpenSSL is shown.
fn served(program: &Program, _root: &CertificateDer<'_>) -> String {
    let address = program.https().to_string();
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &address, "-servername", "localhost"])
        .stdin(std::process::Stdio::null())
        .output()
        .expect("openssl runs; scripts/test installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let begin = said.find("-----BEGIN CERTIFICATE").expect("a certificate is served");
    said[begin..].split("-----END").next().unwrap_or_default().to_owned()
}

/// Makes a certificate with OpenSSL, as an operator might have one.
fn own_certificate(folder: &Path, name: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=mine"])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
        ])
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .output()
        .expect("openssl runs; scripts/test installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn the_operators_own_certificate_is_served_and_followed_when_it_changes() {
    let program =
        Program::new().set("HOMEPORT_TLS_CERTIFICATE", "mine.pem").set("HOMEPORT_TLS_KEY", "mine.key");
    own_certificate(program.folder(), "mine");
    own_certificate(program.folder(), "next");
    let mut program = program;
    program.start();
    let root = CertificateDer::from_pem_file(program.folder().join("mine.pem")).expect("OpenSSL made one");
    let body = |pem: &str| {
        let text = fs::read_to_string(program.folder().join(pem)).expect("OpenSSL made one");
        text.split("-----END").next().unwrap_or_default().to_owned()
    };
    assert_eq!(served(&program, &root), body("mine.pem"));
    let mut kept =
        Client::connect(program.https(), "localhost", &root).expect("its own certificate is its root");
    kept.get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    // Key first: between the two moves they do not fit, and the old pair stays.
    fs::rename(program.folder().join("next.key"), program.folder().join("mine.key"))
        .expect("a file can be moved");
    fs::rename(program.folder().join("next.pem"), program.folder().join("mine.pem"))
        .expect("a file can be moved");
    let next = body("mine.pem");
    settled(|| (served(&program, &root) == next).then_some(()))
        .expect("the change is noticed without a signal");
    kept.get("/pull").is_device_answer(200, r#"{"pull":false}"#);
}

#[test]
fn a_broken_replacement_leaves_the_old_certificate_in_place() {
    let program =
        Program::new().set("HOMEPORT_TLS_CERTIFICATE", "mine.pem").set("HOMEPORT_TLS_KEY", "mine.key");
    own_certificate(program.folder(), "mine");
    let mut program = program;
    program.start();
    let root = CertificateDer::from_pem_file(program.folder().join("mine.pem")).expect("OpenSSL made one");
    let before = served(&program, &root);
    fs::write(program.folder().join("mine.pem"), "no certificate").expect("a file can be written");
    program.signal("HUP");
    assert!(program.says("mine.pem"), "the log names the file");
    assert_eq!(served(&program, &root), before);
}
