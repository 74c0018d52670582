//! Why a handshake failed, and what an operator can do about it. Pure.

use std::io;
use std::net::SocketAddr;

use rustls::{AlertDescription, Error, PeerIncompatible};

use super::hello::Offer;
use crate::http::ListenerKind;

/// A handshake that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFailure {
    /// Who tried.
    pub peer: SocketAddr,
    /// At which door.
    pub listener: ListenerKind,
    /// Why it failed.
    pub reason: Reason,
    /// The same in the words of whoever found out.
    pub detail: String,
    /// What the client offered, as far as it came.
    pub offer: Option<Offer>,
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It spoke HTTP without TLS.
    PlainHttp,
    /// Its first byte begins nothing that TLS knows.
    NotTls,
    /// It knows TLS 1.1 or older only.
    OldVersion,
    /// Its suites are all without forward secrecy (static RSA).
    StaticRsa,
    /// No suite in common for another cause: DHE or CBC only.
    NoSuite,
    /// No signature in common: SHA-1 only, or it names none.
    NoSignature,
    /// No group in common for the key exchange, or it names none.
    NoGroup,
    /// It wants another protocol than HTTP/1.1.
    NoProtocol,
    /// It does not trust our certificate.
    Distrust,
    /// It says that our certificate is over, by its clock.
    ClockOrExpiry,
    /// It refused us with another alert.
    Alert,
    /// It could not prove to hold the key of its certificate.
    BadProof,
    /// It hung up midway without a word.
    GaveUp,
    /// It took longer than `limits.handshake_time_ms`.
    TooSlow,
    /// What it sent cannot be read as TLS.
    Broken,
}

impl Reason {
    /// The word for it in records and on the wire of the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::OldVersion => "old_version",
            Self::StaticRsa => "static_rsa",
            Self::NoSuite => "no_suite",
            Self::NoSignature => "no_signature",
            Self::NoGroup => "no_group",
            Self::NoProtocol => "no_protocol",
            Self::Distrust => "distrust",
            Self::ClockOrExpiry => "clock_or_expiry",
            Self::Alert => "alert",
            Self::BadProof => "bad_proof",
            Self::GaveUp => "gave_up",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::PlainHttp => {
                "It speaks plain HTTP on the TLS port: make it use https://, or send it to the port of listen.http."
            }
            Self::NotTls => {
                "Whatever calls here speaks no TLS: look which program or scanner has this address."
            }
            Self::OldVersion => {
                "It knows no TLS above 1.1, which is not served: update its firmware, or put a TLS tunnel that still speaks it (such as an old stunnel) between it and this server."
            }
            Self::StaticRsa => {
                "All its suites are static RSA, which is not served: switch ECDHE suites on in its firmware, or put a TLS tunnel between it and this server."
            }
            Self::NoSuite => {
                "It offers no ECDHE suite with AES-GCM or ChaCha20 (it may have CBC or DHE only): switch one on in its firmware, or put a TLS tunnel between it and this server."
            }
            Self::NoSignature => {
                "It accepts no signature with SHA-256 or better that fits our keys: switch SHA-256 signatures on in its firmware, or put a TLS tunnel between it and this server."
            }
            Self::NoGroup => {
                "It names no key-exchange group of ours (X25519, P-256, P-384): switch P-256 on in its firmware, or put a TLS tunnel between it and this server."
            }
            Self::NoProtocol => {
                "It asks for another protocol than HTTP/1.1 (ALPN): make it ask for http/1.1 or for none."
            }
            Self::Distrust => {
                "It does not trust our certificate: install our root in it (`homeport certs export-root`), and see that the name it calls is in `hosts` (`homeport endpoint check NAME`)."
            }
            Self::ClockOrExpiry => {
                "It takes our certificate for expired: set its clock, then compare with `homeport certs show`."
            }
            Self::Alert => "It refused the connection itself: its own log says more.",
            Self::BadProof => {
                "The certificate it shows is not backed by its key: give it certificate and key that belong together (`homeport certs issue-client ID`)."
            }
            Self::GaveUp => {
                "It hung up midway. Mostly it does not trust our certificate: install our root in it (`homeport certs export-root`) and check the name it calls (`homeport endpoint check NAME`)."
            }
            Self::TooSlow => {
                "It began and did not finish: look at its network (packet loss, MTU), or raise limits.handshake_time_ms."
            }
            Self::Broken => {
                "What it sends is damaged or no TLS: look for a proxy or a firewall in between that changes the traffic."
            }
        }
    }
}

/// The reason of an error of a handshake.
pub(super) fn reason(error: &io::Error, offer: Option<&Offer>) -> Reason {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        None => Reason::GaveUp,
        Some(Error::AlertReceived(alert)) => of_alert(*alert),
        Some(Error::InvalidCertificate(_)) => Reason::BadProof,
        Some(_) if offer.is_some_and(is_old) => Reason::OldVersion,
        Some(Error::NoApplicationProtocol) => Reason::NoProtocol,
        Some(Error::PeerIncompatible(cause)) => of_cause(cause, offer),
        Some(_) => Reason::Broken,
    }
}

fn of_alert(alert: AlertDescription) -> Reason {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => Reason::Distrust,
        AlertDescription::CertificateExpired => Reason::ClockOrExpiry,
        AlertDescription::CloseNotify | AlertDescription::UserCanceled => Reason::GaveUp,
        _ => Reason::Alert, // rustls's list may grow
    }
}

fn of_cause(cause: &PeerIncompatible, offer: Option<&Offer>) -> Reason {
    match cause {
        PeerIncompatible::NoCipherSuitesInCommon if offer.is_some_and(is_static_rsa) => Reason::StaticRsa,
        PeerIncompatible::NoCipherSuitesInCommon => Reason::NoSuite,
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
            // A client with static RSA alone often leaves these out; its suites are the deeper cause.
            if offer.is_some_and(is_static_rsa) { Reason::StaticRsa } else { Reason::NoSignature }
        }
        PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NamedGroupsExtensionRequired
        | PeerIncompatible::NoEcPointFormatsInCommon
        | PeerIncompatible::UncompressedEcPointsRequired
        | PeerIncompatible::EcPointsExtensionRequired => {
            if offer.is_some_and(is_static_rsa) {
                Reason::StaticRsa
            } else {
                Reason::NoGroup
            }
        }
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => Reason::OldVersion,
        _ => Reason::Broken, // rustls's list may grow
    }
}

fn is_old(offer: &Offer) -> bool {
    !offer.versions.iter().any(|version| matches!(version.as_str(), "TLS 1.2" | "TLS 1.3"))
}

fn is_static_rsa(offer: &Offer) -> bool {
    let mut real = offer.suites.iter().filter(|suite| !suite.ends_with("_SCSV")).peekable();
    real.peek().is_some() && real.all(|suite| suite.starts_with("TLS_RSA_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(versions: &[&str], suites: &[&str]) -> Offer {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Offer { versions: list(versions), suites: list(suites), ..Offer::default() }
    }

    fn because(error: Error, offer: &Offer) -> Reason {
        reason(&io::Error::other(error), Some(offer))
    }

    #[test]
    fn the_offer_tells_what_the_error_leaves_open() {
        let common = Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon);
        let unsigned = Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired);
        let old = offer(&["TLS 1.0"], &["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]);
        assert_eq!(because(unsigned.clone(), &old), Reason::OldVersion);
        let rsa =
            offer(&["TLS 1.2"], &["TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"]);
        assert_eq!(because(common.clone(), &rsa), Reason::StaticRsa);
        assert_eq!(because(unsigned.clone(), &rsa), Reason::StaticRsa);
        let cbc = offer(&["TLS 1.2"], &["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]);
        assert_eq!(because(common, &cbc), Reason::NoSuite);
        assert_eq!(because(unsigned, &cbc), Reason::NoSignature);
        assert_eq!(because(Error::NoApplicationProtocol, &cbc), Reason::NoProtocol);
    }

    #[test]
    fn what_a_client_says_of_us_is_heard() {
        let any = Offer::default();
        assert_eq!(because(Error::AlertReceived(AlertDescription::UnknownCA), &any), Reason::Distrust);
        let over = Error::AlertReceived(AlertDescription::CertificateExpired);
        assert_eq!(because(over, &any), Reason::ClockOrExpiry);
        assert_eq!(reason(&io::ErrorKind::UnexpectedEof.into(), Some(&any)), Reason::GaveUp);
        assert_eq!(reason(&io::ErrorKind::ConnectionReset.into(), None), Reason::GaveUp);
    }
}
