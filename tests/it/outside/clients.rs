//! Other people's TLS: OpenSSL, GnuTLS and curl, as old and as picky as modules are.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::{Client, Program};

const REQUEST: &[u8] = b"GET /pull HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const ANSWER: &str = "{\"pull\":false}";

/// Runs a client in a folder with bytes on its standard input; gives all it said.
pub(super) fn speak_in(folder: &Path, program: &str, arguments: &[&str], input: &[u8]) -> String {
    text(&run(Command::new(program).args(arguments).current_dir(folder), input))
}

/// Runs a client with a request on its standard input.
fn speak(program: &str, arguments: &[&str]) -> Output {
    run(Command::new(program).args(arguments), REQUEST)
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
    let mut pipe = child.stdin.take().expect("stdin is piped");
    pipe.write_all(input).ok();
    // The client goes when the server has answered and closed; end of input would make it go before.
    let output = child.wait_with_output().expect("a child can be waited for");
    drop(pipe);
    output
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn openssl(server: &Program, arguments: &[&str]) -> String {
    let address = server.https().to_string();
    let root = server.root_file();
    let root = root.to_str().expect("a path of text");
    let mut all = vec!["s_client", "-connect", &address, "-CAfile", root, "-verify_return_error", "-ign_eof"];
    all.extend(arguments);
    text(&speak("openssl", &all))
}

#[test]
fn openssl_with_tls_1_2_and_rsa_only() {
    let said = openssl(
        &Program::started(),
        &[
            "-tls1_2",
            "-cipher",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "-sigalgs",
            "RSA+SHA256",
            "-servername",
            "localhost",
        ],
    );
    assert!(said.contains(ANSWER), "{said}");
    assert!(said.contains("ECDHE-RSA-AES128-GCM-SHA256"), "{said}");
    assert!(said.contains("Peer signature type: RSA"), "{said}");
}

#[test]
fn openssl_with_tls_1_2_and_ecdsa() {
    let said = openssl(
        &Program::started(),
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-servername", "localhost"],
    );
    assert!(said.contains(ANSWER), "{said}");
    assert!(said.contains("ECDHE-ECDSA-AES128-GCM-SHA256"), "{said}");
    assert!(said.contains("Peer signature type: ECDSA"), "{said}");
}

#[test]
fn openssl_with_tls_1_3() {
    let said = openssl(
        &Program::started(),
        &["-tls1_3", "-servername", "localhost", "-verify_hostname", "localhost"],
    );
    assert!(said.contains(ANSWER), "{said}");
    assert!(said.contains("TLSv1.3"), "{said}");
}

#[test]
fn openssl_without_a_server_name() {
    let said =
        openssl(&Program::started(), &["-tls1_2", "-noservername", "-verify_hostname", "homeport.test"]);
    assert!(said.contains(ANSWER), "{said}");
}

#[test]
fn openssl_with_an_address_as_name() {
    let said = openssl(&Program::started(), &["-noservername", "-verify_ip", "127.0.0.1"]);
    assert!(said.contains(ANSWER), "{said}");
    // Modules whose TLS compares only DNS names find the address there as well.
    let said = openssl(&Program::started(), &["-noservername", "-verify_hostname", "127.0.0.1"]);
    assert!(said.contains(ANSWER), "{said}");
}

#[test]
fn openssl_takes_a_session_up_again() {
    let server = Program::started();
    for version in ["-tls1_2", "-tls1_3"] {
        for ticket in [&[][..], &["-no_ticket"]] {
            if version == "-tls1_3" && !ticket.is_empty() {
                continue;
            }
            let file = server.folder().join(format!("session{version}{}", ticket.len()));
            let file = file.to_str().expect("a path of text");
            let arguments = [&[version, "-servername", "localhost"], ticket].concat();
            let first = openssl(&server, &[&arguments[..], &["-sess_out", file]].concat());
            assert!(first.contains(ANSWER), "{first}");
            let second = openssl(&server, &[&arguments[..], &["-sess_in", file]].concat());
            assert!(second.contains("Reused, TLSv1."), "{version} {ticket:?}: {second}");
        }
    }
}

#[test]
fn gnutls_speaks_1_2_with_either_key_and_1_3() {
    let server = Program::started();
    let port = server.https().port().to_string();
    let root = server.root_file();
    let root = root.to_str().expect("a path of text");
    for (priority, seen) in [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA:-SIGN-ALL:+SIGN-RSA-SHA256", "RSA"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA", "ECDSA"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLS1.3"),
    ] {
        let arguments = ["--x509cafile", root, "--priority", priority, "-p", &port, "localhost"];
        let said = text(&speak("gnutls-cli", &arguments));
        assert!(said.contains(ANSWER), "{priority}: {said}");
        assert!(said.contains(seen), "{priority}: {said}");
    }
    let said = text(&speak("gnutls-cli", &["--x509cafile", root, "--disable-sni", "-p", &port, "127.0.0.1"]));
    assert!(said.contains(ANSWER), "{said}");
}

#[test]
fn curl_speaks_by_name_and_by_address_with_either_version() {
    let server = Program::started();
    let root = server.root_file();
    let port = server.https().port();
    for host in ["localhost", "127.0.0.1"] {
        for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
            let output = Command::new("curl")
                .args(["-sS", "--cacert"])
                .arg(&root)
                .args(version)
                .arg(format!("https://{host}:{port}/pull"))
                .output()
                .expect("curl runs; scripts/test installs it");
            assert!(output.status.success(), "{}", text(&output));
            assert_eq!(output.stdout, ANSWER.as_bytes());
        }
    }
    let url = format!("https://localhost:{port}/pull");
    let output = Command::new("curl").args(["-sSk", &url]).output().expect("curl runs");
    assert_eq!(output.stdout, ANSWER.as_bytes());
}

#[test]
fn plain_http_on_the_tls_port_is_answered_with_a_sentence() {
    let server = Program::started();
    let mut client = Client::plain(server.https()).expect("the server takes connections");
    let answer = client.ask(b"GET /pull HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a sentence");
    assert_eq!(answer.status, 400, "{}", answer.head);
    assert!(answer.text().contains("https://"), "{}", answer.text());
}
