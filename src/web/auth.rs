//! Who calls: the control socket, a bearer token, or the session cookie.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{FromRequestParts, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, header};
use secrecy::{ExposeSecret as _, SecretString};

use super::error::WebError;
use crate::core::{Caller, Hub, HubError, Visitor};
use crate::http::{ListenerKind, Peer};

/// The cookie's name; the prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`.
pub(crate) const COOKIE: &str = "__Host-homeport";

/// What a request offers as proof of who calls.
pub(crate) enum Proof {
    /// It came through the control socket.
    Local,
    /// It carries a secret, and came from somewhere.
    Secret(SecretString, Visitor),
    /// Nothing.
    Nothing,
}

impl Proof {
    /// Reads a request. A bearer token that is sent counts, even when a good cookie is there too.
    pub(crate) fn of(request: &Request) -> Self {
        if request.extensions().get::<Peer>().is_some_and(|peer| peer.listener == ListenerKind::Control) {
            return Self::Local;
        }
        let visitor = || visitor(request.headers(), request.extensions().get());
        secret(request.headers()).map_or(Self::Nothing, |secret| Self::Secret(secret, visitor()))
    }

    /// Finds the caller.
    pub(crate) async fn caller(self, hub: &Hub) -> Result<Option<Caller>, HubError> {
        match self {
            Self::Local => Ok(Some(Caller::local())),
            Self::Secret(secret, visitor) => hub.who_from(secret.expose_secret(), Some(&visitor)).await,
            Self::Nothing => Ok(None),
        }
    }
}

/// The secret a request carries.
pub(crate) fn secret(headers: &HeaderMap) -> Option<SecretString> {
    bearer(headers).or_else(|| cookie(headers).map(|text| SecretString::from(text.to_owned())))
}

/// The secret that a request carries in its `Authorization`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    scheme(headers, "bearer").map(|sent| SecretString::from(sent.to_owned()))
}

/// Whether what counts of a request is the cookie, which browsers send by themselves.
pub(crate) fn is_by_cookie(headers: &HeaderMap) -> bool {
    scheme(headers, "bearer").is_none() && cookie(headers).is_some()
}

/// The session cookie's text.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// What follows a scheme in `Authorization`; the scheme's letter case does not count.
fn scheme<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let (scheme, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

/// Name and password of HTTP Basic.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let bytes = STANDARD.decode(scheme(headers, "basic")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), SecretString::from(password.to_owned())))
}

/// From where a request came, for the count of failed sign-ins and the list of sessions.
#[derive(Clone, Debug)]
pub(crate) struct From(pub(crate) Visitor);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        Ok(Self(visitor(&parts.headers, parts.extensions.get())))
    }
}

fn visitor(headers: &HeaderMap, peer: Option<&Peer>) -> Visitor {
    let agent =
        headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Visitor {
        peer: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.addr.ip()),
        agent: agent.unwrap_or_default(),
    }
}

/// The caller, in a handler behind the guard.
#[derive(Clone, Debug)]
pub(crate) struct By(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        parts.extensions.get::<Caller>().cloned().map(Self).ok_or(WebError::SignIn)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = secret(&headers(header::COOKIE, "a=b; __Host-homeport=s3cret; c=d")).unwrap();
        assert_eq!(found.expose_secret(), "s3cret");
        assert!(secret(&headers(header::COOKIE, "homeport=s3cret")).is_none());
    }

    #[test]
    fn schemes_are_read_in_any_letter_case() {
        let found = secret(&headers(header::AUTHORIZATION, "bEARER hp_1")).unwrap();
        assert_eq!(found.expose_secret(), "hp_1");
        let (name, password) = basic(&headers(header::AUTHORIZATION, "Basic YWRtaW46YTpi")).unwrap();
        assert_eq!((name.as_str(), password.expose_secret()), ("admin", "a:b"));
    }
}
