//! Listeners, accept loop, TLS, connection limits.
//!
//! Takes sockets and a [`crate::http::Service`] that it does not look into. A slow, silent or hostile client costs
//! its own connection and nothing else.

mod accept;
mod blame;
mod connection;
mod error;
mod gate;
mod gauges;
mod handshake;
mod hello;
mod limits;
mod listener;
mod raw;
mod sessions;
mod sniff;
mod suites;
mod tls;
mod watched;

pub use accept::{Door, Told, serve};
pub use blame::{HandshakeFailure, Reason};
pub use error::NetError;
pub use gauges::Count;
pub use hello::Offer;
pub use limits::Limits;
pub use listener::BoundListener;
pub use tls::{ClientJudge, Tls};
