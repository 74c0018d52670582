//! Which certificates of a server are taken without an authority that vouches for them: those known beforehand, byte for byte,
//! for a device that calls the server that made it; or any. The server has to hold the key in both cases.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};

/// What takes these certificates and no others.
pub fn pinned(certificates: Vec<CertificateDer<'static>>) -> Arc<dyn ServerCertVerifier> {
    trusting(Some(certificates))
}

/// What takes any certificate.
pub fn anyone() -> Arc<dyn ServerCertVerifier> {
    trusting(None)
}

fn trusting(known: Option<Vec<CertificateDer<'static>>>) -> Arc<dyn ServerCertVerifier> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    Arc::new(Trusting { known, algorithms })
}

#[derive(Debug)]
struct Trusting {
    /// `None` takes any.
    known: Option<Vec<CertificateDer<'static>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.known.as_ref().is_none_or(|known| known.contains(shown)) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_taken() {
        let (ours, other) = (CertificateDer::from(vec![1, 2]), CertificateDer::from(vec![1, 3]));
        let verifier = pinned(vec![ours.clone()]);
        let name = ServerName::try_from("localhost").unwrap();
        let at = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        assert!(verifier.verify_server_cert(&ours, &[], &name, &[], at).is_ok());
        assert!(verifier.verify_server_cert(&other, &[], &name, &[], at).is_err());
        assert!(anyone().verify_server_cert(&other, &[], &name, &[], at).is_ok());
    }
}
