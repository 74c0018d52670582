//! How people are told of alerts.

use std::fmt;
use std::path::PathBuf;

use super::Bound;
use super::setting::{Setting, words};

/// How messages about alerts are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// How long one try may take.
    pub send_time_ms: u64,
    /// The wait after the first try that fails; each later one is twice as long.
    pub retry_first_ms: u64,
    /// The longest wait.
    pub retry_longest_s: u64,
    /// Tries after which a message is given up.
    pub attempts_max: u32,
    /// Roots beside the system's that vouch for receivers and for the mail server.
    pub roots: Option<PathBuf>,
    /// Networks that no webhook reaches.
    pub webhook_refuse: Vec<String>,
}

/// The mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its name; empty sends no mail.
    pub host: String,
    /// Its port; 0 is the usual one of `security`.
    pub port: Bound,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// Who signs in; empty is nobody.
    pub username: String,
    /// The password.
    pub password: Password,
    /// Who the mail is from.
    pub from: String,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// In the clear.
    None,
    /// In the clear until both speak TLS, which they must.
    Starttls,
    /// TLS from the first byte.
    Tls,
}

words!(MailSecurity {
    "none" => MailSecurity::None,
    "starttls" => MailSecurity::Starttls,
    "tls" => MailSecurity::Tls,
});

/// A password, which never prints.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Setting for Password {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> toml::Value {
        toml::Value::from(if self.0.is_empty() { "" } else { "***" })
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            send_time_ms: 10_000,
            retry_first_ms: 5000,
            retry_longest_s: 3600,
            attempts_max: 15,
            roots: None,
            // Where clouds keep the keys of a machine, and what is no receiver at all.
            webhook_refuse: [
                "169.254.0.0/16",
                "fe80::/10",
                "fd00:ec2::254",
                "0.0.0.0/8",
                "224.0.0.0/4",
                "ff00::/8",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: Bound(0),
            security: MailSecurity::Starttls,
            username: String::new(),
            password: Password::default(),
            from: String::new(),
        }
    }
}
