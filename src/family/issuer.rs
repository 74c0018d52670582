//! The seam to the certificate authority: families know no files and no cryptography of certificates.

use serde::{Deserialize, Serialize};

use crate::http::BoxFuture;
use crate::model::Timestamp;

/// Makes client certificates for devices.
pub trait Issuer: Send + Sync + 'static {
    /// Makes a certificate. Takes a while when a key is made: up to some hundred milliseconds of one core.
    fn issue(&self, wish: Wish) -> BoxFuture<'_, Result<Issued, IssueError>>;

    /// The root that signs, as PEM: what was issued under another one is not handed out again.
    fn root(&self) -> BoxFuture<'_, Result<String, IssueError>>;

    /// SHA-256 of the public key in a request (PKCS #10, DER); `None` when it is none.
    fn public_key(&self, request: &[u8]) -> Option<[u8; 32]>;
}

/// What a certificate is wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The device's address, which becomes the certificate's common name.
    pub address: String,
    /// Where its key comes from.
    pub key: WishedKey,
}

/// Where the key of a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishedKey {
    /// It is made here.
    Make(KeyKind),
    /// The device keeps it and sent a request (PKCS #10, DER). Of several readings of one text the first whose
    /// signature holds is meant.
    Sign(Vec<Vec<u8>>),
}

/// Kind of a private key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// RSA-2048: what the vendor's example uses (`cwm-oke.md §2`).
    #[default]
    Rsa,
    /// ECDSA P-256: made in no time.
    Ecdsa,
}

/// A certificate that was made. Each PEM text is below 4096 bytes (`cwm-oke.md §2`).
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The certificate.
    pub cert_pem: String,
    /// The private key; `None` when the device keeps it.
    pub key_pem: Option<String>,
    /// The root that signed it.
    pub root_pem: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// SHA-256 of the public key as the certificate has it (SubjectPublicKeyInfo, DER).
    pub public_key: [u8; 32],
    /// The end of its life.
    pub not_after: Timestamp,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The request is at fault; the device may hear why.
    #[error("the certificate request cannot be signed: {0}")]
    Request(String),
    /// Too many are waiting for theirs; try again.
    #[error("too many certificates are being made")]
    Busy,
    /// Ours: files, disk, library.
    #[error("no certificate could be made: {0}")]
    Failed(String),
}

/// For a dialect that is given no authority: whoever asks hears that there is none.
#[derive(Clone, Copy, Debug)]
pub struct NoIssuer;

impl Issuer for NoIssuer {
    fn issue(&self, _: Wish) -> BoxFuture<'_, Result<Issued, IssueError>> {
        Box::pin(async { Err(none()) })
    }

    fn root(&self) -> BoxFuture<'_, Result<String, IssueError>> {
        Box::pin(async { Err(none()) })
    }

    fn public_key(&self, _: &[u8]) -> Option<[u8; 32]> {
        None
    }
}

fn none() -> IssueError {
    IssueError::Failed("this server has no certificate authority".to_owned())
}
