//! Listeners on real sockets: odd requests, limits, stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use homeport::http::{Dispatch, ListenerKind, Reply, Routes, handler};
use homeport::model::Clock;
use homeport::net::{BoundListener, Count, Door, Limits, Tls, serve};
use homeport::pki::{Resolver, Source};
use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    slow: Arc<Slow>,
}

/// The request that lasts as long as a test wants.
struct Slow {
    begun: Semaphore,
    may_end: Semaphore,
}

async fn start(limits: Limits, certs: Option<&std::path::Path>) -> Running {
    start_with(limits, certs, 4096).await
}

async fn start_with(limits: Limits, certs: Option<&std::path::Path>, record_bytes_max: usize) -> Running {
    let mut routes = Routes::new();
    let kind = if certs.is_some() { ListenerKind::Https } else { ListenerKind::Http };
    let pull = handler(|_| async { Reply::json(StatusCode::OK, "{\"pull\":false}") });
    routes.add(kind, "/pull", pull).unwrap();
    let echo = handler(|exchange| async move {
        let facts = exchange.peer.tls.map(|facts| format!("{} {}", facts.version, facts.suite));
        Reply::text(StatusCode::OK, &format!("{} {facts:?}", exchange.body.len()))
    });
    routes.add(kind, "/echo", echo).unwrap();
    let large = handler(|_| async { Reply::text(StatusCode::OK, &"x".repeat(40_000)) });
    routes.add(kind, "/large", large).unwrap();
    routes.add(kind, "/panic", handler(|_| async { panic!("one bad request") })).unwrap();
    let slow = Arc::new(Slow { begun: Semaphore::new(0), may_end: Semaphore::new(0) });
    let waits = Arc::clone(&slow);
    let answer = handler(move |_| {
        let slow = Arc::clone(&waits);
        async move {
            slow.begun.add_permits(1);
            slow.may_end.acquire().await.unwrap().forget();
            Reply::json(StatusCode::OK, "{}")
        }
    });
    routes.add(kind, "/slow", answer).unwrap();
    let service = Dispatch::new(routes.into_table(), move || limits.body()).into_service();
    let tls = certs.map(|dir| {
        let source = Source::Own { dir: dir.to_owned(), hosts: vec!["localhost".into(), "127.0.0.1".into()] };
        let resolver = Resolver::open(source, Clock::system().now().seconds()).unwrap();
        Tls::new(resolver, None, record_bytes_max).unwrap()
    });
    let listener = BoundListener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.addr().unwrap();
    let stop = CancellationToken::new();
    let limits = Arc::new(ArcSwap::from_pointee(limits));
    let door = Door { kind, tls, told: Arc::new(|_| {}), service, limits, count: Count::default() };
    let task = tokio::spawn(serve(listener, door, stop.clone()));
    Running { addr, stop, task, slow }
}

async fn read_all(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let mut answer = Vec::new();
    let whole = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await;
    whole.expect("the server closes").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn ask(addr: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request).await.unwrap();
    read_all(&mut socket).await
}

#[tokio::test]
async fn answers_are_whole_and_frozen_but_for_the_date() {
    let server = start(Limits::default(), None).await;
    let answer = ask(server.addr, b"GET /pull/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines: Vec<_> = head.split("\r\n").filter(|line| !line.starts_with("Date: ")).collect();
    assert_eq!(
        lines,
        ["HTTP/1.1 200 OK", "Content-Type: application/json", "Connection: close", "Content-Length: 14"]
    );
    assert_eq!(body, "{\"pull\":false}");
}

#[tokio::test]
async fn odd_requests_of_devices_are_served() {
    let server = start(Limits::default(), None).await;
    let odd: [&[u8]; 4] = [
        b"GET  /pull HTTP/1.0\r\n\r\n",
        b"GET /pull HTTP/1.1\nConnection: close\n\n",
        b"GET /pull HTTP/1.1\r\nBad Name : x\r\nConnection: close\r\n\r\n",
        b"GET http://cloud.example/pull HTTP/1.1\r\nHost: cloud.example\r\nConnection: close\r\n\r\n",
    ];
    for request in odd {
        let answer = ask(server.addr, request).await;
        assert!(answer.ends_with("{\"pull\":false}"), "{answer}");
    }
    let mut half = TcpStream::connect(server.addr).await.unwrap();
    half.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    server.slow.begun.acquire().await.unwrap().forget();
    half.shutdown().await.unwrap();
    assert!(ask(server.addr, b"GET /pull HTTP/1.0\r\n\r\n").await.ends_with("{\"pull\":false}"));
    server.slow.may_end.add_permits(1);
    assert!(read_all(&mut half).await.ends_with("{}"));
}

#[tokio::test]
async fn unknown_paths_methods_and_sizes_get_the_right_status() {
    let limits = Limits { body_max_bytes: 100_000, ..Limits::default() };
    let server = start(limits, None).await;
    let long = format!("GET /pull?{} HTTP/1.0\r\n\r\n", "x".repeat(15_000));
    assert!(ask(server.addr, long.as_bytes()).await.starts_with("HTTP/1.0 200"));
    let longer = format!("GET /pull?{} HTTP/1.0\r\n\r\n", "x".repeat(20_000));
    assert!(ask(server.addr, longer.as_bytes()).await.starts_with("HTTP/1.0 414"));
    let large = [b"POST /echo HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n".to_vec(), vec![b'x'; 10_000_000]];
    assert!(ask(server.addr, &large.concat()).await.starts_with("HTTP/1.1 413"));
    assert!(ask(server.addr, b"GET /none HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 404"));
    assert!(ask(server.addr, b"DELETE /pull HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 405"));
    assert!(ask(server.addr, b"\x00\x01garbage\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    assert_eq!(ask(server.addr, b"GET /panic HTTP/1.0\r\n\r\n").await, "");
    assert!(ask(server.addr, b"GET /pull HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
}

#[tokio::test]
async fn the_slow_and_the_silent_are_let_go() {
    let limits = Limits { header_time_ms: 100, body_time_ms: 100, idle_time_s: 1, ..Limits::default() };
    let server = start(limits, None).await;
    assert_eq!(ask(server.addr, b"GET /pull HTTP/1.1\r\nHost").await, "", "half a header block");
    let answer = ask(server.addr, b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nab").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(ask(server.addr, b"").await, "", "silence");
    let rested = ask(server.addr, b"GET /pull HTTP/1.1\r\n\r\n").await;
    assert!(rested.starts_with("HTTP/1.1 200"), "kept alive, then closed at rest: {rested}");
}

#[tokio::test]
async fn a_peer_has_only_its_number_of_connections() {
    let server = start(Limits { peer_connections_max_count: 2, ..Limits::default() }, None).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        socket.write_all(b"GET /pull HTTP/1.1\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        socket.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        kept.push(socket);
    }
    let mut third = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(read_all(&mut third).await, "");
}

#[tokio::test]
async fn a_stop_lets_the_running_request_finish_and_the_idle_go() {
    let server = start(Limits::default(), None).await;
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    let mut running = TcpStream::connect(server.addr).await.unwrap();
    running.write_all(b"GET /slow HTTP/1.1\r\n\r\nGET /pull HTTP/1.1\r\n").await.unwrap();
    server.slow.begun.acquire().await.unwrap().forget();
    server.stop.cancel();
    server.slow.may_end.add_permits(1);
    assert!(read_all(&mut running).await.ends_with("{}"));
    assert_eq!(read_all(&mut idle).await, "");
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.addr).await.is_err());
}

#[tokio::test]
async fn plain_http_and_garbage_on_the_tls_port() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(Limits { handshake_time_ms: 300, ..Limits::default() }, Some(dir.path())).await;
    let answer = ask(server.addr, b"GET /pull HTTP/1.1\r\nHost: home.example:8443\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("use https://home.example:8443/"), "{answer}");
    assert_eq!(ask(server.addr, b"\x00\xff\x00\xff").await, "");
    assert_eq!(ask(server.addr, b"").await, "", "a silent client is let go");
}

fn trusting(
    root: &std::path::Path,
    provider: rustls::crypto::CryptoProvider,
    version: &'static rustls::SupportedProtocolVersion,
) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(root).unwrap()).unwrap();
    rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// One request over TLS; says which key the server showed.
async fn ask_tls(
    addr: SocketAddr,
    root: &std::path::Path,
    name: &str,
    version: &'static rustls::SupportedProtocolVersion,
    only_rsa: bool,
) -> String {
    use rustls::pki_types::pem::PemObject as _;
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if only_rsa {
        provider.cipher_suites.retain(|suite| !format!("{:?}", suite.suite()).contains("ECDSA"));
    }
    let config = trusting(root, provider, version);
    let rsa = rustls::pki_types::CertificateDer::from_pem_file(root.with_file_name("rsa.pem")).unwrap();
    let socket = TcpStream::connect(addr).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut socket = connector.connect(name, socket).await.unwrap();
    let shown = socket.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    socket.write_all(b"GET /echo HTTP/1.0\r\n\r\n").await.unwrap();
    let answer = read_all(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    format!("{answer} {}", if shown == rsa { "RSA leaf" } else { "ECDSA leaf" })
}

#[tokio::test]
async fn each_client_gets_the_certificate_it_can_verify() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(Limits::default(), Some(dir.path())).await;
    let root = dir.path().join("root.pem");
    let old = ask_tls(server.addr, &root, "localhost", &rustls::version::TLS12, true).await;
    assert!(old.contains("TLS 1.2 TLS_ECDHE_RSA") && old.ends_with("RSA leaf"), "{old}");
    let both = ask_tls(server.addr, &root, "127.0.0.1", &rustls::version::TLS12, false).await;
    assert!(both.contains("TLS 1.2 TLS_ECDHE_ECDSA") && both.ends_with("ECDSA leaf"), "{both}");
    let new = ask_tls(server.addr, &root, "localhost", &rustls::version::TLS13, false).await;
    assert!(new.contains("TLS 1.3") && new.ends_with("ECDSA leaf"), "{new}");
}

/// Sizes of the TLS records in what a server sent.
fn records(mut bytes: &[u8]) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let size = usize::from(*high) << 8 | usize::from(*low);
        sizes.push(size);
        bytes = rest.get(size..).unwrap_or_default();
    }
    sizes
}

/// Asks for something large; gives all that the server sent, and what it says under the cipher.
fn large(addr: SocketAddr, config: rustls::ClientConfig) -> (Vec<u8>, Vec<u8>) {
    use std::io::{Read as _, Write as _};
    let mut tls = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    tls.writer().write_all(b"GET /large HTTP/1.0\r\n\r\n").unwrap();
    let mut socket = std::net::TcpStream::connect(addr).unwrap();
    let (mut sent, mut plain) = (Vec::new(), Vec::new());
    let mut part = [0; 4096];
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut socket).unwrap();
        }
        let read = socket.read(&mut part).unwrap();
        if read == 0 {
            return (sent, plain);
        }
        sent.extend_from_slice(&part[..read]);
        let mut left = &part[..read];
        while !left.is_empty() {
            tls.read_tls(&mut left).unwrap();
            tls.process_new_packets().unwrap();
            tls.reader().read_to_end(&mut plain).ok();
        }
    }
}

#[tokio::test]
async fn no_record_is_longer_than_its_listener_allows() {
    use rustls::version::{TLS12, TLS13};
    for (most, version) in [(1536, &TLS12), (1536, &TLS13), (16_384, &TLS13)] {
        let dir = tempfile::tempdir().unwrap();
        let server = start_with(Limits::default(), Some(dir.path()), most).await;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = trusting(&dir.path().join("root.pem"), provider, version);
        let call = tokio::task::spawn_blocking(move || large(server.addr, config));
        let (sent, plain) = call.await.unwrap();
        assert!(plain.len() > 40_000, "the whole answer: {}", plain.len());
        let sizes = records(&sent);
        let longest = sizes.iter().max().copied().unwrap();
        // The cipher adds its tag and, in TLS 1.2, a nonce.
        assert!((most..=most + 40).contains(&longest), "{most}: {sizes:?}");
    }
}

#[tokio::test]
async fn a_control_socket_is_the_owners_and_is_not_taken_from_a_living_server() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let mut routes = Routes::new();
    let who = handler(|exchange| async move { Reply::text(StatusCode::OK, exchange.peer.listener.name()) });
    routes.add(ListenerKind::Control, "/who", who).unwrap();
    let service = Dispatch::new(routes.into_table(), || Limits::default().body()).into_service();
    let limits = Arc::new(ArcSwap::from_pointee(Limits::default()));
    let listener = BoundListener::unix(&path).unwrap();
    let stop = CancellationToken::new();
    let door = Door {
        kind: ListenerKind::Control,
        tls: None,
        told: Arc::new(|_| {}),
        service,
        limits,
        count: Count::default(),
    };
    let task = tokio::spawn(serve(listener, door, stop.clone()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(BoundListener::unix(&path).unwrap_err().to_string().contains("in use"));
    let mut socket = tokio::net::UnixStream::connect(&path).await.unwrap();
    socket.write_all(b"GET /who HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(read_all(&mut socket).await.ends_with("control"));
    stop.cancel();
    task.await.unwrap();
    assert!(!path.exists());
}
