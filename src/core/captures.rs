//! The capture log: requests as they came, for an owner who wants to learn what a device really says
//! (`cwm-oke.md §3.1`). The newest are kept; a flood is counted and left out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::records::Kept;
use super::{Hub, HubError};
use crate::model::Timestamp;

/// One request, as it came. Secrets of people are never in it: their headers are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Capture {
    /// Its own name, sorted by time.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// The peer's address with port.
    pub peer: String,
    /// What the handshake agreed on.
    pub tls: Option<CapturedTls>,
    /// Method, as sent.
    pub method: String,
    /// Path, as sent.
    pub path: String,
    /// Text after the first `?`, as sent.
    pub query: Option<String>,
    /// `HTTP/1.1`
    pub version: String,
    /// Header lines in their order; names as the parser has them, in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's beginning, up to 16 KiB, when it is text.
    pub body: Option<String>,
    /// The same in base64, when it is not.
    pub body_base64: Option<String>,
    /// How long the body was, in bytes.
    pub body_bytes: usize,
    /// The device that was found in it.
    pub device: Option<String>,
    /// The status it was answered with.
    pub status: u16,
}

/// What is worth knowing of a captured request's handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CapturedTls {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: String,
    /// Cipher suite by its registered name.
    pub suite: String,
    /// Name the client asked for.
    pub sni: Option<String>,
    /// SHA-256 of the client certificate, when one was sent.
    pub client_certificate: Option<String>,
}

impl Hub {
    /// Keeps a request. Best effort: over the rate, or when the store fails, it is only logged.
    pub async fn capture(&self, capture: &Capture) {
        if !self.0.capture_rate.admits(capture.at) {
            tracing::debug!(peer = %capture.peer, path = %capture.path, "too many requests to capture them all");
            return;
        }
        if let Err(error) = self.keep(capture).await {
            tracing::warn!(%error, "a request was not captured");
        }
    }

    /// A page of captured requests with the time at which each was kept, newest first.
    pub async fn captures(
        &self,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Capture)>, HubError> {
        self.kept_all(None, before, limit).await
    }

    /// One captured request.
    pub async fn captured(&self, id: &str) -> Result<Option<Capture>, HubError> {
        self.kept(id).await
    }
}

impl Kept for Capture {
    const KIND: &'static str = "capture";
    const KEEP_MAX: Option<u32> = Some(500);

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// So many a minute and no more, so that a flood costs no disk.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<(Option<Timestamp>, u32)>);

impl Rate {
    fn admits(&self, now: Timestamp) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = &mut *state;
        // A clock that was set back begins a new minute too.
        if since.is_none_or(|since| now < since || now >= since.plus(MINUTE)) {
            (*since, *count) = (Some(now), 0);
        }
        *count = count.saturating_add(1);
        *count <= PER_MINUTE
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const PER_MINUTE: u32 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_the_next_minute_counts_anew() {
        let rate = Rate::default();
        let now = Timestamp::parse("2024-03-01T12:00:00Z").unwrap();
        assert_eq!((0..500).filter(|_| rate.admits(now)).count(), PER_MINUTE as usize);
        assert!(!rate.admits(now.plus(Duration::from_secs(59))));
        assert!(rate.admits(now.plus(MINUTE)));
        assert!(rate.admits(now.minus(MINUTE)));
    }
}
