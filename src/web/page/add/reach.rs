//! Where devices reach this server, as somebody who sets one up must write it down.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

use crate::http::is_harmless_host;
use crate::web::App;
use crate::web::api::listeners;

/// Names and ports of this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// A name that its certificate covers and others on the network know.
    pub(in crate::web::page) secure: String,
    /// The name or address under which the asker found it, else the same.
    pub(in crate::web::page) plain: String,
    /// An IPv4 address, for firmware that knows no names.
    pub(in crate::web::page) ipv4: Option<Ipv4Addr>,
    /// Ports of the listeners that are open.
    pub(in crate::web::page) https_port: Option<u16>,
    pub(in crate::web::page) http_port: Option<u16>,
    pub(in crate::web::page) ws_port: Option<u16>,
    /// Names in the certificate that a device elsewhere can use.
    pub(in crate::web::page) names: Vec<String>,
    /// Whether its root certificate can be downloaded: it is its own authority then.
    pub(in crate::web::page) root: bool,
}

impl Reach {
    fn find(app: &App, asked: Option<&str>) -> Self {
        let names: Vec<String> = app.hosts.iter().filter(|host| !is_home(host)).cloned().collect();
        let asked = asked.filter(|host| !is_home(host));
        let first = names.first().or(app.hosts.first()).cloned().unwrap_or_else(|| "localhost".to_owned());
        let covered = asked.filter(|asked| app.hosts.iter().any(|host| host == asked));
        let secure = covered.map_or_else(|| first.clone(), str::to_owned);
        let plain = asked.map_or(first, str::to_owned);
        let ipv4 = |host: &String| host.parse::<Ipv4Addr>().ok();
        let open = listeners::all(app).into_iter().filter(|note| note.open).collect::<Vec<_>>();
        let port =
            |name: &str| open.iter().find(|note| note.listener == name).map(|note| note.address.port());
        Self {
            ipv4: ipv4(&plain).or_else(|| names.iter().find_map(ipv4)).or_else(|| ipv4(&secure)),
            https_port: port("https"),
            http_port: port("http"),
            ws_port: port("ws"),
            root: app.root_certificate.is_some(),
            secure,
            plain,
            names,
        }
    }

    /// What URLs begin with where devices speak TLS.
    pub(in crate::web::page) fn https(&self) -> Option<String> {
        let port = self.https_port?;
        let host = bracketed(&self.secure);
        Some(if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") })
    }

    /// Host and port where they do not.
    pub(in crate::web::page) fn plain_address(&self) -> Option<String> {
        let port = self.http_port?;
        let host = bracketed(&self.plain);
        Some(if port == 80 { host } else { format!("{host}:{port}") })
    }

    /// What URLs begin with where they do not.
    pub(in crate::web::page) fn http(&self) -> Option<String> {
        self.plain_address().map(|address| format!("http://{address}"))
    }
}

impl FromRequestParts<App> for Reach {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| is_harmless_host(host)).and_then(|host| host.parse::<Authority>().ok());
        let host = host.map(|authority| authority.host().trim_matches(['[', ']']).to_ascii_lowercase());
        Ok(Self::find(app, host.as_deref()))
    }
}

/// Whether a name is this machine's for itself alone.
fn is_home(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_devices_take_them() {
        let reach = Reach {
            secure: "homeport.example".to_owned(),
            plain: "fd00::1".to_owned(),
            https_port: Some(443),
            http_port: Some(8080),
            ..Reach::default()
        };
        assert_eq!(reach.https().as_deref(), Some("https://homeport.example"));
        assert_eq!(reach.http().as_deref(), Some("http://[fd00::1]:8080"));
        let usual = Reach { http_port: Some(80), plain: "192.0.2.1".to_owned(), ..reach };
        assert_eq!(usual.plain_address().as_deref(), Some("192.0.2.1"));
        assert_eq!(Reach::default().https(), None);
        assert!(is_home("127.0.0.1") && is_home("::1") && !is_home("192.0.2.1"));
    }
}
