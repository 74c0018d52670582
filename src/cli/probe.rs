//! TLS to a server, as a device or a script does it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// Certificates signed by one in this PEM file.
    Root(&'a Path),
    /// Any certificate.
    Anyone,
}

/// Connects and shakes hands under `name`.
pub(super) async fn connect(
    target: &str,
    name: &str,
    trust: Trust<'_>,
) -> anyhow::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("no TLS version in common with ourselves")?;
    let config = match trust {
        Trust::Root(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone::new(&provider)))
            .with_no_client_auth(),
    };
    let name = ServerName::try_from(name.to_owned()).with_context(|| format!("`{name}` is no host name"))?;
    let socket = TcpStream::connect(target).await.with_context(|| format!("cannot reach {target}"))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .with_context(|| format!("no TLS with {target}"))
}

/// What checks a server's certificate.
pub(super) fn verifier(trust: Trust<'_>) -> anyhow::Result<Arc<dyn ServerCertVerifier>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(match trust {
        Trust::Root(path) => {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build()?
        }
        Trust::Anyone => Arc::new(Anyone::new(&provider)),
    })
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path)
        .with_context(|| format!("cannot read the root certificate {shown}"))?;
    for certificate in certificates {
        roots.add(certificate.with_context(|| format!("{shown} is no PEM file"))?)?;
    }
    if roots.is_empty() {
        bail!("{shown} holds no certificate");
    }
    Ok(roots)
}

/// Takes any certificate, but only from a peer that holds its key.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl Anyone {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Anyone {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
