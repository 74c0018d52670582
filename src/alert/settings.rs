//! How messages are delivered.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::core::{MailSecurity, MailServer};
use crate::model::Network;

/// How messages are delivered.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// How long one try may take.
    pub send_time: Duration,
    /// The wait after the first try that fails; each later one is twice as long …
    pub retry_first: Duration,
    /// … and this at most.
    pub retry_longest: Duration,
    /// Tries after which a message is given up.
    pub attempts_max: u32,
    /// Roots beside the system's that vouch for receivers of webhooks and for the mail server: PEM file.
    pub roots: Option<PathBuf>,
    /// Addresses that no webhook reaches, whatever name leads there.
    pub refuse: Vec<Network>,
    /// The mail server of the settings, which goes before one that administrators set.
    pub mail: Option<MailSettings>,
}

/// The mail server.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Its name.
    pub host: String,
    /// Its port; `None` is that of its security.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// Who signs in; empty is nobody.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// Who the mail is from.
    pub from: String,
    /// Roots that vouch for it, PEM, in place of the usual ones.
    pub ca: Option<String>,
}

impl From<MailServer> for MailSettings {
    fn from(server: MailServer) -> Self {
        Self {
            host: server.host,
            port: server.port,
            security: server.security,
            username: server.username,
            password: server.password.into(),
            from: server.from,
            ca: server.ca,
        }
    }
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            send_time: Duration::from_secs(10),
            retry_first: Duration::from_secs(5),
            retry_longest: Duration::from_hours(1),
            attempts_max: 15,
            roots: None,
            refuse: Vec::new(),
            mail: None,
        }
    }
}
