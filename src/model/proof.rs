//! What is known of who made a message: keys, and what checking them found.

use serde::{Deserialize, Serialize};

/// What was found when a message's proof of its sender was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
