//! Settings: a struct and a file per concern, and one table that names every key.
//!
//! Defaults < file < environment < flags; each layer sets only what it names. This room knows names of
//! `model` and nothing else of the program; `server` hands each part its share.

mod accounts;
mod alerts;
mod devices;
mod file;
mod keys;
mod layers;
mod limits;
mod listen;
mod log;
mod retention;
mod setting;
mod store;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use accounts::{Accounts, Lasting, Registration};
pub use alerts::{Alerts, Mail, MailSecurity, Password};
pub use devices::{Devices, UnknownDevices};
pub use keys::{Key, keys};
pub use layers::{Problem, Sources, load};
pub use limits::Limits;
pub use listen::{Address, ClientCertificates, Listen, Tls};
pub use log::{Log, LogFormat};
pub use retention::{Bound, Retention};
pub use store::StoreUrl;
pub use template::{print, template};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the store, the control socket and the first password live.
    pub data_dir: PathBuf,
    /// Where the certificate authority and the server's certificates live.
    pub certs_dir: PathBuf,
    /// Where files for devices live.
    pub files_dir: PathBuf,
    /// Where data dictionaries live; `None` is a folder in `data_dir`.
    pub dictionaries_dir: Option<PathBuf>,
    /// Names and addresses for the certificate; empty means those of this machine.
    pub hosts: Vec<String>,
    /// The database.
    pub store: StoreUrl,
    /// Where to listen.
    pub listen: Listen,
    /// The operator's own certificate.
    pub tls: Tls,
    /// How devices and their commands are treated.
    pub devices: Devices,
    /// Who may make an account, and how long people stay signed in.
    pub accounts: Accounts,
    /// How people are told of alerts.
    pub alerts: Alerts,
    /// The mail server.
    pub mail: Mail,
    /// How long and how much is kept.
    pub retention: Retention,
    /// Every limit.
    pub limits: Limits,
    /// What the log looks like.
    pub log: Log,
    /// Sections of device families, by family name, as their own rooms read them.
    pub families: BTreeMap<String, toml::Table>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            certs_dir: PathBuf::from("certs"),
            files_dir: PathBuf::from("files"),
            dictionaries_dir: None,
            hosts: Vec::new(),
            store: StoreUrl::default(),
            listen: Listen::default(),
            tls: Tls::default(),
            devices: Devices::default(),
            accounts: Accounts::default(),
            alerts: Alerts::default(),
            mail: Mail::default(),
            retention: Retention::default(),
            limits: Limits::default(),
            log: Log::default(),
            families: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Where data dictionaries live.
    pub fn dictionaries(&self) -> PathBuf {
        self.dictionaries_dir.clone().unwrap_or_else(|| self.data_dir.join("dictionaries"))
    }
}

#[cfg(test)]
mod tests;
