//! How long and how much is kept.

use super::setting::{Setting, kind};

/// How much of something is kept; zero sets no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound(pub u64);

/// How long and how much is kept. The ledger's entries themselves stay for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days for which messages keep their exact bytes.
    pub raw_days: Bound,
    /// Exact bytes of all messages together.
    pub raw_bytes_max: Bound,
    /// Days for which values are kept.
    pub telemetry_days: Bound,
    /// Values of all devices together, in bytes.
    pub telemetry_bytes_max: Bound,
    /// Days for which commands that are done are kept.
    pub commands_days: Bound,
    /// Days for which the rows of the audit log are kept.
    pub audit_days: Bound,
    /// Days for which the repeat of a message is known as one.
    pub repeats_days: Bound,
}

impl Default for Retention {
    fn default() -> Self {
        let none = Bound(0);
        Self {
            raw_days: none,
            raw_bytes_max: none,
            telemetry_days: none,
            telemetry_bytes_max: none,
            commands_days: none,
            audit_days: none,
            repeats_days: Bound(30),
        }
    }
}

impl Bound {
    /// The bound as days; more than there can be is none.
    pub fn days(self) -> u32 {
        u32::try_from(self.0).unwrap_or(0)
    }
}

impl Setting for Bound {
    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().replace('_', "");
        number
            .parse()
            .map(Self)
            .map_err(|_| format!("expected a whole number, or 0 for no bound, found `{text}`"))
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
