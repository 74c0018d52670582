//! The accept loop: a place, a connection, a task. Never waits for a client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::blame::HandshakeFailure;
use super::connection;
use super::gate::{Gate, Permit};
use super::gauges::{Count, Gauges};
use super::limits::Limits;
use super::listener::{BoundListener, Stream};
use super::tls::Tls;
use crate::http::{ListenerKind, Service};

/// Whoever is told of handshakes that failed.
pub type Told = Arc<dyn Fn(&HandshakeFailure) + Send + Sync>;

/// What stands behind a listener.
pub struct Door {
    /// Which of the doors it is; handlers see it in [`crate::http::Peer`].
    pub kind: ListenerKind,
    /// TLS; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// Hears of each handshake that failed. Must not block.
    pub told: Told,
    /// Answers each request.
    pub service: Service,
    /// Read anew for each connection.
    pub limits: Arc<ArcSwap<Limits>>,
    /// Counts what is open.
    pub count: Count,
}

/// A door, and the counters that were looked up for it.
pub(super) struct Entrance {
    pub(super) door: Door,
    pub(super) gauges: Gauges,
}

/// Accepts until stopped, then lets what is running finish within `drain_time_ms`. Returns when no connection is left.
pub async fn serve(listener: BoundListener, door: Door, stop: CancellationToken) {
    let entrance = Arc::new(Entrance { gauges: Gauges::of(door.kind, door.count.clone()), door });
    let door = &entrance.door;
    let gate = Arc::new(Gate::default());
    let mut tasks = JoinSet::new();
    let mut pause = Pause::default();
    loop {
        let limits = **door.limits.load();
        let entering = enter(&listener, &gate, limits.connections_max_count);
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                ended_well(ended);
                continue;
            }
            accepted = entering => accepted,
        };
        match accepted {
            Ok((permit, stream, addr)) => {
                pause = Pause::default();
                admit(permit, stream, addr, &entrance, limits, &stop, &mut tasks);
            }
            Err(error) => {
                let wait = pause.after(&error, door.kind, Duration::from_millis(limits.accept_pause_ms));
                // A connection that ends meanwhile frees what is missing, but a moment's rest is cheap.
                if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    break;
                }
            }
        }
    }
    drop(listener); // from here the kernel refuses newcomers
    drain(tasks, Duration::from_millis(door.limits.load().drain_time_ms), door.kind).await;
}

async fn enter(
    listener: &BoundListener,
    gate: &Arc<Gate>,
    max: usize,
) -> io::Result<(Permit, Stream, SocketAddr)> {
    let permit = gate.enter(max).await;
    let (stream, addr) = listener.accept().await?;
    Ok((permit, stream, addr))
}

fn admit(
    mut permit: Permit,
    stream: Stream,
    addr: SocketAddr,
    entrance: &Arc<Entrance>,
    limits: Limits,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let counted = entrance.door.kind != ListenerKind::Control;
    if counted && !permit.admit(addr.ip(), limits.peer_connections_max_count) {
        tracing::warn!(peer = %addr, "closed: this peer has its {} connections (limits.peer_connections_max_count)", limits.peer_connections_max_count);
        return;
    }
    let (entrance, stop) = (Arc::clone(entrance), stop.clone());
    tasks.spawn(async move {
        Box::pin(connection::run(stream, addr, entrance, stop)).await;
        drop(permit);
    });
}

async fn drain(mut tasks: JoinSet<()>, limit: Duration, kind: ListenerKind) {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended_well(ended);
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!(listener = %kind, "{} connections cut off after {limit:?} (limits.drain_time_ms)", tasks.len());
        tasks.shutdown().await;
    }
}

fn ended_well(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a connection's task panicked: {error}");
    }
}

/// How long to wait after accept errors; grows while they go on.
#[derive(Default)]
struct Pause {
    last: Duration,
}

impl Pause {
    fn after(&mut self, error: &io::Error, kind: ListenerKind, max: Duration) -> Duration {
        match class(error) {
            Class::Connection => {
                tracing::debug!(listener = %kind, "a connection was gone before it was accepted: {error}");
                Duration::ZERO
            }
            Class::Exhausted => {
                if self.last.is_zero() {
                    tracing::error!(listener = %kind, "nothing can be accepted for now: {error}; raise the limit of open files (LimitNOFILE=, ulimit -n) or lower limits.connections_max_count");
                }
                self.grow(max)
            }
            Class::Listener => {
                if self.last.is_zero() {
                    tracing::error!(listener = %kind, "accepting fails: {error}");
                }
                self.grow(max)
            }
        }
    }

    fn grow(&mut self, max: Duration) -> Duration {
        self.last = (self.last * 2).max(PAUSE_MIN).min(max.max(PAUSE_MIN));
        self.last
    }
}

/// Whose fault an accept error is.
#[derive(Debug, PartialEq, Eq)]
enum Class {
    /// One connection's: go on at once.
    Connection,
    /// The system has no descriptors or memory left: wait.
    Exhausted,
    /// The listener's own.
    Listener,
}

fn class(error: &io::Error) -> Class {
    match (error.raw_os_error(), error.kind()) {
        (Some(ENOMEM | ENFILE | EMFILE | ENOBUFS), _) => Class::Exhausted,
        // accept(2): network errors of the new connection come out here too.
        (Some(EPROTO | EPERM), _)
        | (
            _,
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable,
        ) => Class::Connection,
        _ => Class::Listener,
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(5);
const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EPROTO: i32 = 71;
const ENOBUFS: i32 = 105;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_waited_out_with_a_growing_pause() {
        let error = io::Error::from_raw_os_error(EMFILE);
        let mut pause = Pause::default();
        let max = Duration::from_millis(12);
        let waits = [0; 3].map(|_| pause.after(&error, ListenerKind::Https, max).as_millis());
        assert_eq!(waits, [5, 10, 12]);
    }

    #[test]
    fn a_connection_gone_early_costs_nothing() {
        let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(class(&gone), Class::Connection);
        assert_eq!(class(&io::Error::from_raw_os_error(ENOBUFS)), Class::Exhausted);
        assert_eq!(class(&io::Error::from_raw_os_error(22)), Class::Listener);
    }
}
