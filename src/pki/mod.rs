//! The certificate authority, the server's leaves and the resolver that picks one per handshake.
//!
//! A root (RSA-2048) signs two leaves directly, one RSA-2048 and one ECDSA P-256, because a module takes one
//! certificate per item and no chain (`cwm-oke.md §2`). All live as PEM files in one folder and stay the same
//! across restarts. Opens no socket and knows no other room.

mod authority;
mod clients;
mod describe;
mod error;
mod files;
mod load;
mod make;
mod request;
mod resolver;
#[cfg(test)]
mod tests;

pub use authority::{ClientBundle, ClientKey, Material, ensure, export_root, issue_client, renew};
pub use clients::{ClientTrust, Judged};
pub use describe::{Description, describe, describe_file};
pub use error::PkiError;
pub use files::replace;
pub use request::{apply, request_key};
pub use resolver::{Resolver, Source};

/// A certificate that has fewer days left is made anew.
pub const RENEW_BEFORE_DAYS: i64 = 30;
/// How long a leaf lasts: the longest that every client accepts.
pub const LEAF_LIFE_DAYS: i64 = 397;
/// How long the root and a device's client certificate last at most.
pub const ROOT_LIFE_DAYS: i64 = 20 * 365;
/// How long a device's client certificate lasts: nothing is known of its renewal (`cwm-oke.md §3.1`).
pub const CLIENT_LIFE_DAYS: i64 = 10 * 365;
/// A module takes only items smaller than this (`cwm-oke.md §2`).
pub const PEM_MAX_BYTES: usize = 4096;

const DAY_S: i64 = 86_400;
