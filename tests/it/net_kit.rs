//! What the kit gives to protocols that need it: one chunk, methods and caps of a path's own, connections that stop
//! being HTTP. Seen as bytes on a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use homeport::http::{Dispatch, ListenerKind, Owner, Reply, Routes, Takes, Wire, handler};
use homeport::net::{BoundListener, Count, Door, Limits, serve};
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let kind = ListenerKind::Ws;
    let mut routes = Routes::new();
    let pars = handler(|exchange| async move {
        let reply = Reply::json(StatusCode::OK, exchange.body).chunked();
        if exchange.query.is_some() { reply.closing() } else { reply }
    });
    routes
        .add_owner(kind, "/pars", Owner::new(pars).takes(Takes::Only("OPTIONS, POST")).capped(100))
        .unwrap();
    routes.add(kind, "/wide", handler(|_| async { Reply::empty(StatusCode::OK) })).unwrap();
    let shout = handler(|exchange| async move {
        if exchange.header("upgrade").is_none() {
            return Reply::text(StatusCode::BAD_REQUEST, "not without an upgrade");
        }
        Reply::switching(Box::new(|wire, stop| Box::pin(shouting(wire, stop))))
            .with(CONNECTION, HeaderValue::from_static("upgrade"))
            .with(UPGRADE, HeaderValue::from_static("websocket"))
            .with(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("DdLWT/1JcX+nQFHebYP+rqEx5xI="))
    });
    routes.add_owner(kind, "/shout", Owner::new(shout).takes(Takes::Reads)).unwrap();
    let service = Dispatch::new(routes.into_table(), move || limits.body()).into_service();
    let listener = BoundListener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.addr().unwrap();
    let stop = CancellationToken::new();
    let limits = Arc::new(ArcSwap::from_pointee(limits));
    let door = Door { kind, tls: None, told: Arc::new(|_| {}), service, limits, count: Count::default() };
    let task = tokio::spawn(serve(listener, door, stop.clone()));
    Running { addr, stop, task }
}

/// Gives back in capitals what it hears; at a stop it says goodbye.
async fn shouting(mut wire: Box<dyn Wire>, stop: CancellationToken) {
    let mut heard = [0; 64];
    while let Some(read) = stop.run_until_cancelled(wire.read(&mut heard)).await {
        let Some(heard) = read.ok().and_then(|length| heard.get(..length)).filter(|heard| !heard.is_empty())
        else {
            return;
        };
        wire.write_all(heard.to_ascii_uppercase().as_slice()).await.unwrap();
        wire.flush().await.unwrap();
    }
    wire.write_all(b"bye").await.unwrap();
    wire.shutdown().await.unwrap();
}

async fn ask(addr: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let whole = tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await;
    whole.expect("the server closes").unwrap();
    answer
}

/// The answer without its `Date`, whose form is checked.
fn undated(answer: &str) -> String {
    let mut dates = 0;
    let kept = answer.split_inclusive("\r\n").filter(|line| {
        let date = line.strip_prefix("Date: ");
        dates += usize::from(date.is_some_and(|date| date.ends_with(" GMT\r\n") && date.len() == 31));
        date.is_none()
    });
    let kept = kept.collect();
    assert_eq!(dates, 1, "{answer:?}");
    kept
}

#[tokio::test]
async fn a_chunked_reply_is_one_chunk_in_upper_case_and_nothing_more() {
    let server = start(Limits::default()).await;
    let body = "{\"pars\":\"7000,270,5000,0,1400,7\",\"long\":\"xxx\"}";
    let length = body.len();
    assert_eq!(format!("{length:X}"), "2E", "a size that shows the case");
    let request = format!("POST /pars?close HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    assert_eq!(
        undated(&ask(server.addr, &request).await),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n2E\r\n{body}\r\n0\r\n\r\n"
        )
    );
    let request = "POST /pars/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = ask(server.addr, request).await;
    assert!(answer.ends_with("\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "{answer}");
    let empty = ask(server.addr, "POST /pars?close HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(empty.ends_with("\r\n\r\n0\r\n\r\n"), "{empty}");
}

#[tokio::test]
async fn a_chunked_reply_to_http_1_0_has_its_length_instead() {
    let server = start(Limits::default()).await;
    let answer = ask(server.addr, "POST /pars HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}").await;
    assert_eq!(
        undated(&answer),
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    );
}

#[tokio::test]
async fn a_path_has_methods_and_a_cap_of_its_own() {
    let server = start(Limits::default()).await;
    let answer = ask(server.addr, "GET /pars HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 405"), "{answer}");
    assert!(answer.contains("\r\nAllow: OPTIONS, POST\r\n"), "{answer}");
    assert!(ask(server.addr, "OPTIONS /pars HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
    for (path, size, status) in [("/pars", 100, 200), ("/pars", 101, 413), ("/wide", 101, 200)] {
        let request = format!("POST {path} HTTP/1.0\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size));
        let answer = ask(server.addr, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.0 {status}")), "{path} {size}: {answer}");
    }
    let small = start(Limits { body_max_bytes: 50, ..Limits::default() }).await;
    let request = format!("POST /pars HTTP/1.0\r\nContent-Length: 60\r\n\r\n{}", "x".repeat(60));
    assert!(ask(small.addr, &request).await.starts_with("HTTP/1.0 413"), "the listener's cap holds too");
}

const UPGRADE_REQUEST: &[u8] =
    b"GET /shout HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n";

/// Reads the 101 and checks it to the byte.
async fn switched(socket: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.len() <= 199, "small clients have 200 bytes: {}", head.len());
    assert_eq!(
        undated(&head),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-Websocket-Accept: DdLWT/1JcX+nQFHebYP+rqEx5xI=\r\n\r\n"
    );
}

async fn hears(socket: &mut TcpStream, wanted: &str) {
    let mut heard = vec![0; wanted.len()];
    socket.read_exact(&mut heard).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), wanted);
}

#[tokio::test]
async fn a_connection_stops_being_http_and_loses_no_byte() {
    let server = start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    // A request before it on the same connection, and the first words glued to the upgrade.
    socket.write_all(b"POST /wide HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let mut before = Vec::new();
    while !before.ends_with(b"\r\n\r\n") {
        before.push(socket.read_u8().await.unwrap());
    }
    socket.write_all(&[UPGRADE_REQUEST, b"glued "].concat()).await.unwrap();
    switched(&mut socket).await;
    hears(&mut socket, "GLUED ").await;
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    hears(&mut socket, "GET / HTTP/1.1\r\n\r\n").await;
    socket.shutdown().await.unwrap();
    assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0, "the talk is over, and so is the connection");
    let refused = ask(server.addr, "GET /shout HTTP/1.0\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.0 400") && refused.ends_with("not without an upgrade"), "{refused}");
    let old = "GET /shout HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let old = ask(server.addr, old).await;
    assert!(old.starts_with("HTTP/1.0 426 "), "there is no upgrade in HTTP/1.0: {old}");
}

#[tokio::test]
async fn a_talk_may_be_silent_and_is_told_of_a_stop() {
    let limits = Limits { idle_time_s: 1, header_time_ms: 200, ..Limits::default() };
    let server = start(limits).await;
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    socket.write_all(UPGRADE_REQUEST).await.unwrap();
    switched(&mut socket).await;
    // Another connection outlives its rest meanwhile: it is closed, the talk is not.
    let rested = ask(server.addr, "POST /wide HTTP/1.1\r\nContent-Length: 0\r\n\r\n").await;
    assert!(rested.starts_with("HTTP/1.1 200"), "{rested}");
    socket.write_all(b"still here").await.unwrap();
    hears(&mut socket, "STILL HERE").await;
    server.stop.cancel();
    hears(&mut socket, "bye").await;
    assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    tokio::time::timeout(Duration::from_secs(5), server.task).await.expect("the stop is done").unwrap();
}
