//! Clients' certificates: asked for, never a reason to end a handshake, judged against our own root and others the
//! operator names.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{PkiError, describe, load};

/// What is thought of a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// Its subject; empty when it cannot be read.
    pub subject: String,
    /// The common name in the subject.
    pub name: Option<String>,
    /// End of its life, seconds since 1970; 0 when it cannot be read.
    pub not_after_s: i64,
    /// Why it is not to be believed; `None` when one of the roots vouches for it.
    pub fault: Option<String>,
}

/// Whom we believe as a client. All of it can change while connections go on.
#[derive(Debug)]
pub struct ClientTrust {
    provider: Arc<CryptoProvider>,
    files: Files,
    asks: AtomicBool,
    roots: ArcSwap<Roots>,
    revoked: ArcSwap<HashSet<String>>,
    hints: Vec<DistinguishedName>,
}

/// Where the roots stand.
#[derive(Clone, Debug)]
struct Files {
    own: PathBuf,
    others: Option<PathBuf>,
}

/// The roots of the moment, and the file times they were read at.
#[derive(Debug, Default)]
struct Roots {
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    stamps: Vec<Option<SystemTime>>,
}

impl ClientTrust {
    /// Trusts our own root, taken up when it appears if it is not made yet, and the certificates of another PEM file.
    ///
    /// # Errors
    /// A file cannot be read or holds no certificates.
    pub fn open(own: PathBuf, others: Option<PathBuf>, asks: bool) -> Result<Arc<Self>, PkiError> {
        let files = Files { own, others };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (roots, hints) = read(&files, &provider)?;
        Ok(Arc::new(Self {
            provider,
            files,
            asks: AtomicBool::new(asks),
            roots: ArcSwap::from_pointee(roots),
            revoked: ArcSwap::default(),
            hints,
        }))
    }

    /// Sets whether the next handshakes ask for a certificate; says whether those before did.
    pub fn ask(&self, asks: bool) -> bool {
        self.asks.swap(asks, Ordering::Relaxed)
    }

    /// Reads the roots again if a file changed. On an error the old ones stay.
    ///
    /// # Errors
    /// A file cannot be read or holds no certificates.
    pub fn refresh(&self) -> Result<(), PkiError> {
        if stamps(&self.files) != self.roots.load().stamps {
            self.roots.store(Arc::new(read(&self.files, &self.provider)?.0));
        }
        Ok(())
    }

    /// Replaces the list of certificates that count no more, by fingerprint as in [`Judged`].
    pub fn revoke(&self, fingerprints: HashSet<String>) {
        self.revoked.store(Arc::new(fingerprints));
    }

    /// Whether a certificate counts no more.
    pub fn is_revoked(&self, fingerprint: &str) -> bool {
        self.revoked.load().contains(fingerprint)
    }

    /// What is thought of the chain that a client showed, at a time in seconds since 1970.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now_s: i64) -> Judged {
        let Some((leaf, others)) = chain.split_first() else {
            return Judged {
                fingerprint: String::new(),
                subject: String::new(),
                name: None,
                not_after_s: 0,
                fault: Some("it is empty".to_owned()),
            };
        };
        let fingerprint = describe::fingerprint(leaf);
        let fault = self.fault(leaf, others, &fingerprint, now_s);
        let parsed = X509Certificate::from_der(leaf).ok().map(|(_, parsed)| parsed);
        Judged {
            fingerprint,
            subject: parsed.as_ref().map(|parsed| parsed.subject().to_string()).unwrap_or_default(),
            name: parsed.as_ref().and_then(|parsed| {
                let first = parsed.subject().iter_common_name().next()?;
                first.as_str().ok().map(str::to_owned)
            }),
            not_after_s: parsed.as_ref().map_or(0, |parsed| parsed.validity().not_after.timestamp()),
            fault,
        }
    }

    fn fault(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        fingerprint: &str,
        now_s: i64,
    ) -> Option<String> {
        if self.is_revoked(fingerprint) {
            return Some("it has been revoked".to_owned());
        }
        if !provable(leaf) {
            return Some("its kind or its key is not supported, so its holder proved nothing".to_owned());
        }
        let roots = self.roots.load();
        let Some(verifier) = &roots.verifier else {
            return Some("there is no root to check it against".to_owned());
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now_s.try_into().unwrap_or(0)));
        verifier.verify_client_cert(leaf, others, now).err().map(|error| in_words(&error))
    }
}

impl ClientCertVerifier for ClientTrust {
    fn offer_client_auth(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// The roots at the start: a browser then asks its user only when it holds a certificate of ours. Modules send
    /// theirs regardless.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// Any certificate will do here; [`ClientTrust::judge`] says what it is worth.
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    /// A certificate that allows no proof is let pass and judged so.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !provable(leaf) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !provable(leaf) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether the holder of a certificate can prove it: rustls reads it, and its key is of a kind and size that we
/// verify. Depends on the certificate alone, so that the handshake and the judgement agree.
fn provable(leaf: &CertificateDer<'_>) -> bool {
    if rustls::server::ParsedCertificate::try_from(leaf).is_err() {
        return false;
    }
    let Ok((_, parsed)) = X509Certificate::from_der(leaf) else { return false };
    let key = parsed.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => rsa.key_size() >= RSA_MIN_BITS,
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384 | 521 | 528),
        _ => key.algorithm.algorithm.to_id_string() == ED25519,
    }
}

fn in_words(error: &Error) -> String {
    let Error::InvalidCertificate(cause) = error else { return error.to_string() };
    match cause {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no root that this server trusts has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: compare the clocks".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for clients".to_owned()
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority, not of a client".to_owned()
        }
        other => format!("it does not stand up to a check: {other}"),
    }
}

fn read(files: &Files, provider: &Arc<CryptoProvider>) -> Result<(Roots, Vec<DistinguishedName>), PkiError> {
    let stamps = stamps(files);
    let mut store = RootCertStore::empty();
    for file in Some(&files.own).filter(|own| own.exists()).into_iter().chain(&files.others) {
        for root in load::chain(file)? {
            store.add(root).map_err(|cause| load::unparsable(file, "root certificate", &cause))?;
        }
    }
    let hints = store.subjects();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build();
    Ok((Roots { verifier: verifier.ok(), stamps }, hints)) // fails only without roots
}

fn stamps(files: &Files) -> Vec<Option<SystemTime>> {
    let stamp = |file: &PathBuf| std::fs::metadata(file).ok()?.modified().ok();
    [&files.own].into_iter().chain(&files.others).map(stamp).collect()
}

const RSA_MIN_BITS: usize = 2048;
const ED25519: &str = "1.3.101.112";
