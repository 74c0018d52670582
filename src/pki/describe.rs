//! What `certs show` tells about a certificate.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{DAY_S, PkiError, load, make};

/// One certificate in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The file it stands in.
    pub file: PathBuf,
    /// Subject, as a distinguished name.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// DNS names and addresses it is good for, each once, sorted.
    pub names: Vec<String>,
    /// Addresses that stand as addresses, not as names only.
    pub addresses: Vec<String>,
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// `RSA-2048`, `ECDSA P-256` or what else it is.
    pub key_type: String,
    /// Start of its life, seconds since 1970.
    pub not_before_s: i64,
    /// End of its life, seconds since 1970.
    pub not_after_s: i64,
    /// End of its life in words.
    pub not_after: String,
    /// Whole days left; negative when it is over.
    pub days_left: i64,
    /// Whether it may sign others.
    pub authority: bool,
}

/// Describes the first certificate of each PEM file of ours that exists in the folder.
pub fn describe(dir: &Path, now_s: i64) -> Result<Vec<Description>, PkiError> {
    ["root.pem", "rsa.pem", "ecdsa.pem"]
        .iter()
        .map(|name| dir.join(name))
        .filter(|file| file.exists())
        .map(|file| describe_file(&file, now_s))
        .collect()
}

/// Describes the first certificate of a PEM file.
pub fn describe_file(file: &Path, now_s: i64) -> Result<Description, PkiError> {
    let chain = load::chain(file)?;
    let der = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let (_, cert) =
        X509Certificate::from_der(der).map_err(|cause| load::unparsable(file, "certificate", &cause))?;
    let (mut names, addresses) = alternative_names(&cert);
    names.extend(addresses.iter().cloned());
    names.sort();
    names.dedup();
    let not_after_s = cert.validity().not_after.timestamp();
    Ok(Description {
        file: file.to_owned(),
        subject: cert.subject().to_string(),
        issuer: cert.issuer().to_string(),
        names,
        addresses,
        fingerprint: fingerprint(der),
        key_type: key_type(&cert),
        not_before_s: cert.validity().not_before.timestamp(),
        not_after_s,
        not_after: cert.validity().not_after.to_string(),
        days_left: (not_after_s - now_s).div_euclid(DAY_S),
        authority: cert.is_ca(),
    })
}

fn alternative_names(cert: &X509Certificate<'_>) -> (Vec<String>, Vec<String>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    if let Ok(Some(extension)) = cert.subject_alternative_name() {
        for name in &extension.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
                _ => {} // a kind that we never make and that names no server
            }
        }
    }
    addresses.sort();
    (names, addresses)
}

fn address(octets: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(octets).ok().map(|six| std::net::Ipv6Addr::from(six).to_string())
}

fn key_type(cert: &X509Certificate<'_>) -> String {
    match cert.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA-{}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("ECDSA P-{}", point.key_size()),
        _ => cert.public_key().algorithm.algorithm.to_id_string(),
    }
}

/// SHA-256 as `AB:CD:…`.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// What is kept of a client certificate beside its text.
pub(super) struct ClientFacts {
    pub(super) fingerprint: [u8; 32],
    pub(super) public_key: [u8; 32],
    pub(super) not_after_s: i64,
}

/// Reads a client certificate (DER) that was just made.
pub(super) fn client_facts(der: &[u8]) -> Result<ClientFacts, PkiError> {
    let (_, cert) = X509Certificate::from_der(der).map_err(|cause| make::failed("a device", &cause))?;
    Ok(ClientFacts {
        fingerprint: Sha256::digest(der).into(),
        public_key: Sha256::digest(cert.public_key().raw).into(),
        not_after_s: cert.validity().not_after.timestamp(),
    })
}

/// Whether the first certificate of a file is for this public key.
pub(super) fn has_key(file: &Path, key: &[u8]) -> Result<bool, PkiError> {
    let chain = load::chain(file)?;
    let der = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let (_, cert) =
        X509Certificate::from_der(der).map_err(|cause| load::unparsable(file, "certificate", &cause))?;
    Ok(&*cert.public_key().subject_public_key.data == key)
}
