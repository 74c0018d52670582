//! What is remembered of each node since the start: its last upload, what was odd about it, how its library speaks
//! (`tswarm-node.md §8, §9`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Version;
use hyper::header::{AUTHORIZATION, CONNECTION, COOKIE, PROXY_AUTHORIZATION};
use serde::Serialize;

use super::readings::Flag;
use crate::http::Exchange;
use crate::model::Timestamp;

/// The nodes that called.
#[derive(Debug, Default)]
pub(super) struct Nodes(Mutex<HashMap<String, Arc<Node>>>);

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The last upload that was stored. Who stores the next holds this, so that one that comes twice is found out.
    pub(super) last: tokio::sync::Mutex<Option<Last>>,
    beside: Mutex<Beside>,
}

/// An upload that may come again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// SHA-256 of its body.
    pub(super) body: [u8; 32],
    /// When it came.
    pub(super) at: Timestamp,
}

/// What people see of a node beside its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    /// Its last request.
    pub(super) request: Option<LastRequest>,
    /// What was odd about its last upload.
    pub(super) flags: Vec<Flag>,
    /// Uploads that were answered and not stored, because it is disabled.
    pub(super) dropped: u64,
}

/// The head of a request. What proves who asks is masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct LastRequest {
    at: Timestamp,
    peer: String,
    method: String,
    path: String,
    version: String,
    headers: Vec<(String, String)>,
    body: String,
    library: &'static str,
}

impl Nodes {
    /// What is remembered of a node.
    pub(super) fn of(&self, node: &str) -> Arc<Node> {
        Arc::clone(self.lock().entry(node.to_lowercase()).or_default())
    }

    /// The same, if there is something.
    pub(super) fn known(&self, node: &str) -> Option<Arc<Node>> {
        self.lock().get(&node.to_lowercase()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Node>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// What people see of it.
    pub(super) fn beside(&self) -> MutexGuard<'_, Beside> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastRequest {
    /// Of an exchange.
    pub(super) fn of(exchange: &Exchange, at: Timestamp) -> Self {
        let shown = |bytes: &[u8]| bytes.iter().take(SHOWN_MAX).copied().map(char::from).collect::<String>();
        let secret = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
        let headers = exchange.headers.iter().take(HEADERS_MAX).map(|(name, value)| {
            let text = if secret.contains(name) { "(masked)".to_owned() } else { shown(value.as_bytes()) };
            (name.as_str().to_owned(), text)
        });
        Self {
            at,
            peer: exchange.peer.ip().to_string(),
            method: exchange.method.to_string(),
            path: exchange.path.clone(),
            version: format!("{:?}", exchange.version),
            headers: headers.collect(),
            body: String::from_utf8_lossy(exchange.body.get(..SHOWN_MAX).unwrap_or(&exchange.body))
                .into_owned(),
            library: library(exchange),
        }
    }
}

/// What the form of a request tells of the library that made it (§9).
fn library(exchange: &Exchange) -> &'static str {
    let closes = exchange.headers.contains_key(CONNECTION);
    match (exchange.version, closes) {
        (Version::HTTP_09 | Version::HTTP_10, false) => "urequests before 2018-08",
        (Version::HTTP_09 | Version::HTTP_10, true) => "urequests or requests, 2018-08 to 2026-06",
        (_, true) => "requests since 2026-06",
        (_, false) => "none of MicroPython's known ones",
    }
}

const SHOWN_MAX: usize = 512;
const HEADERS_MAX: usize = 32;
