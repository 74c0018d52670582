//! What happens, as it happens: server-sent events that go on where they broke off (`interface.md §4`).
//!
//! Nothing waits for a watcher: what it is told is read when its connection takes more, so a slow one is behind, and reads
//! on from the store. A stream ends when whoever opened it may not watch any more, and at a stop.

mod open;
mod tell;

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::open::{StreamLimits, Streams};
use self::open::{Turn, is_foreign};
use self::tell::Wanted;
use crate::core::{Follower, HubError, Told};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::Params;

/// What happens, as server-sent events: `message`, `reading`, `state`, `command`, `alert`, and `resync` where something is
/// not told.
#[utoipa::path(get, path = "/api/v1/stream",
    params(
        ("event" = Option<String>, Query, description = "some of reading,message,state,command,alert", example = "reading"),
        ("device" = Option<String>, Query, description = "of this device: id, address or name; repeat it for several"),
        ("family" = Option<String>, Query, description = "of this dialect; repeat it for several", example = "cwm"),
        ("last_event_id" = Option<String>, Query, description = "as `Last-Event-ID`, where headers cannot be set"),
        ("Last-Event-ID" = Option<String>, Header, description = "the `id` of the event heard last"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = String),
        refused::NotFound, refused::Conflict, refused::TooMany, refused::CrossSite))]
pub(crate) async fn watch(
    State(app): State<App>,
    By(caller): By,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, WebError> {
    if is_foreign(&headers, &app.trusted_origins) {
        return Err(WebError::CrossSite);
    }
    let turn = app.streams.enter(&caller.user.id)?;
    let sight = app.hub.sight(&caller);
    let wanted = Wanted::of(&app, &sight, &params)?;
    let named = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let from = named.filter(|text| !text.is_empty()).or_else(|| params.text("last_event_id"));
    let follower = app.hub.follow(from).await?;
    let hub = app.hub.clone();
    let ended = Box::pin(async move { hub.ended(&caller).await });
    let beat = Instant::now() + BEAT;
    let watcher = Watcher { app, wanted, follower, ended, begun: false, beat, _turn: turn };
    let pieces = stream::unfold(watcher, async |mut watcher| {
        let piece = watcher.piece().await?;
        Some((Ok::<_, Infallible>(piece), watcher))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx would keep events back until it has a buffer full of them.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// One stream.
struct Watcher {
    app: App,
    wanted: Wanted,
    follower: Follower,
    /// Comes when the caller may watch no longer.
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    begun: bool,
    /// When a sign of life is due.
    beat: Instant,
    _turn: Turn,
}

/// Why a watcher wakes.
enum Wake {
    Over,
    Told(Result<Vec<Told>, HubError>),
    Beat,
}

impl Watcher {
    /// The next events as text; `None` at the end.
    async fn piece(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.begun, true) {
            // A place to come back to, before anything has happened.
            let place = self.follower.place();
            return Some(format!("retry: {RETRY_MS}\nid: {place}\n\n").into());
        }
        loop {
            let wake = tokio::select! {
                biased;
                () = self.app.stop.cancelled() => Wake::Over,
                () = &mut self.ended => Wake::Over,
                told = self.follower.next() => Wake::Told(told),
                () = sleep_until(self.beat) => Wake::Beat,
            };
            match wake {
                Wake::Over => return None,
                Wake::Told(Ok(told)) => {
                    let text = self.wanted.tell(&self.app, told).await.ok()?;
                    if !text.is_empty() {
                        self.beat = Instant::now() + BEAT;
                        return Some(text.into());
                    }
                }
                Wake::Told(Err(HubError::Busy)) => sleep(BUSY).await,
                Wake::Told(Err(error)) => {
                    tracing::warn!(%error, "a stream of events broke off");
                    return None;
                }
                Wake::Beat => {
                    self.beat = Instant::now() + BEAT;
                    // What was not for this watcher need not be looked at again.
                    return Some(format!(": alive\nid: {}\n\n", self.follower.place()).into());
                }
            }
        }
    }
}

const LAST_EVENT_ID: &str = "last-event-id";
/// How long a browser waits before it comes back.
const RETRY_MS: u32 = 2000;
/// Silence after which a comment is sent: nobody between takes the connection for a dead one, and one whose watcher has
/// left is found out by it, since a device plane that forgives half-closed connections does not look for that.
const BEAT: Duration = Duration::from_secs(5);
/// Before the store is asked again that had too much to do.
const BUSY: Duration = Duration::from_millis(200);
