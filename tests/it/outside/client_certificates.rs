//! Devices with certificates of their own: good, bad and none, in each mode.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use serde_json::Value;

use crate::harness::{Client, Module, Program, okm, settled};

const CWM: &str = "0002010203040506";

/// Certificate and key made by the server's own authority.
fn issued(program: &Program, id: &str) -> (PathBuf, PathBuf) {
    let folder = program.folder().join(format!("module-{id}"));
    program.done(&["certs", "issue-client", id, "--out", folder.to_str().expect("a path of text")]);
    (folder.join(format!("{id}.pem")), folder.join(format!("{id}.key")))
}

/// Runs openssl in the program's folder.
fn openssl(program: &Program, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(program.folder())
        .output()
        .expect("openssl runs; scripts/test installs it");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn pair(cert: &Path, key: &Path) -> CertifiedKey {
    let chain = vec![CertificateDer::from_pem_file(cert).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    CertifiedKey::new(chain, any_supported_type(&key).expect("a key that signs"))
}

fn client(program: &Program, files: &(PathBuf, PathBuf)) -> std::io::Result<Client> {
    let shown = pair(&files.0, &files.1);
    Client::connect_as(program.https(), &program.root(), &shown, &[&TLS13, &TLS12])
}

/// What the API says of a device's certificate, once it says something that fits.
fn certificate(program: &Program, address: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let token = program.token();
    settled(|| {
        let found = program.api(&token, &format!("/api/v1/devices?q={address}"));
        let id = found["items"][0]["id"].as_str()?.to_owned();
        let device = program.api(&token, &format!("/api/v1/devices/{id}"));
        Some(device["certificate"].clone()).filter(|shown| !shown.is_null() && fits(shown))
    })
    .expect("the certificate is written down")
}

#[test]
fn a_good_certificate_is_tied_to_its_device_and_so_is_the_next_one() {
    let program = Program::started();
    let first = issued(&program, CWM);
    let mut module = Module::new(client(&program, &first).expect("it is let in"), CWM);
    let message = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&message);
    let shown = certificate(&program, CWM, |_| true);
    assert_eq!(shown["verified"], true, "{shown}");
    assert_eq!(shown["subject"], format!("CN={CWM}"));
    assert_eq!(shown["fault"], Value::Null);
    let printed = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&first.0)
        .output()
        .expect("openssl runs");
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(printed.trim().ends_with(shown["fingerprint"].as_str().expect("text")), "{printed} {shown}");

    let before = shown["fingerprint"].clone();
    let second = issued(&program, CWM);
    let mut module = Module::new(client(&program, &second).expect("it is let in"), CWM);
    let message = okm(&[CWM], 77, "2024-03-01T13:00:00Z", r#"{"_hbt":{"door":2}}"#);
    module.pushes(&message);
    let shown = certificate(&program, CWM, |shown| shown["fingerprint"] != before);
    assert_eq!(shown["earlier"][0]["fingerprint"], before, "{shown}");
}

#[test]
fn a_bad_certificate_is_let_in_and_flagged_whatever_is_wrong_with_it() {
    let program = Program::started();
    // Signed by itself, as a client and as an authority.
    openssl(
        &program,
        "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -days 9 -subj /CN=own -addext basicConstraints=critical,CA:FALSE",
    );
    openssl(&program, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 9 -subj /CN=ca");
    // A certificate of the form before extensions, and a key too short to prove anything.
    openssl(&program, "req -new -newkey rsa:2048 -nodes -keyout v1.key -out v1.csr -subj /CN=old");
    openssl(&program, "x509 -req -in v1.csr -signkey v1.key -out v1.pem -days 9");
    openssl(
        &program,
        "req -x509 -newkey rsa:1024 -nodes -keyout short.key -out short.pem -days 9 -subj /CN=short",
    );
    openssl(&program, "req -x509 -newkey ed448 -nodes -keyout odd.key -out odd.pem -days 9 -subj /CN=odd");
    for (name, words) in [
        ("self", "no root that this server trusts"),
        ("ca", "an authority"),
        ("v1", "not supported"),
        ("short", "not supported"),
        ("odd", ""),
    ] {
        for version in ["-tls1_2", "-tls1_3"] {
            let address = program.https().to_string();
            let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
            let id = format!("00{name}{version}").replace(['-', '_'], "");
            let message = okm(&[&id], 7, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":1}}"#);
            let request =
                format!("POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", Module::target(&message));
            let arguments = [
                "s_client",
                "-connect",
                &address,
                version,
                "-cert",
                &cert,
                "-key",
                &key,
                "-ign_eof",
                "-quiet",
                "-cipher",
                "DEFAULT@SECLEVEL=0",
            ];
            let said = super::clients::speak_in(program.folder(), "openssl", &arguments, request.as_bytes());
            if name == "odd" {
                // Our list of signatures has none that such a key can make, so openssl shows no certificate.
                continue;
            }
            assert!(said.contains(r#"{"push":true"#), "{name} {version}: {said}");
            let shown = certificate(&program, &id, |_| true);
            assert_eq!(shown["verified"], false, "{name}: {shown}");
            assert!(shown["fault"].as_str().is_some_and(|fault| fault.contains(words)), "{name}: {shown}");
        }
    }
}

#[test]
fn in_required_mode_device_paths_want_a_good_certificate_and_pages_do_not() {
    let program = Program::started();
    let good = issued(&program, CWM);
    fs::write(program.folder().join("homeport.toml"), "[tls]\nclient_certificates = \"required\"\n").unwrap();
    program.signal("HUP");
    let refused = settled(|| {
        let answer = program.client().get("/pull");
        (answer.status == 403).then_some(answer)
    });
    let refused = refused.expect("SIGHUP takes the mode over");
    assert!(refused.text().contains("client certificate"), "{}", refused.text());
    assert_eq!(program.client().get("/login").status, 200, "people sign in without one");
    assert_eq!(program.client().get("/health/live").status, 200);

    for version in [&TLS12, &TLS13] {
        let shown = pair(&good.0, &good.1);
        let mut client = Client::connect_as(program.https(), &program.root(), &shown, &[version]).unwrap();
        client.get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    }
    openssl(
        &program,
        "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -days 9 -subj /CN=own -addext basicConstraints=critical,CA:FALSE",
    );
    let own = (program.folder().join("self.pem"), program.folder().join("self.key"));
    let answer = client(&program, &own).expect("the handshake passes").get("/pull");
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(program.says("no root that this server trusts has signed it"), "the log says why");

    // A root the operator names vouches too.
    fs::write(program.folder().join("homeport.toml"), "[tls]\nclient_certificates = \"off\"\n").unwrap();
    program.signal("HUP");
    settled(|| (program.client().get("/pull").status == 200).then_some(())).expect("off asks nobody");
}

#[test]
fn a_session_from_before_does_not_stand_in_the_way_of_a_certificate() {
    let program = Program::new().unset("HOMEPORT_TLS_CLIENT_CERTIFICATES");
    fs::write(program.folder().join("homeport.toml"), "[tls]\nclient_certificates = \"off\"\n").unwrap();
    let mut program = program;
    program.start();
    let (cert, key) = issued(&program, CWM);
    let address = program.https().to_string();
    let request = b"GET /pull HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let call = |version: &str, session: &str| {
        let name = format!("session{version}");
        let (cert, key) = (cert.to_str().expect("text"), key.to_str().expect("text"));
        let arguments = [
            "s_client", "-connect", &address, version, "-cert", cert, "-key", key, "-ign_eof", session, &name,
        ];
        super::clients::speak_in(program.folder(), "openssl", &arguments, request)
    };
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(call(version, "-sess_out").contains(r#"{"pull":false}"#));
        let again = call(version, "-sess_in");
        assert!(again.contains("Reused, TLSv1."), "{again}");
    }
    fs::write(program.folder().join("homeport.toml"), "[tls]\nclient_certificates = \"required\"\n").unwrap();
    program.signal("HUP");
    let refused = settled(|| {
        let answer = program.client().get("/pull");
        (answer.status == 403).then_some(answer)
    });
    let refused = refused.expect("SIGHUP takes the mode over");
    assert_eq!(refused.header("connection"), Some("close"), "only a new handshake can help");
    for version in ["-tls1_2", "-tls1_3"] {
        let after = call(version, "-sess_in");
        assert!(after.contains(r#"{"pull":false}"#), "{version}: {after}");
    }
}

#[test]
fn a_revoked_certificate_counts_no_more_on_open_connections_too() {
    let program = Program::started();
    let answer = program.client().post(&format!("/provision?devid={CWM}"), b"").json();
    let files = (program.folder().join("given.pem"), program.folder().join("given.key"));
    for (file, member) in [(&files.0, "client_cert"), (&files.1, "client_key")] {
        fs::write(file, answer[member].as_str().expect("PEM")).expect("it can be written");
    }
    fs::write(program.folder().join("homeport.toml"), "[tls]\nclient_certificates = \"required\"\n").unwrap();
    program.signal("HUP");
    settled(|| (program.client().get("/pull").status == 403).then_some(()))
        .expect("SIGHUP takes the mode over");
    let mut kept = client(&program, &files).expect("it is let in");
    kept.get("/pull").is_device_answer(200, r#"{"pull":false}"#);

    let token = program.token();
    let found = program.api(&token, &format!("/api/v1/devices?q={CWM}"));
    let id = found["items"][0]["id"].as_str().expect("an id").to_owned();
    let revoked = program.post(&token, &format!("/api/v1/devices/{id}/revoke"), &Value::Null);
    assert!(revoked.status < 300, "{}", revoked.text());
    let refused = settled(|| {
        let answer = kept.get("/pull");
        (answer.status == 403).then_some(answer)
    });
    assert!(refused.is_some(), "the open connection is refused");
    assert_eq!(client(&program, &files).expect("the handshake passes").get("/pull").status, 403);
    assert!(program.says("it has been revoked"), "the log says why");
}

#[test]
fn another_root_may_vouch_for_devices() {
    let mut program = Program::new()
        .set("HOMEPORT_TLS_CLIENT_CERTIFICATES", "required")
        .set("HOMEPORT_TLS_CLIENT_ROOTS", "other.pem");
    openssl(
        &program,
        "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 9 -subj /CN=other",
    );
    openssl(&program, "req -new -newkey rsa:2048 -nodes -keyout m.key -out m.csr -subj /CN=0099");
    openssl(
        &program,
        "x509 -req -in m.csr -CA other.pem -CAkey other.key -CAcreateserial -out m.pem -days 9 -extfile /etc/ssl/openssl.cnf -extensions usr_cert",
    );
    program.start();
    let files = (program.folder().join("m.pem"), program.folder().join("m.key"));
    client(&program, &files).expect("it is let in").get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    client(&program, &issued(&program, CWM))
        .expect("and so is ours")
        .get("/pull")
        .is_device_answer(200, r#"{"pull":false}"#);
    program.stop();
    fs::remove_file(program.folder().join("other.pem")).unwrap();
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("other.pem cannot be read"), "{said}");
}

#[test]
fn a_certificate_without_its_key_does_not_pass_and_is_told_of() {
    let program = Program::started();
    let (stolen, own) = (issued(&program, CWM), issued(&program, "0099"));
    let shown = pair(&stolen.0, &own.1);
    for version in [&TLS12, &TLS13] {
        let tried = Client::connect_as(program.https(), &program.root(), &shown, &[version]);
        // With TLS 1.3 a client hears of it at its first read.
        let outcome = tried.and_then(|mut client| client.ask(b"GET /pull HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(outcome.is_err(), "{outcome:?}");
    }
    let token = program.token();
    let found = settled(|| {
        let all = program.all(&token, "/api/v1/handshakes");
        all.into_iter().find(|one| one["reason"] == "bad_proof" && one["count"] == 2)
    });
    let found = found.expect("the failure is written down");
    assert!(found["advice"].as_str().is_some_and(|advice| advice.contains("issue-client")), "{found}");
}

#[test]
fn a_message_with_one_source_is_carried_by_the_module_its_certificate_names() {
    let program = Program::started();
    let files = issued(&program, CWM);
    let mut module = Module::new(client(&program, &files).expect("it is let in"), CWM);
    let message = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&message);
    module.pushes(&okm(&["0102030405060708"], 9, "2024-03-01T12:30:00Z", r#"{"_hbt":{"door":1}}"#));
    let token = program.token();
    let of = |address: &str| program.api(&token, &format!("/api/v1/devices?q={address}"))["items"][0].clone();
    assert_eq!(of("0102030405060708")["parent"], of(CWM)["id"]);
    assert_eq!(of(CWM)["parent"], Value::Null);
    // Without a certificate it is its own carrier.
    let mut plain = Module::new(program.client(), CWM);
    plain.pushes(&okm(&["0102030405060799"], 9, "2024-03-01T12:30:00Z", r#"{"_hbt":{"door":1}}"#));
    assert_eq!(of("0102030405060799")["parent"], Value::Null);
}
