//! What is known of who made a message: keys, and what checking them found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was found when a message's proof of its sender was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HmacCheck {
    /// It holds under the device's key.
    Ok,
    /// It does not.
    Bad,
    /// There is none.
    Absent,
    /// There is one, and no key to check it with.
    NoKey,
}

impl HmacCheck {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Bad, Self::Absent, Self::NoKey];

    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Bad => "bad",
            Self::Absent => "absent",
            Self::NoKey => "no_key",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == text)
    }
}

/// One spelling of a key: what the text that a person holds stands for (`cwm-oke.md §2.2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeySpelling {
    /// The text itself is the key.
    Text,
    /// Hexadecimal digits of the key's bytes.
    Hex,
    /// The key's bytes in base64.
    Base64,
}

impl KeySpelling {
    /// Every spelling, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Text, Self::Hex, Self::Base64];
}

/// SHA-256 of a certificate or of a public key; written `AB:CD:…`, 95 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads pairs of hex digits with or without colons between them, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let (pairs, []) = digits.as_chunks::<2>() else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        Some(Self(bytes?.try_into().ok()?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or("a fingerprint has 64 hex digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let one = Fingerprint(std::array::from_fn(|at| u8::try_from(at * 8).unwrap()));
        let text = one.to_string();
        assert_eq!((text.len(), &text[..8]), (95, "00:08:10"));
        assert_eq!(Fingerprint::parse(&text), Some(one));
        assert_eq!(Fingerprint::parse(&text.replace(':', "").to_lowercase()), Some(one));
        assert_eq!(Fingerprint::parse(&text[1..]), None);
        assert_eq!(Fingerprint::parse(&text.replace('0', "x")), None);
    }
}
