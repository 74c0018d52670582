//! What follows a 101: a connection that is no longer HTTP, and who talks on it.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::Response;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::BoxFuture;

/// A connection: bytes both ways. What came behind the request is read first.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// Talks on a connection until either side ends it, and ends soon after the token is cancelled. It runs in the
/// connection's own task: while it lasts, the connection is counted and a stop waits for it. A peer that takes no bytes
/// is an error after `limits.write_time_ms`; how long one may be silent is for the talk to say.
pub type Talk = Box<dyn FnOnce(Box<dyn Wire>, CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// A talk that waits for its connection, on its way there in the answer's extensions.
#[derive(Clone)]
pub struct Session(Arc<Mutex<Option<Talk>>>);

impl Session {
    pub(super) fn new(talk: Talk) -> Self {
        Self(Arc::new(Mutex::new(Some(talk))))
    }

    /// Takes the talk that an answer carries, if it carries one.
    pub fn of<B>(answer: &mut Response<B>) -> Option<Talk> {
        let session = answer.extensions_mut().remove::<Self>()?;
        session.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
