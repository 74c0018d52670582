//! Where a fleet calls, and the way into that server's API.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use hyper::Uri;
use rustls::pki_types::ServerName;

use crate::cli::Failure;
use crate::cli::client::{Client, Connect};
use crate::cli::settings::Global;
use crate::config::Config;
use crate::server;
use crate::simulate::{Door, Target};

/// A server as devices call it.
pub(super) struct Side {
    /// The listener that they call.
    door: Door,
    host: String,
    port: u16,
    /// The name its certificate is checked against.
    name: String,
    /// The root certificate; `None` takes any.
    pub(super) trust: Option<PathBuf>,
    /// Its API, when there is a way in: with a token, or through the control socket of this machine's.
    pub(super) api: Option<Client>,
}

impl Side {
    /// Finds it. Devices that speak TLS call where the API is, too; others call a listener of their own, which is at `at`
    /// if that is said.
    pub(super) async fn of(
        connect: &Connect,
        settings: &Global,
        door: Door,
        at: Option<&str>,
    ) -> Result<Self, Failure> {
        let config = settings.load(Vec::new())?;
        if door == Door::Https {
            return match at {
                Some(_) => Err(usage("--at: these devices call where the API is: give --server")),
                None => Self::with_tls(connect, settings, &config).await,
            };
        }
        let (api, (host, port)) = match (connect.server(), at) {
            (None, at) => {
                runs_here(&config).await?;
                let place = match at {
                    Some(at) => place(at, door)?,
                    None => listening(own_listener(&config, door)).ok_or_else(|| {
                        let called = called(door);
                        usage(&format!(
                            "{called} is off or at no fixed port: say where it is, --at HOST:PORT"
                        ))
                    })?,
                };
                (Some(Client::here(&config)), place)
            }
            (Some(url), None) if url.starts_with(&format!("{}://", door.scheme())) => {
                if connect.has_token() {
                    return Err(usage(&format!(
                        "the API is not at {}: --server https://… for it, and --at HOST:PORT for devices",
                        called(door)
                    )));
                }
                let (_, rest) = url.split_once("://").unwrap_or_default();
                let place = place(rest.trim_end_matches('/'), door)?;
                let api = is_here(&place.0) && server::is_running(&config.data_dir).await;
                (api.then(|| Client::here(&config)), place)
            }
            (Some(url), None) => {
                return Err(usage(&format!(
                    "say where devices call without TLS: --at HOST:PORT beside --server {url}"
                )));
            }
            (Some(_), Some(at)) => (Some(connect.client(settings)?), place(at, door)?),
        };
        Ok(Self { door, name: host.clone(), host, port, trust: None, api })
    }

    async fn with_tls(connect: &Connect, settings: &Global, config: &Config) -> Result<Self, Failure> {
        let trust = connect.trust(config);
        let Some(url) = connect.server() else {
            let (host, port) = listening(config.listen.https.0)
                .ok_or_else(|| usage("say where devices call: --server https://HOST:PORT"))?;
            runs_here(config).await?;
            let name = config.hosts.first().cloned().unwrap_or_else(|| "localhost".to_owned());
            return Ok(Self {
                door: Door::Https,
                host,
                port,
                name,
                trust,
                api: Some(connect.client(settings)?),
            });
        };
        let wrong = || usage(&format!("--server: expected https://HOST[:PORT], found `{url}`"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let api = if connect.has_token() {
            Some(connect.client(settings)?)
        } else if is_here(&host) && server::is_running(&config.data_dir).await {
            Some(Client::here(config))
        } else {
            None
        };
        Ok(Self {
            door: Door::Https,
            port: uri.port_u16().unwrap_or(443),
            name: host.clone(),
            host,
            trust,
            api,
        })
    }

    /// The same for the fleet.
    pub(super) async fn target(&self) -> anyhow::Result<Target> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut found: Vec<SocketAddr> =
            found.with_context(|| format!("`{}` cannot be resolved", self.host))?.collect();
        // Each device has an address of its own in 127.0.0.0/8, and nowhere else.
        found.sort_by_key(SocketAddr::is_ipv6);
        let addr = *found.first().ok_or_else(|| anyhow!("`{}` has no address", self.host))?;
        let named = || {
            let name = ServerName::try_from(self.name.clone());
            name.with_context(|| format!("`{}` is no host name", self.name))
        };
        let name = if self.door == Door::Https { Some(named()?) } else { None };
        let usual = self.door.usual_port();
        let host = match (self.name.contains(':'), self.port) {
            (true, port) => format!("[{}]:{port}", self.name),
            (false, port) if port == usual => self.name.clone(),
            (false, port) => format!("{}:{port}", self.name),
        };
        Ok(Target { addr, name, host })
    }

    /// As people write it.
    pub(super) const fn scheme(&self) -> &'static str {
        self.door.scheme()
    }
}

fn usage(message: &str) -> Failure {
    Failure::Usage(message.to_owned())
}

/// Where a listener of this machine is reached.
fn listening(at: Option<SocketAddr>) -> Option<(String, u16)> {
    let at = at.filter(|addr| addr.port() != 0)?;
    let host = if at.ip().is_unspecified() { "127.0.0.1".to_owned() } else { at.ip().to_string() };
    Some((host, at.port()))
}

/// The listener of such devices, by the settings here.
const fn own_listener(config: &Config, door: Door) -> Option<SocketAddr> {
    match door {
        Door::Https => config.listen.https.0,
        Door::Http => config.listen.http.0,
        Door::Ws => config.listen.ws.0,
    }
}

const fn called(door: Door) -> &'static str {
    match door {
        Door::Https => "the listener with TLS",
        Door::Http => "the plain-HTTP listener",
        Door::Ws => "the listener for microcontrollers (`listen.ws`)",
    }
}

/// `HOST[:PORT]`.
fn place(text: &str, door: Door) -> Result<(String, u16), Failure> {
    let wrong = || usage(&format!("expected HOST:PORT for {}, found `{text}`", called(door)));
    let authority: http::uri::Authority = text.parse().map_err(|_| wrong())?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(wrong());
    }
    Ok((
        authority.host().trim_matches(['[', ']']).to_owned(),
        authority.port_u16().unwrap_or(if door == Door::Ws { WS_PORT } else { 80 }),
    ))
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

async fn runs_here(config: &Config) -> Result<(), Failure> {
    if server::is_running(&config.data_dir).await {
        return Ok(());
    }
    Err(anyhow!(
        "no server runs in {}: start one (`homeport serve`), name its folder (--data-dir), or a remote one \
         (--server URL --token TOKEN)",
        config.data_dir.display()
    )
    .into())
}

/// Where boards call, as their firmware has it.
const WS_PORT: u16 = 4444;
