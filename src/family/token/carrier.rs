//! Where in a request a token stands: one place after the other (`accounts-dashboard.md §3`). Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use secrecy::SecretString;

use crate::core::is_device_token;
use crate::http::query::{self, Plus};

/// The secret that a request carries, a device's or a person's; `None` when it carries none.
pub(super) fn secret(headers: &HeaderMap, query: Option<&str>) -> Option<SecretString> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, rest) = authorization.trim().split_once(char::is_whitespace).unwrap_or_default();
    let found = if scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.trim().to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        basic(rest.trim())
    } else {
        None
    };
    let own = || {
        headers.get("x-device-token").and_then(|value| value.to_str().ok()).map(|text| text.trim().to_owned())
    };
    let asked = || {
        let raw = query::raw(query?.as_bytes(), QUERY)?;
        String::from_utf8(query::decode(raw, Plus::Literal)).ok()
    };
    let found = found.filter(|text| !text.is_empty()).or_else(own).or_else(asked);
    found.filter(|text| !text.is_empty()).map(SecretString::from)
}

/// The token in HTTP Basic: as the name or as the password, whichever looks like one.
fn basic(encoded: &str) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = text.split_once(':').unwrap_or((&text, ""));
    let token = if is_device_token(name) || password.is_empty() { name } else { password };
    Some(token.to_owned())
}

/// Whether a query carries a token.
pub(super) fn is_in(query: &str) -> bool {
    query::raw(query.as_bytes(), QUERY).is_some()
}

/// A query without the token in it: what may be kept of it.
pub(super) fn without(query: &str) -> String {
    let kept =
        query.split('&').filter(|part| !part.is_empty() && query::raw(part.as_bytes(), QUERY).is_none());
    kept.collect::<Vec<_>>().join("&")
}

/// Its name in a query.
pub(super) const QUERY: &str = "token";

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use secrecy::ExposeSecret as _;

    use super::*;

    const TOKEN: &str = "dt_0123456789abcdefghijABCDEFGHIJ01";

    fn found(lines: &[(&str, String)], query: Option<&str>) -> Option<String> {
        let lines = lines.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        });
        secret(&lines.collect(), query).map(|secret| secret.expose_secret().to_owned())
    }

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_token_is_found_in_each_of_its_places() {
        for value in [
            format!("Bearer {TOKEN}"),
            format!("bEARER   {TOKEN} "),
            basic_of(&format!("{TOKEN}:")),
            basic_of(&format!("{TOKEN}:unused")),
            basic_of(TOKEN),
            basic_of(&format!("node-1:{TOKEN}")),
            basic_of(&format!(":{TOKEN}")).replace("Basic", "BASIC"),
        ] {
            assert_eq!(found(&[("authorization", value.clone())], None).as_deref(), Some(TOKEN), "{value}");
        }
        assert_eq!(found(&[("x-device-token", TOKEN.to_owned())], None).as_deref(), Some(TOKEN));
        assert_eq!(found(&[], Some(&format!("tmp=21&token={TOKEN}"))).as_deref(), Some(TOKEN));
    }

    #[test]
    fn the_first_place_counts() {
        let bearer = ("authorization", "Bearer first".to_owned());
        let own = ("x-device-token", "second".to_owned());
        assert_eq!(found(&[bearer, own.clone()], Some("token=third")).as_deref(), Some("first"));
        assert_eq!(found(&[own], Some("token=third")).as_deref(), Some("second"));
        assert_eq!(
            found(&[("authorization", "Digest x".to_owned())], Some("token=third")).as_deref(),
            Some("third")
        );
        for nothing in ["", "Bearer", "Bearer ", "Basic", "Basic !!!", "Basic"] {
            assert_eq!(
                found(&[("authorization", nothing.to_owned())], Some("a=1&token=")),
                None,
                "{nothing}"
            );
        }
    }

    #[test]
    fn what_is_kept_of_a_query_has_no_token_in_it() {
        assert_eq!(without("token=x&tmp=21"), "tmp=21");
        assert_eq!(without("tmp=21&t%6Fken=x&light=80&token"), "tmp=21&light=80");
        assert!(is_in("a=1&t%6fken=x") && !is_in("a=token"));
    }
}
