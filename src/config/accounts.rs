//! Who may make an account, and how long people stay signed in.

use super::setting::{Setting, kind, words};

/// Who may make an account without an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody.
    Closed,
    /// Whoever has an invitation.
    Invite,
    /// Everybody.
    Open,
}

words!(Registration {
    "closed" => Registration::Closed,
    "invite" => Registration::Invite,
    "open" => Registration::Open,
});

/// Who may make an account, and how long people stay signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Who may make an account.
    pub registration: Registration,
    /// Life of what lets a script in.
    pub access_s: Lasting,
    /// Life of what a script's sign-in is renewed with.
    pub refresh_s: Lasting,
    /// Life of a browser's sign-in.
    pub session_s: Lasting,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            registration: Registration::Closed,
            access_s: Lasting(30 * 60),
            refresh_s: Lasting(14 * 86_400),
            session_s: Lasting(14 * 86_400),
        }
    }
}

/// How long somebody stays signed in, in seconds: from a minute, the shortest that the original has
/// (`accounts-dashboard.md §1`), to ten years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting(pub u64);

impl Setting for Lasting {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().replace('_', "").parse() {
            Ok(seconds @ 60..=LASTING_MAX_S) => Ok(Self(seconds)),
            Ok(_) | Err(_) => {
                Err(format!("expected a whole number of seconds from 60 to {LASTING_MAX_S}, found `{text}`"))
            }
        }
    }

    fn read(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Integer(number) => Self::parse(&number.to_string()),
            other => Err(format!("expected a whole number, found {}", kind(other))),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::Integer(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

const LASTING_MAX_S: u64 = 10 * 366 * 86_400;
