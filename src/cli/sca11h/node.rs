//! One node's local HTTP API (`sca11h.md §7`): a connection for each request, Basic credentials sent unasked, patience,
//! and what was set is read again, because a node that says nothing to a change may well have made it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};

use crate::cli::output;

/// A node and how to speak to it.
pub(super) struct Node {
    /// `HOST:PORT`.
    address: String,
    credentials: String,
    limit: Duration,
}

/// Why a call of a node came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    /// There is no connection.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// Whom.
        address: String,
        /// What was seen.
        why: std::io::Error,
    },
    /// It took too long.
    #[error("{address} did not answer {path} within {limit_s} s")]
    Silent {
        /// Whom.
        address: String,
        /// What was asked.
        path: String,
        /// How long was waited.
        limit_s: u64,
    },
    /// The connection ended before the answer did.
    #[error("{address} hung up on {path}: {why}")]
    HungUp {
        /// Whom.
        address: String,
        /// What was asked.
        path: String,
        /// What was seen.
        why: String,
    },
    /// The credentials are wrong.
    #[error("{address} does not take this user name and password: give --user and --password")]
    Password {
        /// Whom.
        address: String,
    },
    /// An answer of another status.
    #[error("{address} answered {path} with {status}")]
    Status {
        /// Whom.
        address: String,
        /// What was asked.
        path: String,
        /// What it said.
        status: StatusCode,
    },
    /// An answer that is no JSON object.
    #[error("{address} answered {path} with something else than JSON: is it an SCA11H?")]
    NoJson {
        /// Whom.
        address: String,
        /// What was asked.
        path: String,
    },
    /// The node's own code for a failure.
    #[error("{address} refused {path}: errno {errno}")]
    Refused {
        /// Whom.
        address: String,
        /// What was asked.
        path: String,
        /// Its code; 0 would be success.
        errno: i64,
    },
    /// What was set does not stand there when it is read again.
    #[error("{address} did not take {field} in {path}: it has {found}, not {wanted}")]
    NotKept {
        /// Whom.
        address: String,
        /// What was set.
        path: String,
        /// The field.
        field: String,
        /// What was to be there.
        wanted: String,
        /// What is there.
        found: String,
    },
}

impl NodeError {
    /// Whether a request may have done its work although no answer came.
    fn is_silence(&self) -> bool {
        match self {
            Self::Silent { .. } | Self::HungUp { .. } => true,
            Self::Unreachable { .. }
            | Self::Password { .. }
            | Self::Status { .. }
            | Self::NoJson { .. }
            | Self::Refused { .. }
            | Self::NotKept { .. } => false,
        }
    }
}

impl Node {
    /// A node at `HOST[:PORT]`; port 80 unless said otherwise.
    pub(super) fn new(address: &str, user: &str, password: &str, limit: Duration) -> Self {
        Self {
            address: with_port(address),
            credentials: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
            limit,
        }
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Reads something.
    ///
    /// # Errors
    /// There is no answer, or none of success.
    pub(super) async fn get(&self, path: &str) -> Result<Value, NodeError> {
        self.call(Method::GET, path, None).await
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// There is no answer, or none of success.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, NodeError> {
        self.call(Method::POST, path, Some(body.to_string())).await
    }

    /// Sets fields and reads them again; gives what stands there then. A node that keeps its old values is told once
    /// more with a hundred blanks in front: one product has to, as the node is slow to take a body (§7). Fields of
    /// `secret` are never read out, so they are not compared.
    ///
    /// # Errors
    /// The node refused, or does not have what was set.
    pub(super) async fn set(
        &self,
        path: &str,
        fields: &Map<String, Value>,
        secret: &[&str],
    ) -> Result<Value, NodeError> {
        let text = Value::Object(fields.clone()).to_string();
        let mut kept = Err(self.hung_up(path, "nothing was sent"));
        for body in [text.clone(), format!("{}{text}", " ".repeat(BLANKS))] {
            match self.call(Method::POST, path, Some(body)).await {
                Ok(_) => {}
                Err(error) if error.is_silence() => {}
                // It may have missed the begin of the body.
                Err(error @ NodeError::Refused { .. }) => {
                    kept = Err(error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            let now = self.get(path).await?;
            kept = match differing(fields, &now, secret) {
                None => return Ok(now),
                Some((field, wanted, found)) => Err(NodeError::NotKept {
                    address: self.address.clone(),
                    path: path.to_owned(),
                    field,
                    wanted,
                    found,
                }),
            };
        }
        kept
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<Value, NodeError> {
        let called = tokio::time::timeout(self.limit, self.exchange(method, path, body)).await;
        let (status, bytes) = called.map_err(|_| NodeError::Silent {
            address: self.address.clone(),
            path: path.to_owned(),
            limit_s: self.limit.as_secs(),
        })??;
        if status == StatusCode::UNAUTHORIZED {
            return Err(NodeError::Password { address: self.address.clone() });
        }
        if !status.is_success() {
            return Err(NodeError::Status { address: self.address.clone(), path: path.to_owned(), status });
        }
        let value: Value = serde_json::from_slice(&bytes)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| NodeError::NoJson { address: self.address.clone(), path: path.to_owned() })?;
        match value.get("errno").and_then(Value::as_i64) {
            None | Some(0) => Ok(value),
            Some(errno) => {
                Err(NodeError::Refused { address: self.address.clone(), path: path.to_owned(), errno })
            }
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, Bytes), NodeError> {
        let hung_up = |error: hyper::Error| self.hung_up(path, &error.to_string());
        let socket = tokio::net::TcpStream::connect(&self.address)
            .await
            .map_err(|why| NodeError::Unreachable { address: self.address.clone(), why })?;
        // Small devices often look for header names as people write them.
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(hung_up)?;
        // Ends with the answer's body; a failure shows there.
        drop(tokio::spawn(connection));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", &self.credentials)
            .header("connection", "close");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| self.hung_up(path, &error.to_string()))?;
        let response = sender.send_request(request).await.map_err(hung_up)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect().await;
        let body = body.map_err(|error| self.hung_up(path, &error.to_string()))?;
        Ok((status, body.to_bytes()))
    }

    fn hung_up(&self, path: &str, why: &str) -> NodeError {
        NodeError::HungUp { address: self.address.clone(), path: path.to_owned(), why: why.to_owned() }
    }
}

/// The first field that is not as wanted: its name, what was wanted, what was found.
fn differing(fields: &Map<String, Value>, now: &Value, secret: &[&str]) -> Option<(String, String, String)> {
    let readable = fields.iter().filter(|(name, _)| !secret.contains(&name.as_str()));
    readable
        .map(|(name, wanted)| (name, plain(wanted), now.get(name)))
        .find(|(_, wanted, found)| found.map(plain).as_ref() != Some(wanted))
        .map(|(name, wanted, found)| {
            (
                name.clone(),
                wanted,
                found.map_or_else(|| "nothing".to_owned(), |found| output::safe(&plain(found))),
            )
        })
}

/// A setting as text: a node may give a number as text, a switch as a word, or a list of numbers with blanks.
fn plain(value: &Value) -> String {
    match value {
        Value::Bool(on) => u8::from(*on).to_string(),
        Value::String(text) => text.trim().replace(", ", ","),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn with_port(address: &str) -> String {
    if address.starts_with('[') {
        return if address.ends_with(']') { format!("{address}:80") } else { address.to_owned() };
    }
    match address.matches(':').count() {
        0 => format!("{address}:80"),
        1 => address.to_owned(),
        _ => format!("[{address}]:80"),
    }
}

/// More than a hundred blanks are what one product sends (§7).
const BLANKS: usize = 128;
const ANSWER_MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn port_80_is_a_nodes_own() {
        assert_eq!(with_port("192.0.2.20"), "192.0.2.20:80");
        assert_eq!(with_port("bed.lan:8080"), "bed.lan:8080");
        assert_eq!(with_port("fe80::1"), "[fe80::1]:80");
        assert_eq!(with_port("[fe80::1]"), "[fe80::1]:80");
        assert_eq!(with_port("[fe80::1]:8080"), "[fe80::1]:8080");
    }

    #[test]
    fn what_was_set_is_compared_however_it_is_spelled() {
        let wanted = json!({ "mode": 1, "url": "h:80", "pars": "1,2", "new_password": "x" });
        let wanted = wanted.as_object().unwrap();
        let same = json!({ "mode": "1", "url": "h:80", "pars": "1, 2" });
        assert_eq!(differing(wanted, &same, &["new_password"]), None);
        assert_eq!(
            differing(wanted, &json!({ "mode": true, "url": "h:80", "pars": "1,2" }), &["new_password"]),
            None
        );
        let other = differing(wanted, &json!({ "mode": 1, "url": "old" }), &["new_password"]);
        assert_eq!(other, Some(("url".to_owned(), "h:80".to_owned(), "old".to_owned())));
    }
}
