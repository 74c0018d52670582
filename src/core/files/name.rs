//! Names that a published file may have: one piece of a path, without a character that anybody reads twice.

use std::fmt;

use serde::{Deserialize, Serialize};

/// 1 to 64 letters, digits, `.`, `_` and `-`, of which the first is a letter or a digit. So it is never `..`, never
/// hidden, never an option of a command, and the same in a URL, a header and a file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// Reads a name; the error is a sentence for whoever chose it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if text.is_empty() || text.len() > CHARS_MAX {
            return Err(format!("a file's name has 1 to {CHARS_MAX} characters"));
        }
        if let Some(letter) = text.chars().find(|letter| !allowed(*letter)) {
            return Err(format!("a file's name has letters, digits, `.`, `_` and `-` in it, not {letter:?}"));
        }
        if !text.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
            return Err("a file's name begins with a letter or a digit".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

const CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_names() {
        let longest = "x".repeat(64);
        for name in ["a", "file1023.bin", "v1.2-rc_3", "0", "a..b", "README", &longest] {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn nothing_else_is() {
        let long = "x".repeat(65);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "..\\x",
            ".hidden",
            "-rf",
            "_x",
            "a b",
            "a\0b",
            "a\nb",
            "%2e%2e",
            "a%00",
            "é.bin",
            "a:b",
            "C:",
            "~",
            "a*",
            "a?b",
            "a#b",
            &long,
        ] {
            assert!(FileName::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_stored_name_is_checked_again() {
        assert!(serde_json::from_str::<FileName>("\"a.bin\"").is_ok());
        assert!(serde_json::from_str::<FileName>("\"../a.bin\"").is_err());
    }
}
