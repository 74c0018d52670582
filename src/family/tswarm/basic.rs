//! Who a request says it is from: HTTP Basic with every slip that a config file by hand brings, or a bearer token
//! (`tswarm-node.md §5`). Pure.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use secrecy::SecretString;

/// What a request shows.
#[derive(Debug)]
pub(super) enum Shown {
    /// Name and secret.
    Basic {
        /// What stands before the first colon.
        login: String,
        /// All behind it.
        secret: SecretString,
    },
    /// A token.
    Bearer(SecretString),
}

/// Why a request shows nothing that could be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotShown {
    /// There is no such header.
    Absent,
    /// It cannot be read.
    Unreadable,
    /// There are two that differ.
    Two,
}

/// Reads the `Authorization` header.
pub(super) fn shown(headers: &HeaderMap) -> Result<Shown, NotShown> {
    let mut all = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes().trim_ascii());
    let first = all.next().ok_or(NotShown::Absent)?;
    if all.any(|other| other != first) {
        return Err(NotShown::Two);
    }
    let text = std::str::from_utf8(first).map_err(|_| NotShown::Unreadable)?;
    let (scheme, rest) = text.split_once([' ', '\t']).ok_or(NotShown::Unreadable)?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Shown::Bearer(SecretString::from(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(NotShown::Unreadable);
    }
    let pair = pair(rest).ok_or(NotShown::Unreadable)?;
    let (login, secret) = pair.split_once(':').ok_or(NotShown::Unreadable)?;
    Ok(Shown::Basic { login: login.to_owned(), secret: SecretString::from(secret) })
}

/// `user:password` out of base64 in either alphabet, with or without its padding, and with the line end of the tool that
/// made it: a real one, or `\n` as a config file writes it.
fn pair(text: &str) -> Option<String> {
    let text = text.strip_suffix("\\n").unwrap_or(text);
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    let text = text.replace('-', "+").replace('_', "/");
    let bytes = TOLERANT.decode(text).ok()?;
    let pair = match String::from_utf8(bytes) {
        Ok(pair) => pair,
        // Latin-1: a byte a character.
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    };
    Some(pair.trim_end_matches(['\r', '\n']).to_owned())
}

const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn of(values: &[&[u8]]) -> Result<(String, String), NotShown> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        shown(&headers).map(|shown| match shown {
            Shown::Basic { login, secret } => (login, secret.expose_secret().to_owned()),
            Shown::Bearer(token) => ("bearer".to_owned(), token.expose_secret().to_owned()),
        })
    }

    #[test]
    fn every_slip_is_forgiven() {
        let node = || Ok(("node1".to_owned(), "secret".to_owned()));
        for header in [
            &b"Basic bm9kZTE6c2VjcmV0"[..],
            b" Basic bm9kZTE6c2VjcmV0",
            b"basic bm9kZTE6c2VjcmV0",
            b"BASIC   bm9kZTE6c2VjcmV0 ",
            b"Basic\tbm9kZTE6c2VjcmV0",
            b"Basic bm9kZTE6c2VjcmV0\\n",
            b"Basic bm9kZTE6c2VjcmV0Cg==",
            b"Basic bm9kZTE6c2VjcmV0Cg",
        ] {
            assert_eq!(of(&[header]), node(), "{}", String::from_utf8_lossy(header));
        }
        assert_eq!(of(&[b"Basic YTpi"]), Ok(("a".to_owned(), "b".to_owned())));
        assert_eq!(of(&[b"Basic YTpiYw"]), Ok(("a".to_owned(), "bc".to_owned())), "no padding");
        assert_eq!(of(&[b"Basic YTpiOmM="]), Ok(("a".to_owned(), "b:c".to_owned())), "the first colon");
        assert_eq!(of(&[b"Basic w7Y6Pz8_"]), Ok(("ö".to_owned(), "???".to_owned())), "the alphabet of URLs");
        assert_eq!(of(&[b"Basic 9jp4"]), Ok(("ö".to_owned(), "x".to_owned())), "Latin-1");
        assert_eq!(of(&[b"bearer  dt_1 "]), Ok(("bearer".to_owned(), "dt_1".to_owned())));
    }

    #[test]
    fn what_says_nothing_is_told_apart() {
        assert_eq!(of(&[]), Err(NotShown::Absent));
        for header in [&b"Basic"[..], b"", b"Basic ???", b"Basic bm9kZTE=", b"Digest x", b"\xff\xfe x"] {
            assert_eq!(of(&[header]), Err(NotShown::Unreadable), "{}", String::from_utf8_lossy(header));
        }
        assert_eq!(of(&[b"Basic YTpi", b"Basic YTpi"]), Ok(("a".to_owned(), "b".to_owned())));
        assert_eq!(of(&[b"Basic YTpi", b"Basic YTpiYw"]), Err(NotShown::Two));
    }
}
