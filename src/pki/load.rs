//! Certificates and keys from PEM files into what rustls serves.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{PkiError, describe, files};

/// Reads a chain and its key, and checks that they belong together and that the first is not over.
pub(super) fn pair(cert: &Path, key: &Path, now_s: i64) -> Result<Arc<CertifiedKey>, PkiError> {
    let chain = chain(cert)?;
    let secret = PrivateKeyDer::from_pem_slice(&files::read(key)?)
        .map_err(|cause| unparsable(key, "private key", &cause))?;
    let pair =
        CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider()).map_err(
            |cause| match cause {
                rustls::Error::InconsistentKeys(_) => {
                    PkiError::Mismatch { cert: cert.to_owned(), key: key.to_owned() }
                }
                rustls::Error::InvalidCertificate(cause) => {
                    unparsable(cert, "certificate", &format!("{cause:?}"))
                }
                other => unparsable(key, "private key of a kind that can serve TLS", &other),
            },
        )?;
    let facts = describe::describe_file(cert, now_s)?;
    if facts.not_after_s <= now_s {
        return Err(PkiError::Expired { file: cert.to_owned(), when: facts.not_after });
    }
    Ok(Arc::new(pair))
}

/// Reads all certificates of a file; at least one.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let bytes = files::read(file)?;
    let chain = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| unparsable(file, "certificate", &cause))?;
    if chain.is_empty() {
        return Err(unparsable(file, "certificate", &"there is no BEGIN CERTIFICATE line"));
    }
    Ok(chain)
}

pub(super) fn unparsable(file: &Path, what: &'static str, cause: &dyn std::fmt::Display) -> PkiError {
    PkiError::Unparsable { file: file.to_owned(), what, cause: cause.to_string() }
}
