//! The certificate folder: a root, two leaves, and when to make them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{Issuer, KeyPair};
use rustls::sign::CertifiedKey;

use super::make::{self, Kind};
use super::{PEM_MAX_BYTES, PkiError, RENEW_BEFORE_DAYS, describe, files, load, request};

/// The pairs a server may show.
#[derive(Clone, Debug)]
pub struct Material {
    /// For clients that cannot verify ECDSA; always there.
    pub rsa: Arc<CertifiedKey>,
    /// For clients that can.
    pub ecdsa: Option<Arc<CertifiedKey>>,
}

/// What a device is given to prove who it is.
#[derive(Clone)]
pub struct ClientBundle {
    /// Its certificate.
    pub cert_pem: String,
    /// Its private key; empty when the device keeps it.
    pub key_pem: String,
    /// The root both ends trust.
    pub root_pem: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// SHA-256 of its public key (SubjectPublicKeyInfo, DER).
    pub public_key: [u8; 32],
    /// The end of its life, seconds since 1970.
    pub not_after_s: i64,
}

/// Where the key of a client certificate comes from.
#[derive(Clone, Copy, Debug)]
pub enum ClientKey<'a> {
    /// An RSA-2048 key is made.
    Rsa,
    /// An ECDSA key on P-256 is made.
    Ecdsa,
    /// The device keeps it and sent a request: readings of one text (PKCS #10, DER), of which the first counts
    /// whose signature holds.
    Request(&'a [Vec<u8>]),
}

/// Makes what is missing, renews what is nearly over or names other hosts, and loads the rest as it is.
pub fn ensure(dir: &Path, hosts: &[String], now_s: i64) -> Result<Material, PkiError> {
    make::names(hosts)?;
    files::folder(dir)?;
    ensure_root(dir, now_s)?;
    Ok(Material {
        rsa: ensure_leaf(dir, Kind::Rsa, hosts, now_s)?,
        ecdsa: Some(ensure_leaf(dir, Kind::Ecdsa, hosts, now_s)?),
    })
}

/// Makes both leaves anew, with new keys. The root stays, so devices that trust it need nothing.
pub fn renew(dir: &Path, hosts: &[String], now_s: i64) -> Result<Material, PkiError> {
    make::names(hosts)?;
    files::folder(dir)?;
    ensure_root(dir, now_s)?;
    make_leaf(dir, Kind::Rsa, hosts, now_s)?;
    make_leaf(dir, Kind::Ecdsa, hosts, now_s)?;
    ensure(dir, hosts, now_s)
}

/// The root as PEM, for installing in devices and browsers.
pub fn export_root(dir: &Path) -> Result<String, PkiError> {
    text(&dir.join("root.pem"))
}

/// Makes a client certificate for a device. Its id becomes the common name: 1 to 64 characters, none of them a
/// control character. Of a request nothing but its key is taken over.
pub fn issue_client(dir: &Path, id: &str, key: ClientKey<'_>, now_s: i64) -> Result<ClientBundle, PkiError> {
    if id.is_empty() || id.chars().count() > 64 || id.chars().any(char::is_control) {
        return Err(make::failed(id, &"a device id has 1 to 64 characters and no control characters"));
    }
    files::folder(dir)?;
    ensure_root(dir, now_s)?;
    let issuer = issuer(dir)?;
    let (cert, key_pem) = match key {
        ClientKey::Request(readings) => {
            (make::client(&request::read(readings)?, id, &issuer, now_s)?, String::new())
        }
        ClientKey::Rsa | ClientKey::Ecdsa => {
            let kind = if matches!(key, ClientKey::Rsa) { Kind::Rsa } else { Kind::Ecdsa };
            let pair = make::key(kind)?;
            (make::client(&pair, id, &issuer, now_s)?, pair.serialize_pem())
        }
    };
    let facts = describe::client_facts(cert.der())?;
    Ok(ClientBundle {
        cert_pem: fitting(Path::new(id), cert.pem())?,
        key_pem: fitting(Path::new(id), key_pem)?,
        root_pem: fitting(&dir.join("root.pem"), export_root(dir)?)?,
        fingerprint: facts.fingerprint,
        public_key: facts.public_key,
        not_after_s: facts.not_after_s,
    })
}

/// Certificate and key file of a leaf.
pub(super) fn leaf_files(dir: &Path, kind: Kind) -> (PathBuf, PathBuf) {
    match kind {
        Kind::Rsa => (dir.join("rsa.pem"), dir.join("rsa.key")),
        Kind::Ecdsa => (dir.join("ecdsa.pem"), dir.join("ecdsa.key")),
    }
}

fn ensure_root(dir: &Path, now_s: i64) -> Result<(), PkiError> {
    let (cert, key) = (dir.join("root.pem"), dir.join("root.key"));
    if cert.exists() {
        let facts = describe::describe_file(&cert, now_s)?;
        if facts.not_after_s <= now_s {
            return Err(PkiError::Expired { file: cert, when: facts.not_after });
        }
        return Ok(()); // its key is read only when something is to be signed, and may be kept elsewhere until then
    }
    // The key is written first: a stop in between leaves a key without certificate, which is taken up here.
    let pair = if files::read_if_there(&key)?.is_some() {
        read_key(&key)?
    } else {
        let fresh = make::key(Kind::Rsa)?;
        files::write(&key, fresh.serialize_pem().as_bytes(), files::KEY_MODE)?;
        fresh
    };
    let pem = fitting(&cert, make::root(&pair, now_s)?)?;
    files::write(&cert, pem.as_bytes(), files::CERT_MODE)
}

fn ensure_leaf(dir: &Path, kind: Kind, hosts: &[String], now_s: i64) -> Result<Arc<CertifiedKey>, PkiError> {
    let (cert, key) = leaf_files(dir, kind);
    if let Some(cause) = stale(dir, &cert, &key, hosts, now_s)? {
        tracing::info!(file = %cert.display(), "making a server certificate: {cause}");
        make_leaf(dir, kind, hosts, now_s)?;
    }
    load::pair(&cert, &key, now_s)
}

/// Why a leaf has to be made anew; `None` when it is good. A file that is there but may not be read is an error.
fn stale(
    dir: &Path,
    cert: &Path,
    key: &Path,
    hosts: &[String],
    now_s: i64,
) -> Result<Option<String>, PkiError> {
    if files::read_if_there(cert)?.is_none() || files::read_if_there(key)?.is_none() {
        return Ok(Some("there is none".to_owned()));
    }
    match load::pair(cert, key, now_s) {
        Ok(_) => {}
        Err(error @ PkiError::Unreadable { .. }) => return Err(error),
        Err(other) => return Ok(Some(other.to_string())),
    }
    let facts = describe::describe_file(cert, now_s)?;
    if facts.days_left < RENEW_BEFORE_DAYS {
        return Ok(Some(format!("{} days are left", facts.days_left)));
    }
    let wanted: BTreeSet<String> = hosts.iter().map(|host| plain(host)).collect();
    if facts.names.into_iter().collect::<BTreeSet<_>>() != wanted {
        return Ok(Some("the host names changed".to_owned()));
    }
    if facts.issuer != describe::describe_file(&dir.join("root.pem"), now_s)?.subject {
        return Ok(Some("the root changed".to_owned()));
    }
    Ok(None)
}

/// A host as `describe` prints it: addresses in their one shortest form.
fn plain(host: &str) -> String {
    host.parse::<std::net::IpAddr>().map_or_else(|_| host.to_owned(), |address| address.to_string())
}

fn make_leaf(dir: &Path, kind: Kind, hosts: &[String], now_s: i64) -> Result<(), PkiError> {
    let (cert, key) = leaf_files(dir, kind);
    let issuer = issuer(dir)?;
    let pair = make::key(kind)?;
    let pem = fitting(&cert, make::leaf(&pair, hosts, &issuer, now_s)?)?;
    files::write(&key, pair.serialize_pem().as_bytes(), files::KEY_MODE)?;
    files::write(&cert, pem.as_bytes(), files::CERT_MODE)
}

fn issuer(dir: &Path) -> Result<Issuer<'static, KeyPair>, PkiError> {
    let (cert, key) = (dir.join("root.pem"), dir.join("root.key"));
    let pair = read_key(&key)?;
    if !describe::has_key(&cert, pair.public_key_raw())? {
        return Err(PkiError::Mismatch { cert, key });
    }
    let pem = text(&cert)?;
    Issuer::from_ca_cert_pem(&pem, pair).map_err(|cause| load::unparsable(&cert, "root certificate", &cause))
}

fn read_key(file: &Path) -> Result<KeyPair, PkiError> {
    KeyPair::from_pem(&text(file)?).map_err(|cause| load::unparsable(file, "private key", &cause))
}

fn text(file: &Path) -> Result<String, PkiError> {
    String::from_utf8(files::read(file)?).map_err(|cause| load::unparsable(file, "text", &cause))
}

fn fitting(file: &Path, pem: String) -> Result<String, PkiError> {
    if pem.len() < PEM_MAX_BYTES {
        Ok(pem)
    } else {
        Err(PkiError::TooLarge { file: file.to_owned(), bytes: pem.len() })
    }
}
