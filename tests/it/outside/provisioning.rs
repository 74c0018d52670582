//! Provisioning and proof: what a module is given, what it proves with it, and how that is taken away.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Program, encoded, okm, settled};

const MODULE: &str = "0002010203040506";

/// `openssl` with an input; it must do what it was asked.
fn openssl(arguments: &[&str], input: &str) -> String {
    let output = try_openssl(arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {}: {errors}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn try_openssl(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl runs; scripts/test installs it");
    child.stdin.take().expect("its input is piped").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("openssl can be waited for")
}

/// What `/provision` gives a module.
fn provisioned(program: &Program, target: &str, body: &str) -> Value {
    let answer = program.client().post(target, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.has_device_headers();
    answer.json()
}

fn text<'a>(material: &'a Value, name: &str) -> &'a str {
    material[name].as_str().unwrap_or_else(|| panic!("{name} is a text in {material}"))
}

fn public_key(pem: &str) -> String {
    openssl(&["x509", "-noout", "-pubkey"], pem)
}

fn set(program: Program) -> Program {
    let mut program = program;
    program.start();
    program
}

/// A GET with a client certificate, as OpenSSL does it.
fn with_certificate(program: &Program, material: &Value, target: &str) -> String {
    let (cert, key) = (program.folder().join("module.pem"), program.folder().join("module.key"));
    fs::write(&cert, text(material, "client_cert")).expect("a file can be written");
    fs::write(&key, text(material, "client_key")).expect("a file can be written");
    let address = program.https().to_string();
    let (cert, key) = (cert.display().to_string(), key.display().to_string());
    let arguments = ["s_client", "-quiet", "-connect", &address, "-cert", &cert, "-key", &key];
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let output = try_openssl(&[&arguments[..], &["-ign_eof"]].concat(), &request);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_module_is_given_material_that_works_and_the_same_again() {
    let mut program = Program::started();
    let first = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    assert_eq!(text(&first, "devid"), MODULE);
    assert_eq!(text(&first, "push_host"), "localhost", "the name that was called");
    assert_eq!(text(&first, "provisioning_key").len(), 32);
    let (cert, key, root) =
        (text(&first, "client_cert"), text(&first, "client_key"), text(&first, "root_ca"));
    for pem in [cert, key, root] {
        assert!(pem.len() < 4096 && pem.starts_with("-----BEGIN ") && pem.ends_with("-----\n"), "{pem}");
    }
    assert_eq!(public_key(cert), openssl(&["pkey", "-pubout"], key), "the key belongs to it");
    assert!(openssl(&["x509", "-noout", "-subject"], cert).contains(MODULE));
    assert!(openssl(&["x509", "-noout", "-ext", "extendedKeyUsage"], cert).contains("Client Authentication"));
    let file = program.folder().join("given-root.pem");
    fs::write(&file, root).expect("a file can be written");
    openssl(&["verify", "-CAfile", &file.display().to_string()], cert);
    assert_eq!(root, program.done(&["certs", "export-root"]));

    // Below the path, by POST and by another name: the same device, the same material, after a restart too.
    program.stop();
    program.start();
    for (target, body) in [
        ("/provision/anything/below", format!("dev_id={MODULE}")),
        ("/provision/", json!({ "req": { "devid": MODULE } }).to_string()),
    ] {
        let again = provisioned(&program, target, &body);
        assert_eq!(text(&again, "client_cert"), cert);
        assert_eq!(text(&again, "client_key"), key);
        assert_eq!(again["provisioning_key"], first["provisioning_key"]);
    }
    let shown: Value = serde_json::from_str(&program.done(&["devices", "show", MODULE, "--json"])).unwrap();
    assert_eq!(shown["issued"]["key_kept"], true);
    assert!(!shown.to_string().contains("PRIVATE KEY"), "{shown}");
    assert!(!shown.to_string().contains(text(&first, "provisioning_key")), "{shown}");
}

#[test]
fn two_calls_at_once_are_given_the_same() {
    let program = Program::started();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let mut client = program.client();
            std::thread::spawn(move || client.get("/provision?devid=0002AA").json())
        })
        .collect();
    let all: Vec<Value> = calls.into_iter().map(|call| call.join().expect("an answer")).collect();
    assert!(all.iter().all(|one| one["client_cert"] == all[0]["client_cert"]));
    assert!(all.iter().all(|one| one["provisioning_key"] == all[0]["provisioning_key"]));
}

#[test]
fn a_request_of_the_modules_own_is_signed() {
    let program = Program::started();
    let keys = program.folder().display().to_string();
    let request = |name: &str, kind: &[&str]| {
        let file = format!("{keys}/{name}.key");
        let made = openssl(&[&["genpkey", "-out", &file], kind].concat(), "");
        assert_eq!(made, "");
        openssl(&["req", "-new", "-subj", "/CN=whatever/O=it says", "-key", &file], "")
    };
    let rsa = request("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    let ec = request("ec", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    for (number, csr) in [rsa, ec].iter().enumerate() {
        let target = format!("/provision?devid=0002BB{number}&csr={}", encoded(csr));
        let material = provisioned(&program, &target, "");
        let cert = text(&material, "client_cert");
        assert_eq!(text(&material, "client_key"), "", "the module has its key");
        assert_eq!(public_key(cert), openssl(&["req", "-noout", "-pubkey"], csr));
        let subject = openssl(&["x509", "-noout", "-subject"], cert);
        assert!(subject.contains("0002BB") && !subject.contains("whatever"), "{subject}");
        let again = provisioned(
            &program,
            "/provision",
            &json!({"id": format!("0002BB{number}"), "x": csr}).to_string(),
        );
        assert_eq!(again["client_cert"], material["client_cert"], "the same key, the same certificate");
    }
    request("weak", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    // Plus signs may have been spaces; without four of them it is base64 all the same, and no request.
    let weak = (0..1000).map(|number| {
        openssl(&["req", "-new", "-subj", &format!("/CN={number}"), "-key", &format!("{keys}/weak.key")], "")
    });
    let mut weak = weak.filter(|csr| csr.contains('+') && csr.matches('+').count() % 4 == 0);
    let weak = weak.next().expect("one in a few is so");
    let spoilt = format!("-----BEGIN CERTIFICATE REQUEST-----\nAAAA{}", &weak[40..]);
    for (csr, word) in [(&weak, "1024 bits"), (&spoilt, "cannot be")] {
        let answer = program.client().post("/provision?devid=0002CC", csr.as_bytes());
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(word), "{}", answer.text());
    }
}

#[test]
fn a_certificate_lets_a_module_in_until_it_is_revoked() {
    let mut program = Program::started();
    let material = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    program.stop();
    program = set(program.set("HOMEPORT_TLS_CLIENT_CERTIFICATES", "required"));
    assert_eq!(program.client().get("/pull").status, 403, "without one nobody is let in");
    let pulled = with_certificate(&program, &material, "/pull");
    assert!(pulled.ends_with("{\"pull\":false}"), "{pulled}");
    let as_another = |program: &Program| with_certificate(program, &material, "/pull?devid=0002FF");
    assert!(as_another(&program).contains(" 200 "), "it may speak for others");
    program.stop();
    program = set(program.set("HOMEPORT_CWM_CERTIFICATE_SPEAKS_FOR", "itself"));
    assert!(as_another(&program).contains(" 403 "), "for itself only");
    let itself = with_certificate(&program, &material, &format!("/pull?devid={MODULE}"));
    assert!(itself.contains(" 200 "), "{itself}");
    let revoked = program.done(&["devices", "revoke", MODULE]);
    let facts = openssl(&["x509", "-noout", "-fingerprint", "-sha256"], text(&material, "client_cert"));
    let fingerprint = facts.trim().rsplit('=').next().expect("it prints one").to_owned();
    assert_eq!(revoked.trim(), format!("{fingerprint} revoked"));
    settled(|| with_certificate(&program, &material, "/pull").contains("403").then_some(()))
        .expect("it is refused");
    program.stop();
    program.start();
    let refused = with_certificate(&program, &material, "/pull");
    assert!(refused.contains("403"), "after a restart too: {refused}");
    program.stop();
    program = set(program.set("HOMEPORT_TLS_CLIENT_CERTIFICATES", "optional"));
    let fresh = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    assert_ne!(fresh["client_cert"], material["client_cert"], "what was revoked is not given again");
    assert_ne!(public_key(text(&fresh, "client_cert")), public_key(text(&material, "client_cert")));
}

#[test]
fn a_stricter_owner_gives_a_certificate_once_or_to_its_holder_only() {
    let mut program = set(Program::new().set("HOMEPORT_CWM_PROVISION_REPEAT", "proven"));
    let target = format!("/provision?devid={MODULE}");
    let material = provisioned(&program, &target, "");
    let stranger = program.client().get(&target);
    assert_eq!(stranger.status, 403);
    assert!(!stranger.text().contains("KEY"), "{}", stranger.text());
    let holder = with_certificate(&program, &material, &target);
    assert!(holder.contains(" 200 ") && holder.contains("PRIVATE KEY"), "{holder}");
    program.stop();
    program = set(program.set("HOMEPORT_CWM_PROVISION_REPEAT", "refuse"));
    assert_eq!(program.client().get("/provision?devid=0002DD").status, 200);
    assert_eq!(program.client().get("/provision?devid=0002DD").status, 403);
    let shown: Value = serde_json::from_str(&program.done(&["devices", "show", "0002DD", "--json"])).unwrap();
    assert_eq!(shown["issued"]["key_kept"], false);
    program.done(&["devices", "revoke", "0002DD"]);
    assert_eq!(program.client().get("/provision?devid=0002DD").status, 200);
}

#[test]
fn newcomers_are_provisioned_as_the_policy_says() {
    let mut program = set(Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold"));
    provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    let listed: Value = serde_json::from_str(&program.done(&["devices", "list", "--json"])).unwrap();
    assert_eq!((&listed[0]["address"], &listed[0]["state"]), (&json!(MODULE), &json!("held")));
    program.done(&["devices", "block", MODULE]);
    assert_eq!(program.client().get(&format!("/provision?devid={MODULE}")).status, 403);
    program.stop();
    program = set(program.set("HOMEPORT_DEVICES_UNKNOWN", "refuse"));
    let refused = program.client().get("/provision?devid=0002EE");
    assert_eq!(refused.status, 403);
    assert!(!refused.text().contains("BEGIN"), "{}", refused.text());
    assert_eq!(program.client().get("/provision").status, 400, "who asks?");
}

#[test]
fn the_owner_writes_the_answers() {
    let mut program = Program::new()
        .set("HOMEPORT_CWM_PROVISION_ANSWER_FILE", "answer.json")
        .set("HOMEPORT_CWM_PUSH_HOST", "push.example")
        .set("HOMEPORT_CWM_TIME_ANSWER", r#"{"now":{utc}}"#);
    let file = program.folder().join("answer.json");
    fs::write(&file, "{\"me\":\"{devid}\",\"ca\":\"{root_ca}\",\"to\":\"{push_host}\",\"{nonsense}\":0}\n")
        .unwrap();
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("answer.json") && said.contains("{nonsense}"), "{said}");
    fs::write(&file, "{\"me\":\"{devid}\",\"ca\":\"{root_ca}\",\"to\":\"{push_host}\"}\n").unwrap();
    program.start();
    let answer = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    let root = program.done(&["certs", "export-root"]);
    assert_eq!(answer, json!({"me": MODULE, "ca": root, "to": "push.example"}));
    assert!(program.client().get("/time").text().starts_with("{\"now\":"));
    // The file is read anew each time; a broken one is no reason to give out nonsense.
    fs::write(&file, "{\"id\":\"{devid}\"}").unwrap();
    assert_eq!(provisioned(&program, &format!("/provision?devid={MODULE}"), ""), json!({"id": MODULE}));
    fs::write(&file, "{\"id\":\"{devidd}\"}").unwrap();
    assert_eq!(program.client().get(&format!("/provision?devid={MODULE}")).status, 503);
    assert!(program.says("{devidd}"), "the log names the place");
}

/// `sha256hmac` as OpenSSL makes it.
fn hmac(key: &str, req: &str) -> String {
    let made = openssl(&["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}")], req);
    made.trim().rsplit([' ', '=']).next().expect("a digest").to_owned()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn push(program: &Program, id: u32, proof: impl Fn(&str) -> String) -> u16 {
    let message = okm(&["036334d0b8df1f05", MODULE], id, "2024-03-01T12:00:00Z", r#"{"a":"1 + 1"}"#);
    let req = format!("{{\"okm\":{message},\"ts\":\"2024-03-01T12:00:00\"}}");
    let proof = proof(&req);
    let proof = if proof.is_empty() { proof } else { format!("sha256hmac={proof}&") };
    program.client().post(&format!("/push?{proof}req={}", encoded(&req)), b"").status
}

fn checks(program: &Program) -> Vec<Value> {
    let mut messages = program.all(&program.token(), "/api/v1/messages?direction=in");
    messages.sort_by_key(|message| message["seq"].as_i64());
    messages.into_iter().map(|message| message["hmac"].clone()).collect()
}

#[test]
fn the_proof_of_a_message_is_checked_and_its_result_is_kept() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let mut program = Program::started();
    assert_eq!(push(&program, 1, |_| String::new()), 200);
    assert_eq!(push(&program, 2, |req| hmac(&hex(KEY), req)), 200);
    fs::write(program.folder().join("vendor.key"), format!("{KEY}\n")).unwrap();
    let told = program.done(&["devices", "rotate", MODULE, "--key-file", "vendor.key"]);
    assert!(!told.contains(KEY), "{told}");
    assert_eq!(push(&program, 3, |req| hmac(&hex(KEY), req)), 200);
    assert_eq!(push(&program, 4, |req| hmac(KEY, req).to_uppercase()), 200);
    assert_eq!(push(&program, 5, |req| hmac(KEY, &req.replace("1 + 1", "1 + 2"))), 200);
    assert_eq!(checks(&program), ["absent", "no_key", "ok", "ok", "bad"]);
    let held = |program: &Program| {
        let shown: Value =
            serde_json::from_str(&program.done(&["devices", "show", MODULE, "--json"])).unwrap();
        shown["key"]["held"].clone()
    };
    assert_eq!(held(&program), "hex", "the spelling that held last");
    program.stop();
    program = set(program.set("HOMEPORT_CWM_HMAC", "require"));
    assert_eq!(held(&program), "hex");
    assert_eq!(push(&program, 6, |_| String::new()), 403);
    assert_eq!(push(&program, 7, |req| hmac("00", req)), 403);
    assert_eq!(push(&program, 8, |req| hmac(&hex(KEY), req)), 200);
    assert_eq!(checks(&program).len(), 6, "what is refused is not kept");
    program.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    let pull = |proof: &str| {
        let req = format!(r#"{{"devid":"{MODULE}","ts":"2020-09-16T12:13:47","lokm":true}}"#);
        let stated = if proof.is_empty() { String::new() } else { format!("sha256hmac={proof}&") };
        program.client().get(&format!("/pull?{stated}req={}", encoded(&req))).status
    };
    // cwm-oke.md §12, to the digit
    assert_eq!(pull("e089c5df8f2fec8e678e17438934f3cc25de782e37c0e9fd711243295e8803fb"), 200);
    assert_eq!(pull(""), 403);
    program.stop();
    program = set(program.set("HOMEPORT_CWM_HMAC", "ignore"));
    assert_eq!(push(&program, 9, |_| "00".to_owned()), 200);
    assert_eq!(checks(&program).last(), Some(&Value::Null));
}

#[test]
fn a_new_key_is_told_once_and_replaces_the_one_before() {
    let program = Program::started();
    let given = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    let old = text(&given, "provisioning_key").to_owned();
    assert_eq!(push(&program, 1, |req| hmac(&hex(&old), req)), 200);
    let new = program.done(&["devices", "rotate", MODULE]).trim().to_owned();
    assert_eq!(new.len(), 32);
    assert_eq!(push(&program, 2, |req| hmac(&hex(&old), req)), 200);
    assert_eq!(push(&program, 3, |req| hmac(&hex(&new), req)), 200);
    assert_eq!(checks(&program), ["ok", "bad", "ok"]);
    let again = provisioned(&program, &format!("/provision?devid={MODULE}"), "");
    assert_eq!(text(&again, "provisioning_key"), new, "a module that calls again learns it");
    assert!(!program.log().contains(&new) && !program.log().contains(&old), "keys stay out of the log");
}

#[test]
fn requests_are_captured_as_they_came() {
    let program = set(Program::new().set("HOMEPORT_CWM_CAPTURE", r#"["provision", "unreadable"]"#));
    let request = "POST /provision/x?devid=0002FF&a=%20+ HTTP/1.1\r\nHost: localhost\r\nX-Module: 7\r\n\
                   Authorization: Bearer secret\r\nContent-Length: 3\r\n\r\n\u{e9}!";
    assert_eq!(program.client().ask(request.as_bytes()).unwrap().status, 200);
    assert_eq!(program.client().post("/push?x=1", b"hello").status, 400);
    assert_eq!(push(&program, 1, |_| String::new()), 200);
    let captures: Value = serde_json::from_str(&program.done(&["captures", "list", "--json"])).unwrap();
    let [unread, asked] = captures.as_array().expect("a list").as_slice() else { panic!("{captures}") };
    assert_eq!((&unread["path"], &unread["status"]), (&json!("/push"), &json!(400)));
    assert_eq!(unread["body"], "hello");
    assert_eq!(asked["path"], "/provision/x");
    assert_eq!(asked["query"], "devid=0002FF&a=%20+");
    assert_eq!((&asked["body"], &asked["body_bytes"]), (&json!("\u{e9}!"), &json!(3)));
    assert_eq!((&asked["device"], &asked["status"]), (&json!("0002FF"), &json!(200)));
    let text = asked.to_string();
    assert!(text.contains(r#"["x-module","7"]"#) && !text.contains("secret"), "{text}");
    assert!(asked["tls"]["version"].as_str().is_some_and(|version| version.starts_with("TLS")));
    let id = asked["id"].as_str().expect("an id");
    assert!(
        program.done(&["captures", "show", id]).starts_with("POST /provision/x?devid=0002FF&a=%20+ HTTP/1.1")
    );
}
