//! TLS on both ends: the yardsticks' settings, which are homeport's own, and clients that choose what they want.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};

/// Which key the server is to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Key {
    Ecdsa,
    Rsa,
}

/// Which TLS a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// homeport's settings (`src/net/tls.rs`) over the certificates in its folder.
pub(crate) fn server(certs: &Path) -> Arc<ServerConfig> {
    let pair = |name: &str| {
        let chain = CertificateDer::pem_file_iter(certs.join(format!("{name}.pem"))).expect("a certificate");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_file(certs.join(format!("{name}.key"))).expect("a key");
        let key = aws_lc_rs::sign::any_supported_type(&key).expect("a key that signs");
        Arc::new(CertifiedKey::new(chain, key))
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS12, &TLS13])
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Pairs { ecdsa: pair("ecdsa"), rsa: pair("rsa") }));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().expect("a ticketer");
    config.session_storage = ServerSessionMemoryCache::new(8_192);
    config.send_tls13_tickets = 1;
    config.max_fragment_size = Some(4_096);
    Arc::new(config)
}

#[derive(Debug)]
struct Pairs {
    ecdsa: Arc<CertifiedKey>,
    rsa: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Pairs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let ecdsa = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        Some(Arc::clone(if ecdsa { &self.ecdsa } else { &self.rsa }))
    }
}

/// A client that believes any certificate: its side of the work is not what is measured.
pub(crate) fn client(version: Version, key: Key, resume: bool) -> Arc<ClientConfig> {
    let version = match version {
        Version::Tls12 => &TLS12,
        Version::Tls13 => &TLS13,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believing(key)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = if resume { Resumption::in_memory_sessions(8) } else { Resumption::disabled() };
    Arc::new(config)
}

#[derive(Debug)]
struct Believing(Key);

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self.0 {
            Key::Ecdsa => vec![SignatureScheme::ECDSA_NISTP256_SHA256],
            Key::Rsa => vec![SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256],
        }
    }
}
