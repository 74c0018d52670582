//! What is left of a request's body when its answer is there.
//!
//! Who is still writing when a connection closes loses the answer, and who is told nothing of the close sends the next request
//! into it. So what is on its way is read to its end, within bounds; else the answer says that the connection closes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// A body that is lent to a handler.
struct Lent(Arc<Mutex<Body>>);

/// Answers, and sees to what the handler did not read.
pub(super) async fn see_to(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // Who asked whether to send has sent nothing yet, and would begin now.
    let asked_first = request.headers().contains_key(header::EXPECT);
    let persistent = request.version() < Version::HTTP_2;
    let (head, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body));
    let lent = Body::new(Lent(Arc::clone(&body)));
    let mut response = next.run(Request::from_parts(head, lent)).await;
    let rest = Lent(body);
    let whole = rest.is_end_stream() || (!asked_first && drained(rest).await);
    if !whole && persistent {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads what is on its way; says whether that was all.
async fn drained(mut rest: Lent) -> bool {
    let mut left = DRAIN_MAX_BYTES;
    let reading = async {
        while let Some(frame) = rest.frame().await {
            let Ok(frame) = frame else { return false };
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DRAIN_TIME, reading).await.unwrap_or(false)
}

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        // A body whose reading panicked is not read again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// More than that is not read for nothing.
const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Who sends slower than that is told that the connection closes.
const DRAIN_TIME: Duration = Duration::from_secs(2);
