//! The kit the device plane is written with: exchange, routes, reject, reply, query.
//!
//! The firmware out there needs exact bytes, header case, limits and tolerance that no framework exposes, so
//! device paths are answered here; whatever the table does not know goes to the pages, where the listener
//! serves them. Knows nothing of devices, messages or stores.

mod body;
mod dispatch;
mod exchange;
mod file;
pub mod query;
pub mod range;
mod reject;
mod reply;
mod routes;
mod session;
mod to_https;
#[cfg(any(test, fuzzing))]
pub mod truths;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Request, Response};

pub use body::{BodyLimits, limited, read_body};
pub use dispatch::{Dispatch, Gate, Pages, pages};
pub use exchange::{ClientCert, Exchange, ListenerKind, Peer, TlsFacts};
pub use file::FileBody;
pub use reject::Reject;
pub use reply::Reply;
pub use routes::{Owner, RouteError, Routes, Row, Table, Takes, Unread};
pub use session::{Session, Talk, Wire};
pub use to_https::{ToHttps, is_harmless_host};

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body in either direction.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// Answers one exchange of a device; cannot fail, since a failure is a [`Reject`] made into a [`Reply`].
pub type Handler = Arc<dyn Fn(Exchange) -> BoxFuture<'static, Reply> + Send + Sync>;

/// Answers a GET or HEAD of a path that nobody has, or leaves it to the pages. The exchange has no body.
pub type Rest = Arc<dyn Fn(Exchange) -> BoxFuture<'static, Option<Reply>> + Send + Sync>;

/// What a connection calls for each request, with who sent it.
pub type Service = Arc<
    dyn Fn(Request<Incoming>, &Peer) -> BoxFuture<'static, Result<Response<Body>, Infallible>> + Send + Sync,
>;

/// Makes a [`Handler`] of an async function.
pub fn handler<F, R>(answer: F) -> Handler
where
    F: Fn(Exchange) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    Arc::new(move |exchange| Box::pin(answer(exchange)))
}
