//! What TLS we speak, and what a finished handshake agreed on.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, ResolvesServerCert};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};

use super::NetError;
use super::sessions::Sessions;
use crate::http::{ClientCert, TlsFacts};

/// Who looks at clients' certificates. Handshakes go on with bad ones too: what is thought of a certificate is
/// known to whoever answers the request (`cwm-oke.md §2`: ask, record, do not refuse).
pub trait ClientJudge: fmt::Debug + Send + Sync {
    /// Takes part in handshakes; lets every certificate pass whose key the client has.
    fn verifier(&self) -> Arc<dyn ClientCertVerifier>;

    /// What is thought of the chain that a client showed, now.
    fn judge(&self, chain: &[CertificateDer<'_>]) -> ClientCert;
}

/// TLS of one listener.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) config: Arc<ServerConfig>,
    pub(super) clients: Option<Arc<dyn ClientJudge>>,
    sessions: Arc<Sessions>,
}

impl Tls {
    /// TLS 1.2 and 1.3, HTTP/1.1 only (`cwm-oke.md §2`), resumption by ticket and by session id. Clients are asked
    /// for a certificate when there is somebody to judge it. A record carries `record_bytes_max` bytes at most,
    /// 512 to 16,384.
    ///
    /// # Errors
    /// rustls refuses the settings.
    pub fn new(
        resolver: Arc<dyn ResolvesServerCert>,
        clients: Option<Arc<dyn ClientJudge>>,
        record_bytes_max: usize,
    ) -> Result<Self, NetError> {
        let verifier =
            clients.as_ref().map_or_else(|| Arc::new(NoClientAuth) as _, |clients| clients.verifier());
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS12, &TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        let sessions = Sessions::new()?;
        config.ticketer = Arc::clone(&sessions) as _;
        config.session_storage = Arc::clone(&sessions) as _;
        config.send_tls13_tickets = 1;
        // rustls counts the record's header in. It does not heed what a client asks for, and it cuts handshake
        // messages too, which old Mbed TLS cannot put together again below its certificate's size.
        config.max_fragment_size = Some(record_bytes_max.saturating_add(RECORD_HEADER_BYTES));
        Ok(Self { config: Arc::new(config), clients, sessions })
    }

    /// Makes every client shake hands in full once, and so show its certificate if it is asked for one.
    ///
    /// # Errors
    /// There is no randomness for new keys; the sessions stay.
    pub fn forget_sessions(&self) -> Result<(), NetError> {
        Ok(self.sessions.forget()?)
    }

    /// What a finished handshake agreed on.
    pub(super) fn facts(&self, connection: &ServerConnection) -> TlsFacts {
        let suite = connection.negotiated_cipher_suite();
        let shown = self.clients.as_ref().zip(connection.peer_certificates());
        TlsFacts {
            version: connection.protocol_version().and_then(known_version).unwrap_or_default(),
            suite: suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default(),
            sni: connection.server_name().map(str::to_owned),
            client_cert: shown.map(|(clients, chain)| clients.judge(chain)),
        }
    }
}

/// A protocol version as people write it.
pub(super) fn version(version: ProtocolVersion) -> String {
    known_version(version).map_or_else(|| format!("{version:?}"), str::to_owned)
}

const fn known_version(version: ProtocolVersion) -> Option<&'static str> {
    Some(match version {
        ProtocolVersion::SSLv2 => "SSL 2.0",
        ProtocolVersion::SSLv3 => "SSL 3.0",
        ProtocolVersion::TLSv1_0 => "TLS 1.0",
        ProtocolVersion::TLSv1_1 => "TLS 1.1",
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => return None, // rustls's list may grow
    })
}

const RECORD_HEADER_BYTES: usize = 5;
