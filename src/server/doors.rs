//! What a TLS listener shows and asks for: our certificates, those of clients, the size of records.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ServerError;
use super::clients::Clients;
use crate::config::Config;
use crate::http::{Gate, ListenerKind};
use crate::model::Clock;
use crate::net;
use crate::pki::{self, ClientTrust, Resolver, Source};

/// TLS of all listeners; without it when none speaks it.
pub(super) struct Doors {
    shown: Option<Shown>,
    clock: Clock,
}

struct Shown {
    resolver: Arc<Resolver>,
    clients: Arc<Clients>,
    https: net::Tls,
    admin: net::Tls,
    fingerprint: Option<String>,
}

impl Doors {
    /// Loads, and if need be makes, the certificates when one of the listeners needs them.
    pub(super) async fn open(
        config: &Config,
        hosts: &[String],
        clock: &Clock,
        mut listeners: impl Iterator<Item = ListenerKind>,
    ) -> Result<Self, ServerError> {
        let clock = clock.clone();
        if !listeners.any(is_tls) {
            return Ok(Self { shown: None, clock });
        }
        let resolver = resolver(config, hosts, &clock).await?;
        let clients = Clients::open(config, clock.clone())?;
        let limits = &config.limits;
        let tls = |clients, bytes| net::Tls::new(Arc::clone(&resolver) as _, clients, bytes);
        let shown = Shown {
            https: tls(Some(Arc::clone(&clients) as _), limits.tls_record_bytes_max)?,
            admin: tls(None, limits.admin_tls_record_bytes_max)?,
            fingerprint: fingerprint(config, &clock),
            resolver,
            clients,
        };
        Ok(Self { shown: Some(shown), clock })
    }

    /// TLS of one listener; `None` where none is spoken.
    pub(super) fn tls(&self, kind: ListenerKind) -> Option<net::Tls> {
        let shown = self.shown.as_ref()?;
        match kind {
            ListenerKind::Https => Some(shown.https.clone()),
            ListenerKind::Admin => Some(shown.admin.clone()),
            ListenerKind::Http | ListenerKind::Ws | ListenerKind::Control => None,
        }
    }

    /// What stands before device paths.
    pub(super) fn gate(&self) -> Option<Gate> {
        self.shown.as_ref().map(|shown| Clients::gate(&shown.clients))
    }

    /// Whose certificates count, to revoke some.
    pub(super) fn clients(&self) -> Option<&Arc<ClientTrust>> {
        self.shown.as_ref().map(|shown| shown.clients.trust())
    }

    /// SHA-256 of what clients are shown first: the operator's certificate, else our RSA one.
    pub(super) fn fingerprint(&self) -> Option<&str> {
        self.shown.as_ref()?.fingerprint.as_deref()
    }

    /// Reads certificates and roots again. On an error the old ones stay; the mode for clients is taken over anyway.
    pub(super) async fn reload(&self, config: &Config) -> Result<(), ServerError> {
        let Some(shown) = &self.shown else { return Ok(()) };
        if shown.clients.set_mode(config) {
            shown.https.forget_sessions()?;
        }
        shown.clients.trust().refresh()?;
        let (resolver, now_s) = (Arc::clone(&shown.resolver), self.clock.now().seconds());
        let read = tokio::task::spawn_blocking(move || resolver.reload(now_s)).await;
        Ok(read.map_err(|cause| broken_off("reading the certificates", cause))??)
    }

    /// Keeps certificates and roots up to date with their files, until stopped.
    pub(super) fn watch(&self, chores: &TaskTracker, stop: &CancellationToken) {
        let Some(shown) = &self.shown else { return };
        let clock = self.clock.clone();
        let now_s = move || clock.now().seconds();
        chores.spawn(Arc::clone(&shown.resolver).watch(now_s, LOOK_EVERY, stop.clone()));
        chores.spawn(Clients::watch(Arc::clone(&shown.clients), LOOK_EVERY, stop.clone()));
    }
}

const fn is_tls(kind: ListenerKind) -> bool {
    match kind {
        ListenerKind::Https | ListenerKind::Admin => true,
        ListenerKind::Http | ListenerKind::Ws | ListenerKind::Control => false,
    }
}

async fn resolver(config: &Config, hosts: &[String], clock: &Clock) -> Result<Arc<Resolver>, ServerError> {
    let source = match (&config.tls.certificate, &config.tls.key) {
        (Some(cert), Some(key)) => Source::Files { cert: cert.clone(), key: key.clone() },
        _ => Source::Own { dir: config.certs_dir.clone(), hosts: hosts.to_vec() },
    };
    let now_s = clock.now().seconds();
    let opened = tokio::task::spawn_blocking(move || Resolver::open(source, now_s)).await;
    Ok(opened.map_err(|cause| broken_off("making the certificates", cause))??)
}

fn fingerprint(config: &Config, clock: &Clock) -> Option<String> {
    let file = config.tls.certificate.clone().unwrap_or_else(|| config.certs_dir.join("rsa.pem"));
    pki::describe_file(&file, clock.now().seconds()).ok().map(|facts| facts.fingerprint)
}

fn broken_off(what: &'static str, cause: tokio::task::JoinError) -> ServerError {
    ServerError::System { what, cause: std::io::Error::other(cause) }
}

/// How often files of certificates are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
