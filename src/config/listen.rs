//! Where to listen, and with which certificate.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::setting::{Setting, words};

/// One listener's address, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub Option<SocketAddr>);

impl Address {
    /// All IPv4 addresses of the machine at this port.
    pub const fn any(port: u16) -> Self {
        Self(Some(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port)))
    }

    /// The same address at another port; a listener that is off comes on.
    pub fn set_port(&mut self, port: u16) {
        match &mut self.0 {
            Some(addr) => addr.set_port(port),
            None => *self = Self::any(port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(addr) => addr.fmt(f),
            None => f.write_str("off"),
        }
    }
}

impl Setting for Address {
    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "" | "off") {
            return Ok(Self(None));
        }
        if let Ok(addr) = text.parse() {
            return Ok(Self(Some(addr)));
        }
        // `:8443` and `localhost:8443` are what people type.
        let port = |port: &str| port.parse::<u16>().ok();
        match text.rsplit_once(':') {
            Some(("" | "*", tail)) => port(tail).map(Self::any),
            Some(("localhost", tail)) => port(tail)
                .map(|port| Self(Some(SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)))),
            _ => port(text).map(Self::any),
        }
        .ok_or_else(|| format!("expected ADDRESS:PORT such as 0.0.0.0:8443, or off; found `{text}`"))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

/// The listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// CWM/OKE, pages and API.
    pub https: Address,
    /// Plain-HTTP devices.
    pub http: Address,
    /// WebSocket microcontrollers.
    pub ws: Address,
    /// Pages and API alone.
    pub admin: Address,
    /// Whether browsers that come to the plain-HTTP listener are sent to the pages.
    pub redirect_pages: bool,
    /// Whether the ports that real devices call are used: 443, 80 and 4444.
    pub device_ports: bool,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            https: Address::any(8443),
            http: Address::any(8080),
            ws: Address::any(4444),
            admin: Address(None),
            redirect_pages: false,
            device_ports: false,
        }
    }
}

/// The operator's own certificate, in place of one that homeport makes, and those of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file with the certificate (and, if need be, its chain).
    pub certificate: Option<PathBuf>,
    /// PEM file with its key.
    pub key: Option<PathBuf>,
    /// Whether devices are asked for a certificate of their own.
    pub client_certificates: ClientCertificates,
    /// PEM file with roots that may vouch for devices, beside our own.
    pub client_roots: Option<PathBuf>,
}

/// What is made of devices' own certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Not asked for.
    Off,
    /// Asked for and written down; none or a bad one is no obstacle.
    #[default]
    Optional,
    /// Device paths answer only who shows a good one.
    Required,
}

words!(ClientCertificates {
    "off" => ClientCertificates::Off,
    "optional" => ClientCertificates::Optional,
    "required" => ClientCertificates::Required,
});
