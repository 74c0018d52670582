//! Reads bodies under a cap and a time limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Limited};
use hyper::HeaderMap;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use super::{Body, BoxError, Reject};

/// How large a body may be and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Largest body in bytes.
    pub body_max_bytes: usize,
    /// Longest time a body may take, in milliseconds, from the end of the header block.
    pub body_time_ms: u64,
}

impl BodyLimits {
    /// The same, but for a path that takes smaller or faster bodies only.
    pub(super) fn capped(self, body_max_bytes: Option<usize>, body_time_ms: Option<u64>) -> Self {
        Self {
            body_max_bytes: body_max_bytes.map_or(self.body_max_bytes, |own| own.min(self.body_max_bytes)),
            body_time_ms: body_time_ms.map_or(self.body_time_ms, |own| own.min(self.body_time_ms)),
        }
    }
}

/// Reads the whole body: 413 when it is over the cap, 408 when it is over the time, 400 when it breaks off.
///
/// Of a body over the cap some more is read and thrown away, because a sender that is still writing when the
/// connection closes would lose the answer.
pub async fn read_body(headers: &HeaderMap, body: Incoming, limits: BodyLimits) -> Result<Bytes, Reject> {
    let until = Instant::now() + Duration::from_millis(limits.body_time_ms);
    let cap = limits.body_max_bytes;
    let asks_first = headers.contains_key(header::EXPECT);
    if asks_first && body.size_hint().lower() > cap as u64 {
        return Err(too_large(cap)); // nothing was read, so hyper never sends `100 Continue`
    }
    match timeout_at(until, gather(body, cap)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Reject::too_slow(format!(
            "the body took longer than {} ms (limits.body_time_ms)",
            limits.body_time_ms
        ))),
    }
}

async fn gather(mut body: Incoming, cap: usize) -> Result<Bytes, Reject> {
    let mut whole = BytesMut::new();
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Reject::bad_request(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > cap {
            whole = BytesMut::new();
            if total > cap.saturating_add(DRAIN_MAX_BYTES) {
                break;
            }
        } else {
            whole.extend_from_slice(&data);
        }
    }
    if total > cap { Err(too_large(cap)) } else { Ok(whole.freeze()) }
}

fn too_large(cap: usize) -> Reject {
    Reject::too_large(format!(
        "the body is larger than {cap} bytes (limits.body_max_bytes, or the path's own cap)"
    ))
}

/// The body of a request to the pages, cut off at the same cap and time.
pub fn limited(body: Incoming, limits: BodyLimits) -> Body {
    let limit = Duration::from_millis(limits.body_time_ms);
    Timed {
        body: Limited::new(body, limits.body_max_bytes),
        sleep: Box::pin(sleep(limit)),
        each: None,
        waits: false,
    }
    .boxed_unsync()
}

/// The body of an upload: its taker counts it, and each piece of it has the time that a whole body has elsewhere.
pub(super) fn streamed(body: Incoming, limits: BodyLimits) -> Body {
    let limit = Duration::from_millis(limits.body_time_ms);
    Timed { body: body.map_err(Into::into), sleep: Box::pin(sleep(limit)), each: Some(limit), waits: false }
        .boxed_unsync()
}

/// A body that ends with an error when its time is over.
struct Timed<B> {
    body: B,
    sleep: Pin<Box<Sleep>>,
    /// The time begins anew with each piece that is waited for: what its taker needs for a piece is not the
    /// sender's fault.
    each: Option<Duration>,
    waits: bool,
}

impl<B: hyper::body::Body<Data = Bytes, Error = BoxError> + Unpin> hyper::body::Body for Timed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waits = false;
            return Poll::Ready(frame);
        }
        if let (Some(each), false) = (self.each, self.waits) {
            self.sleep.as_mut().reset(Instant::now() + each);
            self.waits = true;
        }
        match self.sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err("the body took too long (limits.body_time_ms)".into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How much of a body over its cap is still read and thrown away.
const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;
