//! The API as operator commands use it: over the running server's control socket, or over HTTPS to a remote one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::Failure;
use super::probe::{self, Trust};
use super::settings::Global;
use super::upload::FileToSend;
use crate::config::Config;

/// Which server to talk to.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which server")]
pub(super) struct Connect {
    /// A remote server [default: the running one, through its control socket].
    #[arg(long, global = true, value_name = "URL", env = "HOMEPORT_SERVER")]
    server: Option<String>,
    /// An API token for it (`homeport token create`).
    #[arg(long, global = true, value_name = "TOKEN", env = "HOMEPORT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Its root certificate, PEM [default: root.pem in the certificates' folder].
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take any certificate.
    #[arg(long, global = true)]
    insecure: bool,
}

/// A server to talk to.
pub(super) struct Client {
    road: Road,
    token: Option<String>,
    limit: Duration,
}

enum Road {
    Socket(PathBuf),
    Tls { host: String, port: u16, trust: Option<PathBuf> },
    Plain { host: String, port: u16 },
}

/// What a request carries.
struct Content {
    kind: &'static str,
    body: UnsyncBoxBody<Bytes, std::io::Error>,
}

impl Content {
    fn json(text: String) -> Self {
        Self { kind: "application/json", body: whole(text.into()) }
    }
}

fn whole(bytes: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// The server's answer when it refuses.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
}

impl Connect {
    pub(super) fn client(&self, settings: &Global) -> Result<Client, Failure> {
        let config = settings.load(Vec::new())?;
        let Some(url) = &self.server else {
            return Ok(Client::here(&config));
        };
        if self.token.is_none() {
            return Err(Failure::Usage(
                "--server needs --token TOKEN (`homeport token create` there)".to_owned(),
            ));
        }
        if self.ca.is_some() && self.insecure {
            return Err(Failure::Usage("--ca and --insecure: give one of them".to_owned()));
        }
        let wrong = || Failure::Usage(format!("--server: expected https://HOST[:PORT], found `{url}`"));
        let uri: hyper::Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let road = match uri.scheme_str() {
            Some("https") => {
                Road::Tls { host, port: uri.port_u16().unwrap_or(443), trust: self.trust(&config) }
            }
            Some("http") => Road::Plain { host, port: uri.port_u16().unwrap_or(80) },
            _ => return Err(wrong()),
        };
        Ok(Client { road, token: self.token.clone(), limit: LIMIT })
    }

    /// The remote server that is meant, if one is.
    pub(super) fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Whether there is a token for it.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The root certificate to trust; `None` takes any.
    pub(super) fn trust(&self, config: &Config) -> Option<PathBuf> {
        (!self.insecure)
            .then(|| self.ca.clone().unwrap_or_else(|| crate::server::root_path(&config.certs_dir)))
    }

    /// Whether another server than this machine's is meant.
    pub(super) fn is_remote(&self) -> bool {
        self.server.is_some()
    }
}

/// How long an answer may take to begin.
const LIMIT: Duration = Duration::from_mins(1);

impl Client {
    /// This machine's running server, through its control socket.
    pub(super) fn here(config: &Config) -> Self {
        Self { road: Road::Socket(crate::server::control_path(&config.data_dir)), token: None, limit: LIMIT }
    }

    /// The same for work that takes the server long.
    pub(super) fn patient(mut self) -> Self {
        self.limit = LIMIT * 60;
        self
    }

    pub(super) async fn fetch(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// One call; `path` follows `/api/v1`. An empty answer is `null`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        self.call_with(method, path, body.map(ToString::to_string)).await
    }

    /// The same with a body whose JSON text must stay as it is.
    pub(super) async fn call_with(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Value> {
        answer(self.open(method, path, body.map(Content::json)).await?).await
    }

    /// Sends a file's bytes to a path.
    pub(super) async fn upload(&self, path: &str, file: FileToSend) -> anyhow::Result<Value> {
        let content = Content { kind: "application/octet-stream", body: file.boxed_unsync() };
        answer(self.open(Method::PUT, path, Some(content)).await?).await
    }

    /// Sends a few bytes to a path.
    pub(super) async fn upload_bytes(&self, path: &str, bytes: Bytes) -> anyhow::Result<Value> {
        let content = Content { kind: "application/octet-stream", body: whole(bytes) };
        answer(self.open(Method::PUT, path, Some(content)).await?).await
    }

    /// The same; the answer's body as it came.
    pub(super) async fn call_raw(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Bytes> {
        answer_raw(self.open(method, path, body.map(Content::json)).await?).await
    }

    /// Every item of a list, page after page.
    pub(super) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.fetch(&format!("{path}{cursor}")).await?;
            if let Some(Value::Array(more)) = page.get_mut("items").map(Value::take) {
                items.extend(more);
            }
            match page.get("next") {
                None | Some(Value::Null) => return Ok(items),
                Some(next) => {
                    let next = next.as_str().map_or_else(|| next.to_string(), ToOwned::to_owned);
                    let mark = if path.contains('?') { '&' } else { '?' };
                    cursor = format!("{mark}cursor={}", escape(&next));
                }
            }
        }
    }

    /// A successful answer whose body is read piece by piece.
    pub(super) async fn stream(&self, path: &str) -> anyhow::Result<Incoming> {
        let response = self.open(Method::GET, path, None).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let bytes = response.into_body().collect().await?.to_bytes();
        Err(refusal(status, &bytes).into())
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Content>,
    ) -> anyhow::Result<Response<Incoming>> {
        let limit = self.limit;
        tokio::time::timeout(limit, self.open_unlimited(method, path, body))
            .await
            .map_err(|_| anyhow!("no answer within {} s", limit.as_secs()))?
    }

    async fn open_unlimited(
        &self,
        method: Method,
        path: &str,
        body: Option<Content>,
    ) -> anyhow::Result<Response<Incoming>> {
        match &self.road {
            Road::Socket(at) => {
                let socket = UnixStream::connect(at).await.with_context(|| {
                    format!(
                        "no server answers on {}: start one (`homeport serve`), name its folder (--data-dir), \
                         or a remote one (--server URL --token TOKEN)",
                        at.display()
                    )
                })?;
                self.ask(socket, "localhost", method, path, body).await
            }
            Road::Tls { host, port, trust } => {
                let trust = trust.as_deref().map_or(Trust::Anyone, Trust::Root);
                let socket = probe::connect(&format!("{}:{port}", bracketed(host)), host, trust)
                    .await
                    .context("give its root certificate with --ca FILE, or --insecure to take any")?;
                self.ask(socket, &format!("{}:{port}", bracketed(host)), method, path, body).await
            }
            Road::Plain { host, port } => {
                let target = format!("{}:{port}", bracketed(host));
                let socket = tokio::net::TcpStream::connect(&target)
                    .await
                    .with_context(|| format!("cannot reach {target}"))?;
                self.ask(socket, &target, method, path, body).await
            }
        }
    }

    async fn ask<S>(
        &self,
        socket: S,
        host: &str,
        method: Method,
        path: &str,
        body: Option<Content>,
    ) -> anyhow::Result<Response<Incoming>>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        // Ends with the answer's body; a failure shows there.
        drop(tokio::spawn(connection));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", host)
            .header("accept", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(content) => {
                request = request.header("content-type", content.kind);
                content.body
            }
            None => whole(Bytes::new()),
        };
        let request = request.body(body).context("the token or the path cannot be sent")?;
        sender.send_request(request).await.context("the server hung up")
    }
}

/// The JSON of a successful answer; an empty answer is `null`.
async fn answer(response: Response<Incoming>) -> anyhow::Result<Value> {
    let bytes = answer_raw(response).await?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).context("the answer is no JSON: is this a homeport server?")
}

/// A successful answer's body.
async fn answer_raw(response: Response<Incoming>) -> anyhow::Result<Bytes> {
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the answer broke off")?.to_bytes();
    if status.is_success() { Ok(bytes) } else { Err(refusal(status, &bytes).into()) }
}

/// A device's record, found by id, address or name.
pub(super) async fn device(client: &Client, text: &str) -> anyhow::Result<Value> {
    match find_device(client, text).await? {
        Some(device) => Ok(device),
        None => bail!("no device `{text}`: `homeport devices list` shows them"),
    }
}

/// The same; `None` when there is none. A MAC is found however it is spelled.
pub(super) async fn find_device(client: &Client, text: &str) -> anyhow::Result<Option<Value>> {
    match (find_exactly(client, text).await?, bare_mac(text)) {
        (None, Some(mac)) => find_exactly(client, &mac).await,
        (found, _) => Ok(found),
    }
}

/// The digits of a MAC with separators, in lower case.
fn bare_mac(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, ':' | '-' | '.')).collect();
    let is_mac = digits.len() == 12 && digits.chars().all(|letter| letter.is_ascii_hexdigit());
    (is_mac && digits != text).then(|| digits.to_ascii_lowercase())
}

async fn find_exactly(client: &Client, text: &str) -> anyhow::Result<Option<Value>> {
    let found = client.list(&format!("/devices?q={}", escape(text))).await?;
    let has = |device: &&Value, field: &str| {
        device.get(field).and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(text))
    };
    for field in ["id", "address", "name"] {
        let matching: Vec<&Value> = found.iter().filter(|device| has(device, field)).collect();
        match matching.as_slice() {
            [] => {}
            [one] => return Ok(Some((*one).clone())),
            [_, _, ..] => bail!("`{text}` names several devices: use the id"),
        }
    }
    match client.fetch(&format!("/devices/{}", escape(text))).await {
        Ok(device) => Ok(Some(device)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == StatusCode::NOT_FOUND)
}

/// A record's text field; empty when it is not there.
pub(super) fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Percent-escapes a part of a path or query.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    let told = serde_json::from_slice::<Value>(body).ok();
    let error = told.as_ref().and_then(|told| told.get("error"));
    let message = error.and_then(|error| error.get("message")).and_then(Value::as_str);
    let field = error.and_then(|error| error.get("field")).and_then(Value::as_str);
    let message = match (message, field) {
        (Some(message), Some(field)) => format!("{field}: {message}"),
        (Some(message), None) => message.to_owned(),
        (None, _) => format!("the server answered {status}"),
    };
    Refusal { status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_paths_are_escaped() {
        assert_eq!(escape("a b/c?é"), "a%20b%2Fc%3F%C3%A9");
    }

    #[test]
    fn a_refusal_says_what_the_server_said() {
        let body = br#"{"error":{"code":"invalid","message":"is empty","field":"name"}}"#;
        assert_eq!(refusal(StatusCode::BAD_REQUEST, body).to_string(), "name: is empty");
        assert_eq!(
            refusal(StatusCode::BAD_GATEWAY, b"<p>").to_string(),
            "the server answered 502 Bad Gateway"
        );
    }
}
