//! Whose certificates are believed: the system's roots, those of a file, those that a webhook brings.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The certificates of a PEM text.
///
/// # Errors
/// A sentence, when there is none that could vouch for anything.
pub fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the certificates cannot be read: {error}"))?;
    let usable: Vec<_> = certificates
        .into_iter()
        .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
        .collect();
    if usable.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(usable) }
}

/// The system's roots and those of a file. Blocks.
pub(super) fn usual(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let system = SYSTEM_ROOTS.into_iter().find_map(|path| std::fs::read(path).ok());
    let mut roots = system.map(|pem| read(&pem)).transpose()?.unwrap_or_default();
    if let Some(file) = file {
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        roots.extend(read(&pem).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(roots)
}

/// TLS that checks chain and name.
pub(super) fn tls(roots: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Where systems keep their roots.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
