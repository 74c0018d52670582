//! The mail server as administrators set it on the page or through the API: kept in the store, for all servers on it.

use serde::{Deserialize, Serialize};

use crate::core::{Hub, HubError, Kept};
use crate::model::Timestamp;

/// A mail server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port; `None` is the usual one of its security.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// Who signs in; empty is nobody.
    pub username: String,
    /// The password, which is told nobody.
    pub password: String,
    /// Who the mail is from.
    pub from: String,
    /// Roots that vouch for it, PEM, in place of the usual ones.
    pub ca: Option<String>,
    /// Who set it.
    pub by: String,
    /// When.
    pub changed: Timestamp,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// In the clear.
    None,
    /// In the clear until both speak TLS, which they must.
    Starttls,
    /// TLS from the first byte.
    Tls,
}

impl MailSecurity {
    /// All of them, the one that most servers want first.
    pub const ALL: [Self; 3] = [Self::Starttls, Self::Tls, Self::None];

    /// The word used in the API and the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starttls => "starttls",
            Self::Tls => "tls",
        }
    }

    /// Reads the word used in the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|security| security.as_str() == text)
    }

    /// The port that is usual.
    pub const fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::Starttls => 587,
            Self::Tls => 465,
        }
    }
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailServer")
            .field("host", &self.host)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl Kept for MailServer {
    const KIND: &'static str = "mail_server";

    fn key(&self) -> String {
        KEY.to_owned()
    }
}

impl Hub {
    /// The mail server that somebody set, if one is set.
    pub async fn mail_server(&self) -> Result<Option<MailServer>, HubError> {
        self.kept(KEY).await
    }

    /// Sets the mail server. Messages that wait go by it from now on, on every server of the store.
    ///
    /// # Errors
    /// `Invalid` with the field that makes no sense.
    pub async fn mail_server_keep(&self, mut server: MailServer) -> Result<MailServer, HubError> {
        server.check()?;
        server.changed = self.now();
        self.keep(&server).await?;
        Ok(server)
    }

    /// Forgets the mail server.
    ///
    /// # Errors
    /// `NotFound` when none is set.
    pub async fn mail_server_forget(&self) -> Result<(), HubError> {
        self.mail_server().await?.ok_or(HubError::NotFound("mail server"))?;
        self.forget_kept::<MailServer>(KEY).await
    }
}

impl MailServer {
    fn check(&self) -> Result<(), HubError> {
        let host = self.host.as_str();
        let letters = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
        // An IPv6 address has colons, a name with a port too: only the former parses.
        let colons = !host.contains(':') || host.parse::<std::net::Ipv6Addr>().is_ok();
        if host.is_empty() || host.len() > HOST_CHARS_MAX || !letters || !colons {
            let message = "the mail server's name alone, such as smtp.example.org: no port and no https://";
            return Err(HubError::invalid("host", message));
        }
        if self.port == Some(0) {
            return Err(HubError::invalid("port", "a port is 1 to 65535"));
        }
        for (field, text) in [("username", &self.username), ("password", &self.password)] {
            if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control) {
                let message = format!("{field} has at most {TEXT_CHARS_MAX} printable characters");
                return Err(HubError::invalid(field, message));
            }
        }
        match (self.username.is_empty(), self.password.is_empty()) {
            (false, true) => Err(HubError::invalid("password", "a password is missing for this user name")),
            (true, false) => Err(HubError::invalid("username", "a user name is missing for this password")),
            (true, true) | (false, false) => Ok(()),
        }
    }
}

/// There is one.
const KEY: &str = "server";
/// The longest name in DNS.
const HOST_CHARS_MAX: usize = 253;
const TEXT_CHARS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_mail_server_is_refused_with_its_field() {
        let good = MailServer {
            host: "smtp.example.org".to_owned(),
            port: None,
            security: MailSecurity::Starttls,
            username: "oven".to_owned(),
            password: "secret".to_owned(),
            from: "oven@example.org".to_owned(),
            ca: None,
            by: "user:admin".to_owned(),
            changed: Timestamp::from_micros(0),
        };
        assert!(good.check().is_ok());
        let with = |change: fn(&mut MailServer)| {
            let mut server = good.clone();
            change(&mut server);
            match server.check() {
                Err(HubError::Invalid { field, .. }) => field,
                _ => "",
            }
        };
        assert_eq!(with(|server| server.host = "::1".to_owned()), "");
        assert_eq!(with(|server| server.host = String::new()), "host");
        assert_eq!(with(|server| server.host = "https://smtp.example.org".to_owned()), "host");
        assert_eq!(with(|server| server.host = "smtp.example.org:587".to_owned()), "host");
        assert_eq!(with(|server| server.port = Some(0)), "port");
        assert_eq!(with(|server| server.password = String::new()), "password");
        assert_eq!(with(|server| server.username = String::new()), "username");
        assert_eq!(with(|server| server.password = "a\nb".to_owned()), "password");
        assert!(!format!("{good:?}").contains("secret"));
    }
}
