//! The handshake of one connection: made, or told of with its reason.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::accept::Entrance;
use super::blame::{self, HandshakeFailure, Reason};
use super::hello::Offer;
use super::limits::Limits;
use super::raw::{Raw, Seen};
use super::sniff::{self, Speaks};
use super::tls::Tls;
use super::watched::Phase;
use crate::http::TlsFacts;

/// A client that is in, and what was agreed on.
type Opened = (TlsStream<Raw<TcpStream>>, TlsFacts);

/// The handshake within its limit; `None` when there was none, of which the door has been told.
pub(super) async fn open(
    socket: TcpStream,
    addr: SocketAddr,
    entrance: &Entrance,
    tls: &Tls,
    phase: &Phase,
    limits: &Limits,
) -> Option<Opened> {
    let limit = Duration::from_millis(limits.handshake_time_ms);
    let seen = Seen::default();
    let shaking = shake(socket, addr, tls, seen.clone(), phase.clone(), limit);
    let shaken = timeout(limit, Box::pin(shaking)).await;
    let why = match shaken {
        Ok(Ok(opened)) => {
            entrance.gauges.shaken(&opened.1);
            return Some(opened);
        }
        Ok(Err(why)) => why,
        Err(_) if seen.bytes().is_empty() => Nothing::Silence,
        Err(_) => {
            Nothing::Because(Reason::TooSlow, format!("not done within {limit:?} (limits.handshake_time_ms)"))
        }
    };
    let offer = Offer::read(&seen.bytes());
    let (reason, detail) = match why {
        Nothing::Silence => {
            tracing::debug!(peer = %addr, "connected to the TLS port and said nothing");
            return None;
        }
        Nothing::Because(reason, detail) => (reason, detail),
        Nothing::Error(error) => (blame::reason(&error, offer.as_ref()), error.to_string()),
    };
    let (asked, versions) = offer.as_ref().map_or_else(Default::default, |offer| {
        (offer.sni.clone().unwrap_or_default(), offer.versions.join(", "))
    });
    tracing::warn!(peer = %addr, reason = reason.code(), %asked, %versions, "TLS handshake failed: {detail}");
    if let Some(offer) = &offer {
        tracing::debug!(peer = %addr, "the client offered {offer}");
    }
    entrance.gauges.not_shaken(reason.code());
    let failure = HandshakeFailure { peer: addr, listener: entrance.door.kind, reason, detail, offer };
    (entrance.door.told)(&failure);
    None
}

/// Why there is nobody in.
enum Nothing {
    /// It came and went, or waits for something: a probe of the port, or a browser that connects in advance.
    Silence,
    /// It is clear why.
    Because(Reason, String),
    /// What it offered has to be looked at.
    Error(io::Error),
}

impl From<io::Error> for Nothing {
    fn from(error: io::Error) -> Self {
        Self::Error(error)
    }
}

async fn shake(
    socket: TcpStream,
    addr: SocketAddr,
    tls: &Tls,
    seen: Seen,
    phase: Phase,
    limit: Duration,
) -> Result<Opened, Nothing> {
    let accepting = TlsAcceptor::from(Arc::clone(&tls.config)).accept(Raw::new(socket, seen.clone(), phase));
    match accepting.into_fallible().await {
        Ok(mut opened) => {
            opened.get_mut().0.shaken();
            let facts = tls.facts(opened.get_ref().1);
            Ok((opened, facts))
        }
        Err((error, raw)) => Err(refused(error, raw.into_socket(), addr, &seen, limit).await),
    }
}

/// Why rustls, or the socket under it, went no further.
async fn refused(
    error: io::Error,
    socket: TcpStream,
    addr: SocketAddr,
    seen: &Seen,
    limit: Duration,
) -> Nothing {
    let first = seen.bytes();
    match Speaks::of(&first) {
        Speaks::Tls => Nothing::Error(error),
        Speaks::Nothing => Nothing::Silence,
        Speaks::PlainHttp => {
            if let Err(cause) = sniff::refuse_plain(socket, first, limit / 2).await {
                tracing::debug!(peer = %addr, "the pointer to https:// was not taken: {cause}");
            }
            let detail = "plain HTTP on the TLS port, answered with a pointer to https://".to_owned();
            Nothing::Because(Reason::PlainHttp, detail)
        }
        Speaks::Ssl2 => Nothing::Because(Reason::OldVersion, "a hello in the form of SSL 2.0".to_owned()),
        Speaks::Garbage(byte) => {
            let detail = format!("the first byte is 0x{byte:02x}, which is not TLS");
            Nothing::Because(Reason::NotTls, detail)
        }
    }
}
