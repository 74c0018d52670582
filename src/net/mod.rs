//! Listeners, accept loop, TLS, connection limits.
//!
//! Takes sockets and a [`crate::http::Service`] that it does not look into. A slow, silent or hostile client costs
//! its own connection and nothing else.

mod accept;
mod connection;
mod error;
mod gate;
mod limits;
mod listener;
mod sniff;
mod tls;
mod watched;

pub use accept::{Door, serve};
pub use error::NetError;
pub use limits::Limits;
pub use listener::BoundListener;
pub use tls::server_config;
