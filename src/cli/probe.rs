//! TLS to a server, as a device or a script does it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::simulate::anyone;

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
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version in common with ourselves")?
        .dangerous()
        .with_custom_certificate_verifier(verifier(trust)?)
        .with_no_client_auth();
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
        Trust::Anyone => anyone(),
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
