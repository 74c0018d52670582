//! Certificate requests (PKCS #10) of devices that make their own key.

use rcgen::{CertificateParams, CertificateSigningRequestParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

use super::PkiError;

/// The public key of the first reading whose signature holds.
pub(super) fn read(readings: &[Vec<u8>]) -> Result<rcgen::PublicKey, PkiError> {
    let mut fault = None;
    for der in readings {
        // Its length first: a signature of a short key is not even looked at.
        match strong_enough(der).and_then(|()| signed(der)) {
            Ok(key) => return Ok(key),
            // The right reading says more of what is wrong than a wrong one, which is no request at all.
            Err(cause) if fault.is_none() || request_key(der).is_some() => fault = Some(cause),
            Err(_) => {}
        }
    }
    Err(fault.unwrap_or_else(|| refused("there is none")))
}

fn signed(der: &[u8]) -> Result<rcgen::PublicKey, PkiError> {
    let request = CertificateSigningRequestParams::from_der(&der.into());
    request.map(|request| request.public_key).map_err(|cause| refused(&cause.to_string()))
}

/// SHA-256 of the public key in a request (SubjectPublicKeyInfo, DER); `None` when it is no request. The signature
/// is not checked.
pub fn request_key(der: &[u8]) -> Option<[u8; 32]> {
    let (_, request) = X509CertificationRequest::from_der(der).ok()?;
    Some(Sha256::digest(request.certification_request_info.subject_pki.raw).into())
}

/// A handshake with a shorter RSA key would fail for good.
fn strong_enough(der: &[u8]) -> Result<(), PkiError> {
    let (_, request) =
        X509CertificationRequest::from_der(der).map_err(|cause| refused(&cause.to_string()))?;
    match request.certification_request_info.subject_pki.parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < RSA_BITS_MIN => {
            Err(refused(&format!("its RSA key has {} bits, and {RSA_BITS_MIN} are needed", key.key_size())))
        }
        _ => Ok(()),
    }
}

/// A new ECDSA P-256 key and a request to certify it, both PEM: key, request.
///
/// # Errors
/// The key or the request cannot be made.
pub fn apply(common: &str) -> Result<(String, String), PkiError> {
    let failed = |cause: rcgen::Error| refused(&cause.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common);
    let request = params.serialize_request(&key).and_then(|request| request.pem()).map_err(failed)?;
    Ok((key.serialize_pem(), request))
}

fn refused(cause: &str) -> PkiError {
    PkiError::Request { cause: cause.to_owned() }
}

const RSA_BITS_MIN: usize = 2048;
