//! Makes an entry of the capture log of a request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::core::{Capture, CapturedTls};
use crate::http::Exchange;
use crate::model::Timestamp;

/// A request as it came, and what became of it.
pub(super) fn captured(exchange: &Exchange, at: Timestamp, device: Option<String>, status: u16) -> Capture {
    let kept = exchange.body.get(..BODY_MAX_BYTES).unwrap_or(&exchange.body);
    let text = std::str::from_utf8(kept).ok().filter(|text| !text.is_empty()).map(str::to_owned);
    let base64 = (text.is_none() && !kept.is_empty()).then(|| STANDARD.encode(kept));
    Capture {
        id: uuid::Uuid::now_v7().simple().to_string(),
        at,
        peer: exchange.peer.addr.to_string(),
        tls: exchange.peer.tls.as_ref().map(|tls| CapturedTls {
            version: tls.version.to_owned(),
            suite: tls.suite.to_owned(),
            sni: tls.sni.clone(),
            client_certificate: tls.client_cert.as_ref().map(|shown| shown.fingerprint.clone()),
        }),
        method: exchange.method.to_string(),
        path: exchange.path.clone(),
        query: exchange.query.clone(),
        version: format!("{:?}", exchange.version),
        headers: headers(exchange),
        body: text,
        body_base64: base64,
        body_bytes: exchange.body.len(),
        device,
        status,
    }
}

fn headers(exchange: &Exchange) -> Vec<(String, String)> {
    let shown = |name: &str, value: &[u8]| {
        if SECRET.contains(&name) {
            return "(left out)".to_owned();
        }
        // A byte a character: nothing is lost and everything is text.
        value.iter().copied().map(char::from).collect()
    };
    exchange
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), shown(name.as_str(), value.as_bytes())))
        .collect()
}

const BODY_MAX_BYTES: usize = 16 * 1024;
/// Headers with which people and scripts prove themselves.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
