//! Browsers that come to the plain-HTTP port by mistake, sent on to the pages. No device is ever sent anywhere: one that
//! does not know redirects stops for good, and one that knows them turns its upload into a GET (`tswarm-node.md §3`, §7).

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::{ListenerKind, Reply, RouteError};

/// The paths of pages, and where they are.
pub struct ToHttps {
    pages: matchit::Router<()>,
    port: u16,
}

impl ToHttps {
    /// `pages` are the paths that people look at, in matchit's syntax; they are on this port of this machine, by TLS.
    ///
    /// # Errors
    /// A path stands there twice, or is none.
    pub fn new(pages: impl IntoIterator<Item = &'static str>, port: u16) -> Result<Self, RouteError> {
        let mut router = matchit::Router::new();
        for path in pages {
            let failed = |cause: matchit::InsertError| RouteError {
                path: path.to_owned(),
                listener: ListenerKind::Http,
                cause: cause.to_string(),
            };
            router.insert(path, ()).map_err(failed)?;
        }
        Ok(Self { pages: router, port })
    }

    /// Where to, for what no device's table knows: only for a browser, which reads HTML and says so, only where it reads,
    /// and only where a page is. 307, since browsers keep a 301 for ever.
    pub(super) fn of<B>(&self, request: &Request<B>) -> Option<Reply> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let target = request.uri().path_and_query()?;
        if !reads || !takes_html(request.headers()) || self.pages.at(target.path()).is_err() {
            return None;
        }
        let host = host(request.headers())?;
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let place = HeaderValue::from_str(&format!("https://{host}{port}{target}")).ok()?;
        Some(Reply::empty(StatusCode::TEMPORARY_REDIRECT).with(header::LOCATION, place))
    }
}

fn takes_html(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.into_iter().any(|types| types.contains("text/html"))
}

/// The name by which the machine was called, without a port, if it may be repeated.
fn host(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::HOST)?.to_str().ok().filter(|value| is_harmless_host(value))?;
    let bare = match value.rfind(']') {
        Some(end) => value.get(..=end)?, // an IPv6 address
        None => value.split(':').next()?,
    };
    (!bare.is_empty()).then_some(bare)
}

/// Whether a `Host` holds nothing but a name or an address, and a port.
pub fn is_harmless_host(value: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    !value.is_empty() && value.len() <= 255 && value.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_that_asks_for_a_page_is_sent_on() {
        let to = |port| ToHttps::new(["/devices", "/devices/{id}"], port).unwrap();
        let asks = |method: &str, path: &str, accept: &str, host: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("accept", accept).header("host", host).body(()).unwrap();
            let reply = to(8443).of(&request)?.into_response();
            assert_eq!(reply.status(), 307);
            Some(reply.headers()["location"].to_str().unwrap().to_owned())
        };
        let html = "text/html,application/xhtml+xml;q=0.9";
        let sent = |path: &str| Some(format!("https://home.example:8443{path}"));
        assert_eq!(asks("GET", "/devices?q=a%20b", html, "home.example"), sent("/devices?q=a%20b"));
        assert_eq!(asks("HEAD", "/devices/x", html, "home.example:8080"), sent("/devices/x"));
        assert_eq!(
            asks("GET", "/devices", html, "[2001:db8::1]:80").as_deref(),
            Some("https://[2001:db8::1]:8443/devices")
        );
        for (method, path, accept, host) in [
            ("PUT", "/devices", html, "home.example"),
            ("POST", "/devices", html, "home.example"),
            ("GET", "/devices", "*/*", "home.example"),
            ("GET", "/devices/", html, "home.example"),
            ("GET", "/nodes/x", html, "home.example"),
            ("GET", "/devices", html, "<script>"),
            ("GET", "/devices", html, ":80"),
        ] {
            assert_eq!(asks(method, path, accept, host), None, "{method} {path} {accept} {host}");
        }
        let request = Request::builder().uri("/devices").header("accept", html).body(()).unwrap();
        assert!(to(8443).of(&request).is_none(), "nobody knows by which name it calls");
        let request = Request::builder().uri("/devices").header("accept", html).header("host", "a");
        let reply = to(443).of(&request.body(()).unwrap()).unwrap().into_response();
        assert_eq!(reply.headers()["location"], "https://a/devices");
    }
}
