//! Makes keys and certificates with rcgen. Touches no file.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData,
    RsaKeySize, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::{DAY_S, PkiError};

/// Kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    Ecdsa,
}

/// Makes a private key.
pub(super) fn key(kind: Kind) -> Result<KeyPair, PkiError> {
    match kind {
        Kind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        Kind::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
    }
    .map_err(|cause| failed("a key", &cause))
}

/// Makes the self-signed root of a key.
pub(super) fn root(key: &KeyPair, now_s: i64) -> Result<String, PkiError> {
    let mut serial = [0; 4];
    getrandom::fill(&mut serial).map_err(|cause| failed("the root", &cause))?;
    // A name of its own per installation, so that a device that holds two roots can tell them apart.
    let name = format!("homeport root {:08x}", u32::from_be_bytes(serial));
    let mut params = params(&name, now_s, super::ROOT_LIFE_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let cert = params.self_signed(key).map_err(|cause| failed("the root", &cause))?;
    Ok(cert.pem())
}

/// Makes a server certificate for these hosts.
pub(super) fn leaf(
    key: &KeyPair,
    hosts: &[String],
    issuer: &Issuer<'_, KeyPair>,
    now_s: i64,
) -> Result<String, PkiError> {
    let first = hosts.first().map_or("localhost", String::as_str);
    let common: String = first.chars().take(64).collect(); // the standard's upper bound for a common name
    let mut params = params(&common, now_s, super::LEAF_LIFE_DAYS)?;
    params.subject_alt_names = names(hosts)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let cert = params.signed_by(key, issuer).map_err(|cause| failed("the server", &cause))?;
    Ok(cert.pem())
}

/// Makes a client certificate whose common name is the device's id.
pub(super) fn client(
    key: &impl PublicKeyData,
    id: &str,
    issuer: &Issuer<'_, KeyPair>,
    now_s: i64,
) -> Result<Certificate, PkiError> {
    let mut params = params(id, now_s, super::CLIENT_LIFE_DAYS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.signed_by(key, issuer).map_err(|cause| failed(id, &cause))
}

/// The alternative names of a list of hosts. An IPv4 address stands both as address and as name, because Mbed TLS
/// 2.28 compares only names; an IPv6 address has colons, which no DNS name may have.
pub(super) fn names(hosts: &[String]) -> Result<Vec<SanType>, PkiError> {
    let mut names = Vec::new();
    for host in hosts {
        let address = host.parse::<IpAddr>();
        if let Ok(address) = address {
            names.push(SanType::IpAddress(address));
        }
        if !matches!(address, Ok(IpAddr::V6(_))) {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '*');
            if host.is_empty() || host.len() > 253 || !host.chars().all(fits) {
                return Err(PkiError::Host { host: host.clone() });
            }
            let name = host.as_str().try_into().map_err(|_| PkiError::Host { host: host.clone() })?;
            names.push(SanType::DnsName(name));
        }
    }
    Ok(names)
}

fn params(common: &str, now_s: i64, days: i64) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|cause| failed(common, &cause))?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7F) | 0x01; // positive and never shortened
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    // Devices wake up in 1970 or lag: a day back forgives the smaller errors.
    params.not_before = moment(now_s - DAY_S, common)?;
    params.not_after = moment(now_s + (days - 1) * DAY_S, common)?;
    Ok(params)
}

fn moment(seconds: i64, what: &str) -> Result<OffsetDateTime, PkiError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|cause| failed(what, &cause))
}

pub(super) fn failed(what: &str, cause: &dyn std::fmt::Display) -> PkiError {
    PkiError::Make { what: what.to_owned(), cause: cause.to_string() }
}
