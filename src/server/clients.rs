//! Devices' own certificates: who judges them, and what a listener does about a bad one or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use tokio_util::sync::CancellationToken;

use super::{ServerError, root_path};
use crate::config::{ClientCertificates, Config};
use crate::http::{ClientCert, Gate, ListenerKind, Peer, Reject};
use crate::model::Clock;
use crate::net::ClientJudge;
use crate::pki::ClientTrust;

/// What is made of devices' certificates.
#[derive(Debug)]
pub(super) struct Clients {
    trust: Arc<ClientTrust>,
    required: AtomicBool,
    clock: Clock,
}

impl Clients {
    /// Trusts our own root and those the operator names.
    pub(super) fn open(config: &Config, clock: Clock) -> Result<Arc<Self>, ServerError> {
        let mode = config.tls.client_certificates;
        let others = config.tls.client_roots.clone();
        let trust = ClientTrust::open(root_path(&config.certs_dir), others, asks(mode))?;
        Ok(Arc::new(Self { trust, required: AtomicBool::new(mode == ClientCertificates::Required), clock }))
    }

    /// Whose certificates count.
    pub(super) fn trust(&self) -> &Arc<ClientTrust> {
        &self.trust
    }

    /// Takes over the mode; says whether clients must now show more than before.
    pub(super) fn set_mode(&self, config: &Config) -> bool {
        let mode = config.tls.client_certificates;
        let asked = self.trust.ask(asks(mode));
        let now = mode == ClientCertificates::Required;
        let before = self.required.swap(now, Ordering::Relaxed);
        (now && !before) || (asks(mode) && !asked)
    }

    /// Takes up roots that change, until stopped.
    pub(super) async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(every);
        let mut failed = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let read = self.trust.refresh();
            if let (Err(error), false) = (&read, failed) {
                tracing::error!("roots for clients not read again, the old ones stay: {error}");
            }
            failed = read.is_err();
        }
    }

    /// Stands before device paths: in mode *required* only a good certificate passes. Refused here and not in the
    /// handshake, because pages are served on the same port to browsers that have none. A certificate is shown in a
    /// handshake only, so whoever is refused is also let go.
    pub(super) fn gate(clients: &Arc<Self>) -> Gate {
        let clients = Arc::clone(clients);
        Arc::new(move |peer| clients.admit(peer))
    }

    fn admit(&self, peer: &Peer) -> Result<(), Reject> {
        if peer.listener != ListenerKind::Https || !self.required.load(Ordering::Relaxed) {
            return Ok(());
        }
        let refused = |caller: &str, why: String| {
            Err(Reject::forbidden(caller)
                .closing()
                .log(format!("{} refused: {why} (tls.client_certificates = required)", peer.addr)))
        };
        match peer.certificate() {
            None => refused(
                "this server takes devices with a client certificate only",
                "it showed no certificate".to_owned(),
            ),
            Some(ClientCert { fault: Some(fault), subject, .. }) => refused(
                "your client certificate is not accepted",
                format!("of its certificate ({subject}): {fault}"),
            ),
            // Revoked since the connection was opened.
            Some(good) if self.trust.is_revoked(&good.fingerprint) => refused(
                "your client certificate is not accepted",
                format!("of its certificate ({}): it has been revoked", good.subject),
            ),
            Some(_) => Ok(()),
        }
    }
}

impl ClientJudge for Clients {
    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.trust) as _
    }

    fn judge(&self, chain: &[CertificateDer<'_>]) -> ClientCert {
        let judged = self.trust.judge(chain, self.clock.now().seconds());
        ClientCert {
            fingerprint: judged.fingerprint,
            subject: judged.subject,
            name: judged.name,
            not_after_s: judged.not_after_s,
            fault: judged.fault,
        }
    }
}

const fn asks(mode: ClientCertificates) -> bool {
    match mode {
        ClientCertificates::Off => false,
        ClientCertificates::Optional | ClientCertificates::Required => true,
    }
}
