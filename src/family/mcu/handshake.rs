//! The opening handshake, checked and answered (`websocket-mcu.md §2, §10, §11`). Pure.
//!
//! The firmware finds its accept value among the first 200 bytes of the answer or does not connect, so the answer has the
//! three headers of RFC 6455 and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode, Version};
use sha1::{Digest as _, Sha1};

use crate::http::{Reply, Talk};

/// Why a request gets no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It does not ask for a WebSocket.
    #[error("this is the door of microcontrollers: connect by WebSocket (RFC 6455, HTTP/1.1)")]
    NoUpgrade,
    /// It asks for a version that is not spoken.
    #[error("this server speaks version 13 of the WebSocket protocol")]
    Version,
    /// It has no `Sec-WebSocket-Key`.
    #[error("the header Sec-WebSocket-Key is missing")]
    NoKey,
    /// A page of somebody else's opened it (§11).
    #[error("pages of this origin may not open connections (`mcu.origins`)")]
    Origin,
    /// It comes from a network that is not let in.
    #[error("this network is not let in (`mcu.networks`)")]
    Network,
    /// The path has no key, or another one.
    #[error("the key is missing or wrong: connect to /ws/KEY (`mcu.key`)")]
    Key,
}

/// Checks that a request opens a WebSocket; gives the value of `Sec-WebSocket-Accept`.
pub(super) fn accept(headers: &HeaderMap, version: Version) -> Result<HeaderValue, Refusal> {
    let upgrades =
        lists(headers, &header::UPGRADE, "websocket") && lists(headers, &header::CONNECTION, "upgrade");
    if !upgrades || version != Version::HTTP_11 {
        return Err(Refusal::NoUpgrade);
    }
    // The frames of 7, 8 and 13 are the same (§10).
    match headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) {
        None | Some(b"13" | b"8" | b"7") => {}
        Some(_) => return Err(Refusal::Version),
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Refusal::NoKey)?;
    let mut sum = Sha1::new();
    sum.update(key.as_bytes());
    sum.update(RFC_6455_GUID);
    // Base64 is always a header's text.
    HeaderValue::from_str(&STANDARD.encode(sum.finalize())).map_err(|_| Refusal::NoKey)
}

/// Whether a page may connect (§11): one without an origin, of a file, of this host itself, or on the list. A browser
/// says where it comes from by `Sec-Fetch-Site`; one that does is believed less.
pub(super) fn origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().map_err(|_| Refusal::Origin)?.trim();
    let listed = allowed.iter().any(|known| known.eq_ignore_ascii_case(origin));
    let browser = headers.contains_key("sec-fetch-site");
    let nobody = !browser && (origin == "null" || origin.starts_with("file://"));
    if listed || nobody || ours(origin, headers) { Ok(()) } else { Err(Refusal::Origin) }
}

/// Whether the origin is the host that was called. A public name is not believed: a stranger's name may be made to lead
/// here, and `mcu.origins` lists ours.
fn ours(origin: &str, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Some((_, place)) = origin.split_once("://") else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let literal = name.parse::<std::net::IpAddr>().is_ok() || name.starts_with('[');
    let local =
        [".local", ".lan", ".home.arpa"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
    place.eq_ignore_ascii_case(host) && (literal || local || !name.contains('.'))
}

/// The answer that begins a talk: 166 bytes with hyper's `Date`, the accept value within the first 130 (§2).
pub(super) fn switching(accept: HeaderValue, talk: Talk) -> Reply {
    Reply::switching(talk)
        .with(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .with(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with(header::SEC_WEBSOCKET_ACCEPT, accept)
}

/// What is said to whom gets no connection.
pub(super) fn refused(refusal: Refusal) -> Reply {
    let status = match refusal {
        Refusal::NoUpgrade | Refusal::Version => StatusCode::UPGRADE_REQUIRED,
        Refusal::NoKey => StatusCode::BAD_REQUEST,
        Refusal::Origin | Refusal::Network | Refusal::Key => StatusCode::FORBIDDEN,
    };
    let reply = Reply::text(status, &format!("{refusal}\n"));
    match refusal {
        Refusal::NoUpgrade => reply.with(header::UPGRADE, HeaderValue::from_static("websocket")),
        Refusal::Version => reply
            .with(header::UPGRADE, HeaderValue::from_static("websocket"))
            .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        Refusal::NoKey | Refusal::Origin | Refusal::Network | Refusal::Key => reply,
    }
    .closing()
}

/// Whether a word stands in a header's list, in any letter case.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// RFC 6455 §1.3.
const RFC_6455_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    const FIRMWARE: [(&str, &str); 4] = [
        ("upgrade", "WebSocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "L159VM0TWUzyDxwJEIEzjw=="),
        ("sec-websocket-version", "13"),
    ];

    #[test]
    fn the_firmware_s_constant_key_has_the_accept_value_it_waits_for() {
        let accepted = accept(&headers(&FIRMWARE), Version::HTTP_11).unwrap();
        assert_eq!(accepted, "DdLWT/1JcX+nQFHebYP+rqEx5xI=");
    }

    #[test]
    fn lists_and_old_versions_are_taken_and_others_are_not() {
        let with = |name: &'static str, value: Option<&'static str>| {
            let mut headers = headers(&FIRMWARE);
            match value {
                Some(value) => headers.insert(name, HeaderValue::from_static(value)),
                None => headers.remove(name),
            };
            accept(&headers, Version::HTTP_11).map(drop)
        };
        assert_eq!(with("connection", Some("keep-alive, Upgrade")), Ok(()));
        assert_eq!(with("sec-websocket-version", Some("8")), Ok(()));
        assert_eq!(with("sec-websocket-version", None), Ok(()));
        assert_eq!(with("sec-websocket-key", Some("short")), Ok(()));
        assert_eq!(with("sec-websocket-version", Some("25")), Err(Refusal::Version));
        assert_eq!(with("sec-websocket-key", None), Err(Refusal::NoKey));
        assert_eq!(with("upgrade", Some("h2c")), Err(Refusal::NoUpgrade));
        assert_eq!(with("connection", Some("close")), Err(Refusal::NoUpgrade));
        assert_eq!(accept(&headers(&FIRMWARE), Version::HTTP_10).map(drop), Err(Refusal::NoUpgrade));
    }

    #[test]
    fn origins_of_libraries_pass_and_those_of_strangers_do_not() {
        let allowed = ["https://github.com/gilmaimon/ArduinoWebsockets".to_owned()];
        let case = |host: &'static str, origin_is: Option<&'static str>, browser: bool| {
            let mut list = vec![("host", host)];
            list.extend(origin_is.map(|origin| ("origin", origin)));
            list.extend(browser.then_some(("sec-fetch-site", "cross-site")));
            origin(&headers(&list), &allowed).is_ok()
        };
        let host = "192.168.1.99:4444";
        assert!(case(host, None, false));
        assert!(case(host, Some("file://"), false));
        assert!(case(host, Some("null"), false));
        assert!(case(host, Some("https://github.com/gilmaimon/ArduinoWebsockets"), false));
        assert!(case(host, Some("http://192.168.1.99:4444"), false));
        assert!(case("homeport.local:4444", Some("http://homeport.local:4444"), true));
        assert!(case("[fe80::1]:4444", Some("http://[fe80::1]:4444"), false));
        assert!(!case(host, Some("http://192.168.1.99"), false));
        assert!(!case(host, Some("https://evil.example"), false));
        assert!(!case(host, Some("https://evil.example"), true));
        assert!(!case(host, Some("null"), true));
        // A stranger's name that leads to this machine.
        assert!(!case("evil.example:4444", Some("http://evil.example:4444"), false));
    }
}
