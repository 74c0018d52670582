//! One connection, from its first byte to its last, in its own task.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, Version, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, interval_at, timeout_at};
use tokio_util::sync::CancellationToken;

use super::accept::Entrance;
use super::handshake;
use super::limits::Limits;
use super::listener::Stream;
use super::watched::{Answer, Phase, Watched};
use crate::http::{ListenerKind, Peer, Reply, Service, Session, Talk, Wire};

/// Serves one connection until it ends or the stop lets it end.
pub(super) async fn run(stream: Stream, addr: SocketAddr, entrance: Arc<Entrance>, stop: CancellationToken) {
    let door = &entrance.door;
    let limits = **door.limits.load();
    let _open = entrance.gauges.open();
    let peer = Peer { addr, listener: door.kind, tls: None };
    let phase = Phase::default();
    let stop = Stop { wish: stop, first_until: Instant::now() + FIRST_WAIT };
    match (stream, &door.tls) {
        (Stream::Unix(socket), _) => http(socket, phase, peer, &door.service, &limits, &stop).await,
        (Stream::Tcp(socket), None) => http(socket, phase, peer, &door.service, &limits, &stop).await,
        (Stream::Tcp(socket), Some(tls)) => {
            let opening = Box::pin(handshake::open(socket, addr, &entrance, tls, &phase, &limits));
            let opened = stop.lets(opening, &phase).await;
            if let Some(Some((socket, facts))) = opened {
                let peer = Peer { tls: Some(Arc::new(facts)), ..peer };
                http(socket, phase, peer, &door.service, &limits, &stop).await;
            }
        }
    }
}

/// The wish that connections end, and what it leaves them time for. Whoever was let in is served once: a device that
/// wakes for one request and is hung up on may never wake again (`tswarm-node.md §1`, §7).
struct Stop {
    wish: CancellationToken,
    /// How long the first request is waited for.
    first_until: Instant,
}

impl Stop {
    /// Waits for what a client does, and after the wish to end for no longer than is fair: until the time of the first
    /// request, or for what is on its way.
    async fn lets<F: Future>(&self, what: F, phase: &Phase) -> Option<F::Output> {
        let mut what = pin!(what);
        tokio::select! {
            biased;
            done = &mut what => return Some(done),
            () = self.wish.cancelled() => {}
        }
        let last_look = Instant::now() + LAST_LOOK;
        let until = if phase.turns() == 0 { self.first_until.max(last_look) } else { last_look };
        Box::pin(timeout_at(until, what)).await.ok()
    }
}

/// Serves requests. hyper is there only while something is asked: its buffers would be most of what a connection that
/// rests holds.
async fn http<T: Wire>(socket: T, phase: Phase, peer: Peer, service: &Service, limits: &Limits, stop: &Stop) {
    let addr = peer.addr;
    let mut socket = Watched::new(socket, phase.clone(), limits);
    loop {
        match stop.lets(rest(&mut socket), &phase).await {
            Some(Ok(early)) if !early.is_empty() => socket.put_back(early),
            Some(Err(error)) => {
                tracing::debug!(peer = %addr, "closed while it rested: {error}");
                return;
            }
            // Its end, or ours: nothing is asked.
            Some(Ok(_)) | None => {
                if let Err(error) = socket.shutdown().await {
                    tracing::debug!(peer = %addr, "no goodbye: {error}");
                }
                return;
            }
        }
        let active = Box::pin(active(socket, &phase, &peer, service, limits, stop));
        match active.await {
            Ok(Then::Rests(rested)) => socket = rested,
            Ok(Then::Talks(mut socket, talk)) => {
                socket.unwatch();
                return talk(Box::new(socket), stop.wish.clone()).await;
            }
            Ok(Then::Ends) => return,
            Err(error) => return report(&error, addr),
        }
    }
}

/// Waits for the first bytes of a request, with no buffer to read them into until they are there. Empty at the end.
async fn rest<T: Wire>(socket: &mut Watched<T>) -> io::Result<Bytes> {
    std::future::poll_fn(|cx| {
        let mut place = [0; FIRST_READ_BYTES];
        let mut place = ReadBuf::new(&mut place);
        ready!(Pin::new(&mut *socket).poll_read(cx, &mut place))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(place.filled())))
    })
    .await
}

/// What comes after requests were served.
enum Then<T> {
    /// It rests: for now there is nothing to serve.
    Rests(Watched<T>),
    /// It is no longer HTTP.
    Talks(Watched<T>, Talk),
    Ends,
}

/// Serves requests until the connection ends or becomes something else, or has rested for [`REST_AFTER`].
async fn active<T: Wire>(
    mut socket: Watched<T>,
    phase: &Phase,
    peer: &Peer,
    service: &Service,
    limits: &Limits,
    stop: &Stop,
) -> hyper::Result<Then<T>> {
    let (addr, line_max) = (peer.addr, limits.request_line_max_bytes);
    let switched = Mutex::new(None);
    let answer = service_fn(|request: Request<Incoming>| {
        phase.busy();
        let long = request_line(&request) > line_max;
        let last = asks_for_end(request.version(), request.headers());
        let answer = (!long).then(|| service(request, peer));
        let (phase, switched) = (phase.clone(), &switched);
        async move {
            let mut response = match answer {
                Some(answer) => answer.await?,
                None => too_long(line_max, addr),
            };
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                *switched.lock().unwrap_or_else(PoisonError::into_inner) = Session::of(&mut response);
            }
            let last = last || closes(response.headers());
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, phase, last)))
        }
    });
    let mut builder = builder(limits, tolerates(peer.listener));
    let last = stop.wish.is_cancelled();
    if last {
        socket.hurry(FIRST_WAIT);
    }
    let mut connection = builder.keep_alive(!last).serve_connection(TokioIo::new(socket), answer);
    if last {
        return connection.await.map(|()| Then::Ends);
    }
    let mut looks = interval_at(Instant::now() + REST_AFTER, REST_AFTER);
    let mut rested = None;
    let talk = loop {
        tokio::select! {
            biased;
            ended = &mut connection => {
                ended?;
                let talk = switched.lock().unwrap_or_else(PoisonError::into_inner).take();
                // hyper leaves the socket open after a 101, as it has written it.
                let Some(talk) = talk else { return Ok(Then::Ends) };
                break Some(talk);
            }
            () = stop.wish.cancelled() => {
                // hyper would end here although half a request has come.
                if phase.asks_nothing_yet() {
                    break None;
                }
                Pin::new(&mut connection).graceful_shutdown();
                return connection.await.map(|()| Then::Ends);
            }
            _ = looks.tick() => {
                // Two looks with no request between them.
                let turns = phase.rests();
                if turns.is_some() && turns == rested {
                    break None;
                }
                rested = turns;
                looks.reset_after(if turns.is_some() { REST_AFTER } else { LOOK_WHEN_BUSY });
            }
        }
    };
    let parts = connection.into_parts();
    let mut socket = parts.io.into_inner();
    // What came together with the request before: the beginning of another one, or what the talk is about.
    socket.put_back(parts.read_buf);
    Ok(match talk {
        Some(talk) => Then::Talks(socket, talk),
        None => Then::Rests(socket),
    })
}

/// Whether a request is surely the last one of its connection.
fn asks_for_end(version: Version, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONNECTION) { closes(headers) } else { version <= Version::HTTP_10 }
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get(header::CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// HTTP/1.x with our limits, but for those of time: [`Watched`] keeps them.
fn builder(limits: &Limits, tolerant: bool) -> http1::Builder {
    let head_max = limits.request_line_max_bytes.saturating_add(limits.header_max_bytes);
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .half_close(true)
        .title_case_headers(true)
        .max_header_size(head_max)
        .max_buf_size(head_max.saturating_add(BUFFER_SPARE_BYTES))
        .allow_multiple_spaces_in_request_line_delimiters(tolerant)
        .ignore_invalid_headers(tolerant);
    if limits.header_max_count != HYPER_HEADER_MAX_COUNT {
        builder.max_headers(limits.header_max_count);
    }
    builder
}

/// Whether odd request lines and headers are forgiven: where devices call.
const fn tolerates(kind: ListenerKind) -> bool {
    match kind {
        ListenerKind::Https | ListenerKind::Http | ListenerKind::Ws => true,
        ListenerKind::Admin | ListenerKind::Control => false,
    }
}

fn request_line(request: &Request<Incoming>) -> usize {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let host = request.uri().authority().map_or(0, |host| host.as_str().len());
    request.method().as_str().len() + target + host + " HTTP/1.1".len() + 1
}

fn too_long(max: usize, addr: SocketAddr) -> Response<crate::http::Body> {
    tracing::info!(peer = %addr, "request line over {max} bytes refused (limits.request_line_max_bytes)");
    let sentence = format!("The request line is longer than {max} bytes.\n");
    Reply::text(StatusCode::URI_TOO_LONG, &sentence).closing().into_response()
}

/// One line for a connection that did not end well; quiet for what clients do every day.
fn report(error: &hyper::Error, addr: SocketAddr) {
    if error.is_parse() {
        tracing::warn!(peer = %addr, "what came is not HTTP: {error}");
    } else if error.is_timeout() || cause(error) == Some(io::ErrorKind::TimedOut) {
        tracing::debug!(peer = %addr, "closed: too slow or at rest for too long");
    } else {
        tracing::debug!(peer = %addr, "connection broke off: {error}");
    }
}

fn cause(error: &hyper::Error) -> Option<io::ErrorKind> {
    std::error::Error::source(error)?.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// How long after a connection was accepted a stop waits for the first bytes of its first request, and then for the rest
/// of a head: more than the first repeat of a lost segment takes.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// How long a stop waits for the next request of a kept connection: what has arrived is to be seen.
const LAST_LOOK: Duration = Duration::from_millis(20);
const HYPER_HEADER_MAX_COUNT: usize = 100;
const BUFFER_SPARE_BYTES: usize = 16_384;
/// How long a connection rests before hyper is taken from it: seen at two looks that are so far apart. Memory that many
/// hold at once does not all go back to the system, so this is short; a device that asks again within it is served
/// without making hyper anew.
const REST_AFTER: Duration = Duration::from_millis(100);
/// When to look again at a connection that did not rest.
const LOOK_WHEN_BUSY: Duration = Duration::from_secs(1);
/// Most bytes read before hyper is there; it reads on. A heartbeat's request has about 1,000.
const FIRST_READ_BYTES: usize = 2_048;
