//! What TLS we speak, and what is said of a handshake that failed.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection};

use super::NetError;
use crate::http::TlsFacts;

/// TLS 1.2 and 1.3, HTTP/1.1 only (`cwm-oke.md §2`), resumption by ticket and by session id.
pub fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, NetError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS12, &TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX_COUNT);
    config.send_tls13_tickets = 1;
    // Old Mbed TLS cannot put a handshake message together again that was cut below its certificate's size.
    config.max_fragment_size = Some(FRAGMENT_MAX_BYTES);
    Ok(Arc::new(config))
}

/// What a finished handshake agreed on.
pub(super) fn facts(connection: &ServerConnection) -> TlsFacts {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = connection.negotiated_cipher_suite();
    TlsFacts {
        version,
        suite: suite.map(|suite| format!("{:?}", suite.suite())).unwrap_or_default(),
        sni: connection.server_name().map(str::to_owned),
        client_cert: connection.peer_certificates().and_then(|chain| chain.first()).map(|cert| cert.to_vec()),
    }
}

/// What a client offered, for the log line of a handshake that fails.
pub(super) fn offer(hello: &ClientHello<'_>) -> String {
    format!(
        "suites {:?}, signatures {:?}, groups {:?}, name {:?}",
        hello.cipher_suites(),
        hello.signature_schemes(),
        hello.named_groups().unwrap_or_default(),
        hello.server_name()
    )
}

const SESSIONS_MAX_COUNT: usize = 8_192;
const FRAGMENT_MAX_BYTES: usize = 4_096;
