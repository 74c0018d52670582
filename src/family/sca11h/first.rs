//! The first request of each kind that a node made, for finding out what real nodes send (`sca11h.md §4.1, §13`).

use serde::{Deserialize, Serialize};

use crate::core::Kept;
use crate::http::Exchange;
use crate::model::{DeviceId, Timestamp};

/// A request's head. Kept once for each device and kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FirstRequest {
    device: DeviceId,
    /// `push` or `sync`.
    kind: String,
    at: Timestamp,
    peer: String,
    method: String,
    path: String,
    version: String,
    headers: Vec<(String, String)>,
    body_bytes: usize,
}

impl Kept for FirstRequest {
    const KIND: &'static str = "sca11h_first";

    fn key(&self) -> String {
        format!("{}.{}", self.device, self.kind)
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl FirstRequest {
    /// The head of a request. What proves who asks is masked; hyper tells header names in lower case.
    pub(super) fn of(device: &DeviceId, kind: &str, exchange: &Exchange, at: Timestamp) -> Self {
        let shown = |name: &str, value: &[u8]| -> String {
            let text: String = value.iter().take(VALUE_MAX).copied().map(char::from).collect();
            if SECRET.contains(&name) {
                // The scheme tells what the node can do; the rest is nobody's business.
                let scheme = text.split_once(' ').map_or("", |(scheme, _)| scheme);
                return format!("{scheme} (masked)").trim_start().to_owned();
            }
            text
        };
        let headers = exchange
            .headers
            .iter()
            .take(HEADERS_MAX)
            .map(|(name, value)| (name.as_str().to_owned(), shown(name.as_str(), value.as_bytes())))
            .collect();
        Self {
            device: device.clone(),
            kind: kind.to_owned(),
            at,
            peer: exchange.peer.ip().to_string(),
            method: exchange.method.to_string(),
            path: exchange.path.clone(),
            version: format!("{:?}", exchange.version),
            headers,
            body_bytes: exchange.body.len(),
        }
    }

    /// Which kind of request it is.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }
}

const VALUE_MAX: usize = 256;
const HEADERS_MAX: usize = 32;
/// Headers that prove who asks.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::{HeaderMap, Method, Version};

    use super::*;
    use crate::http::{ListenerKind, Peer};

    #[test]
    fn credentials_are_masked() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic c2VjcmV0".parse().unwrap());
        headers.insert("user-agent", "node/1".parse().unwrap());
        let exchange = Exchange {
            method: Method::POST,
            path: "/data/push/".to_owned(),
            query: None,
            headers,
            body: Bytes::from_static(b"x"),
            version: Version::HTTP_11,
            params: Vec::new(),
            peer: Peer { addr: ([192, 0, 2, 1], 7).into(), listener: ListenerKind::Http, tls: None },
        };
        let first = FirstRequest::of(&DeviceId::new("d"), "push", &exchange, Timestamp::default());
        let text = serde_json::to_string(&first).unwrap();
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert!(text.contains("Basic (masked)") && text.contains("node/1") && text.contains("HTTP/1.1"));
    }
}
