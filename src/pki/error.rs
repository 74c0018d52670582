//! What can be wrong with certificates, each with the file, the cause and the fix.

use std::io;
use std::path::PathBuf;

/// Why there is no certificate to serve.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read ({cause}): check that it exists and that this user may read it", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file or folder cannot be written.
    #[error("{} cannot be written ({cause}): check owner, mode and free space of its folder", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold a {what} in PEM form ({cause}): replace the file", file.display())]
    Unparsable {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the parser says.
        cause: String,
    },
    /// Key and certificate do not belong together.
    #[error("the key {} does not belong to the certificate {}: give the key it was made with", key.display(), cert.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate's time is over.
    #[error("the certificate {} expired on {when}: replace it, then reload", file.display())]
    Expired {
        /// The certificate.
        file: PathBuf,
        /// End of its life.
        when: String,
    },
    /// A certificate too big for a module to take.
    #[error("{} would be {bytes} bytes of PEM, and modules take less than {}: use fewer or shorter host names", file.display(), super::PEM_MAX_BYTES)]
    TooLarge {
        /// The certificate.
        file: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// A host name or address that no certificate can carry.
    #[error(
        "{host:?} cannot stand in a certificate: give a DNS name of at most 253 letters, digits, hyphens and dots, or an IP address"
    )]
    Host {
        /// The name.
        host: String,
    },
    /// A device's certificate request cannot be signed.
    #[error("{cause}")]
    Request {
        /// Why.
        cause: String,
    },
    /// The cryptographic library refused.
    #[error("no certificate could be made for {what}: {cause}")]
    Make {
        /// For what.
        what: String,
        /// What the library says.
        cause: String,
    },
}
