//! One request as a device handler sees it, and who sent it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Version};

/// A request whose body has been read, under its cap and time limit.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Method, as sent.
    pub method: Method,
    /// Path, as sent: not percent-decoded, trailing slash kept.
    pub path: String,
    /// Text after the first `?`, as sent.
    pub query: Option<String>,
    /// Header block.
    pub headers: HeaderMap,
    /// Whole body; empty when there is none.
    pub body: Bytes,
    /// HTTP version of the request line.
    pub version: Version,
    /// Named parts of the path, as sent.
    pub params: Vec<(String, String)>,
    /// The other end.
    pub peer: Peer,
}

impl Exchange {
    /// A header as text; `None` when absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A named part of the path, as sent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Which of the doors a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenerKind {
    /// TLS: devices and people.
    Https,
    /// Plain HTTP: devices that cannot do TLS.
    Http,
    /// WebSocket devices.
    Ws,
    /// A second door for people only.
    Admin,
    /// The control socket: who may open it is the administrator.
    Control,
}

impl ListenerKind {
    /// The name used in settings and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ws => "ws",
            Self::Admin => "admin",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for ListenerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The other end of a connection. The net room puts it into the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Address and port; `127.0.0.1:0` on the control socket.
    pub addr: SocketAddr,
    /// The door it came through.
    pub listener: ListenerKind,
    /// What the handshake agreed on; `None` on plain connections.
    pub tls: Option<Arc<TlsFacts>>,
}

impl Peer {
    /// Its address; one of IPv4 is told as such, however the socket came by it.
    pub fn ip(&self) -> IpAddr {
        self.addr.ip().to_canonical()
    }

    /// The certificate this client showed, good or not.
    pub fn certificate(&self) -> Option<&ClientCert> {
        self.tls.as_ref()?.client_cert.as_ref()
    }
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// Cipher suite by its registered name.
    pub suite: &'static str,
    /// Name the client asked for.
    pub sni: Option<String>,
    /// The client's certificate, when it showed one.
    pub client_cert: Option<ClientCert>,
}

/// A client's certificate. Its holder has proved to have the key, unless `fault` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// Its subject as a distinguished name; empty when it cannot be read.
    pub subject: String,
    /// The common name in the subject: a device's id in certificates of our own.
    pub name: Option<String>,
    /// End of its life, seconds since 1970; 0 when it cannot be read.
    pub not_after_s: i64,
    /// Why it is not to be believed; `None` when a root of ours vouches for it.
    pub fault: Option<String>,
}
