//! Every path of every dialect, asked in every odd way: none ever sends a device elsewhere, and none says 405 but where its
//! dialect means it (`tswarm-node.md §11.7`).

use std::net::SocketAddr;
use std::path::Path;

use homeport::config::{Address, Config};
use homeport::http::{ListenerKind, Row};
use homeport::server;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::harness::{Answer, Client};

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "put"];

fn config(dir: &Path) -> Config {
    let local = Address(Some(SocketAddr::from(([127, 0, 0, 1], 0))));
    let mut config = Config {
        data_dir: dir.join("data"),
        certs_dir: dir.join("certs"),
        files_dir: dir.join("files"),
        hosts: vec!["localhost".to_owned()],
        ..Config::default()
    };
    (config.listen.https, config.listen.http, config.listen.ws) = (local, local, local);
    config.listen.redirect_pages = true;
    config
}

/// The path with something in place of what is named, and what people and libraries make of it.
fn spellings(path: &str) -> Vec<String> {
    let plain = path.replace("{*below}", "x1/y").split('/').map(filled).collect::<Vec<_>>().join("/");
    let bare = plain.trim_end_matches('/');
    vec![
        plain.clone(),
        format!("{bare}/"),
        format!("{bare}//"),
        format!("/{plain}"),
        plain.to_uppercase(),
        format!("{plain}?a=b"),
        format!("{bare}/more/and/more"),
        plain.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned()),
    ]
}

fn filled(piece: &str) -> &str {
    if piece.starts_with('{') { "x1" } else { piece }
}

struct Doors {
    addrs: Vec<(ListenerKind, SocketAddr)>,
    root: CertificateDer<'static>,
}

impl Doors {
    fn ask(&self, listener: ListenerKind, method: &str, target: &str) -> Answer {
        let (_, addr) = self.addrs.iter().find(|(kind, _)| *kind == listener).expect("it is open");
        let mut client = if listener == ListenerKind::Https {
            Client::connect(*addr, "localhost", &self.root)
        } else {
            Client::plain(*addr)
        }
        .expect("the server takes connections");
        // As a browser, which would be sent on if anybody were.
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: localhost\r\nAccept: text/html\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        client.write(request.as_bytes()).expect("bytes can be written");
        client.read_head().unwrap_or_else(|error| panic!("{method} {target} on {listener}: {error}"))
    }

    fn walk(&self, rows: &[Row]) {
        for row in rows {
            for target in spellings(&row.path).iter().filter(|target| target.starts_with('/')) {
                for method in METHODS {
                    let answer = self.ask(row.listener, method, target);
                    is_meant(&answer, method, &format!("{method} {target} on {}", row.listener), rows);
                }
            }
        }
    }
}

#[track_caller]
fn is_meant(answer: &Answer, method: &str, what: &str, rows: &[Row]) {
    let head = &answer.head;
    assert!(!(300..400).contains(&answer.status), "{what}: {head}");
    assert!(answer.header("location").is_none(), "{what}: {head}");
    if answer.status == 405 {
        let allowed = answer.header("allow").unwrap_or_else(|| panic!("{what} does not say what is allowed"));
        assert!(!allowed.split(", ").any(|allowed| allowed == method), "{what}: {head}");
        // The path above a device's uploads is people's, and they have a list of their own.
        let people_s = what.ends_with(" /api/v1/devices/x1 on https") && allowed == "GET,HEAD,PATCH,DELETE";
        let meant = people_s || rows.iter().any(|row| row.takes.list() == allowed);
        assert!(meant, "nobody's dialect means that: {what}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_of_a_device_redirects_or_says_405_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    let running = server::bind(config(dir.path())).await.unwrap();
    let kinds = [ListenerKind::Https, ListenerKind::Http, ListenerKind::Ws];
    let addrs = kinds.into_iter().map(|kind| (kind, running.addr(kind).unwrap())).collect();
    let rows = running.device_paths().to_vec();
    for kind in kinds {
        assert!(rows.iter().any(|row| row.listener == kind), "no dialect on {kind}");
    }
    let root = CertificateDer::from_pem_file(dir.path().join("certs/root.pem")).unwrap();
    let doors = Doors { addrs, root };
    let walked = tokio::task::spawn_blocking(move || {
        // People are: so what follows could go wrong.
        let page = doors.ask(ListenerKind::Http, "GET", "/devices/x?q=x");
        let port = doors.addrs[0].1.port();
        assert_eq!(page.status, 307, "{}", page.head);
        assert_eq!(page.header("location"), Some(&*format!("https://localhost:{port}/devices/x?q=x")));
        doors.walk(&rows);
    });
    walked.await.unwrap();
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_on_unless_the_settings_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.listen.redirect_pages = false;
    let running = server::bind(config).await.unwrap();
    let addr = running.addr(ListenerKind::Http).unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Client::plain(addr).unwrap();
        client.ask(b"GET /login HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n").unwrap().status
    });
    assert_eq!(asked.await.unwrap(), 404);
    running.shutdown().await;
}
