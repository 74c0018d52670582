//! One message to one webhook: a signed POST on a connection of its own, to an address that was looked at.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::post::Outcome;
use super::told::hex;
use crate::core::{Delivery, Webhook};
use crate::model::{Network, Timestamp};

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    host: String,
    port: u16,
    path: String,
    /// As the request names it.
    authority: String,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// A sentence that says what a URL is.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = || "url is such as https://example.org/hook, without a user name in it".to_owned();
        if url.len() > URL_BYTES_MAX {
            return Err(format!("url is longer than {URL_BYTES_MAX} bytes"));
        }
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
            authority: authority.as_str().to_owned(),
        })
    }
}

/// The signature of a body at a time: HMAC-SHA256 over `<seconds>.<body>`, as `t=<seconds>,v1=<hexadecimal digits>`.
pub fn signature(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.seconds();
    // A key may have any length.
    let digits = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| String::new(),
        |mut sum| {
            sum.update(format!("{seconds}.").as_bytes());
            sum.update(body);
            hex(&sum.finalize().into_bytes())
        },
    );
    format!("t={seconds},v1={digits}")
}

/// Sends a message. Takes as long as the receiver likes: the caller sets a limit.
pub(super) async fn send(
    hook: &Webhook,
    delivery: &Delivery,
    at: Timestamp,
    tls: Arc<ClientConfig>,
    refuse: &[Network],
) -> Outcome {
    match try_send(hook, delivery, at, tls, refuse).await {
        Ok(outcome) => outcome,
        Err(Fault::Never(note)) => Outcome::never(None, note),
        Err(Fault::Later(note)) => Outcome::later(None, note),
    }
}

/// Why there is no answer.
enum Fault {
    /// Another try would not help.
    Never(String),
    /// Another try may.
    Later(String),
}

async fn try_send(
    hook: &Webhook,
    delivery: &Delivery,
    at: Timestamp,
    tls: Arc<ClientConfig>,
    refuse: &[Network],
) -> Result<Outcome, Fault> {
    let later = |what: &'static str| move |error: std::io::Error| Fault::Later(format!("{what}: {error}"));
    let address = Address::parse(&hook.url).map_err(Fault::Never)?;
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
    let found: Vec<SocketAddr> = found.map_err(later("the name cannot be looked up"))?.collect();
    let allowed: Vec<SocketAddr> = found.iter().copied().filter(|addr| may(addr.ip(), refuse)).collect();
    if allowed.is_empty() && !found.is_empty() {
        let ip = found.first().map(|addr| addr.ip().to_string()).unwrap_or_default();
        return Err(Fault::Never(format!("no webhook goes to {ip} (alerts.webhook_refuse)")));
    }
    let socket = TcpStream::connect(&*allowed).await.map_err(later("no connection"))?;
    // What it costs to wait for company is more than a message is worth.
    socket.set_nodelay(true).map_err(later("no connection"))?;
    let request = request(hook, delivery, &address, at)?;
    if !address.tls {
        return exchange(socket, request).await;
    }
    let name = ServerName::try_from(address.host.clone())
        .map_err(|error| Fault::Never(format!("no certificate can be for {}: {error}", address.host)))?;
    let connector = tokio_rustls::TlsConnector::from(tls);
    exchange(connector.connect(name, socket).await.map_err(later("no TLS"))?, request).await
}

fn may(ip: IpAddr, refuse: &[Network]) -> bool {
    !refuse.iter().any(|network| network.contains(ip))
}

fn request(
    hook: &Webhook,
    delivery: &Delivery,
    address: &Address,
    at: Timestamp,
) -> Result<Request<Full<Bytes>>, Fault> {
    let body = delivery.body.as_bytes();
    Request::post(&address.path)
        .header(header::HOST, &address.authority)
        .header(header::USER_AGENT, concat!("homeport/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header("homeport-delivery", &delivery.id)
        .header("homeport-event", &delivery.event)
        .header("homeport-signature", signature(&hook.secret, at, body))
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .map_err(|error| Fault::Never(format!("this cannot be asked: {error}")))
}

async fn exchange<S>(socket: S, request: Request<Full<Bytes>>) -> Result<Outcome, Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |error: hyper::Error| Fault::Later(format!("no answer: {error}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(broken)?;
    let talk = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        Ok((head.status, wait(&head.headers), words(body).await))
    };
    // The connection moves only while somebody asks it to; it ends with this future.
    let mut connection = std::pin::pin!(connection);
    let mut talk = std::pin::pin!(talk);
    let (status, wait, note) = tokio::select! {
        told = &mut talk => told?,
        _ = &mut connection => talk.await?,
    };
    let code = status.as_u16();
    Ok(match code {
        200..=299 => Outcome::taken(code, note),
        300..=399 => {
            Outcome::never(Some(code), "redirects are not followed: give the address that it leads to".into())
        }
        408 | 409 | 425 | 429 | 500..=599 => Outcome { wait, ..Outcome::later(Some(code), note) },
        _ => Outcome::never(Some(code), note),
    })
}

/// The beginning of an answer's body.
async fn words(body: Incoming) -> String {
    let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let text = whole.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// How long the receiver wants us to wait: seconds.
fn wait(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

const URL_BYTES_MAX: usize = 2048;
/// So much of an answer is read.
const ANSWER_BYTES_MAX: usize = 4096;
/// A receiver may have us wait so long.
const WAIT_MAX: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused() {
        let address = Address::parse("https://hook.example/a/b?c=d").unwrap();
        assert_eq!(
            (address.tls, &*address.host, address.port, &*address.path),
            (true, "hook.example", 443, "/a/b?c=d")
        );
        let address = Address::parse("http://[::1]:8080").unwrap();
        assert_eq!((address.tls, &*address.host, address.port, &*address.path), (false, "::1", 8080, "/"));
        assert_eq!(address.authority, "[::1]:8080");
        for wrong in [
            "",
            "hook.example",
            "/hook",
            "ftp://hook.example/",
            "https://",
            "http://me:pw@hook.example/",
            "http://a b/",
        ] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Address::parse(&format!("http://a/{}", "b".repeat(3000))).is_err());
    }

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        // Made with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
        let at = Timestamp::from_micros(1_700_000_000_123_456);
        assert_eq!(
            signature("whsec_test", at, br#"{"a":1}"#),
            "t=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789"
        );
    }

    #[test]
    fn addresses_that_are_refused_are_refused_in_every_dress() {
        let refuse = [Network::try_from("169.254.0.0/16".to_owned()).unwrap()];
        for (ip, allowed) in
            [("169.254.169.254", false), ("::ffff:169.254.169.254", false), ("192.168.1.2", true)]
        {
            assert_eq!(may(ip.parse().unwrap(), &refuse), allowed, "{ip}");
        }
    }
}
