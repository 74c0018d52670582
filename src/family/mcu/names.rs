//! Settings: what `websocket-mcu.md` marks unknown or leaves to the owner.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::days::Zone;
use super::draft::address_of;
use super::profile::Profile;
use crate::model::Network;

/// What an owner may set right without a new build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McuSettings {
    /// Who may connect (`websocket-mcu.md §11`).
    pub access: Access,
    /// The key in the path or query: 1 to 24 letters, digits, `-` and `_`.
    pub key: PathKey,
    /// Boards that need no key where others do.
    pub known: Vec<Pair>,
    /// From where boards may call. The default is private, loopback and link-local addresses.
    pub networks: Vec<Network>,
    /// Origins of pages and libraries that may connect, beside this host's own.
    pub origins: Vec<String>,
    /// A connection that says nothing for so many seconds is closed.
    pub silent_s: u64,
    /// The largest message; a larger one ends the connection with code 1009.
    pub message_bytes_max: usize,
    /// Fields of a message that count, the board's number among them.
    pub fields_max: usize,
    /// Messages of one connection in a second; more are dropped and counted, and in the end it is closed. 0 is any
    /// number.
    pub messages_per_second_max: u32,
    /// A folder for `IoTD005_20161124.csv` of each board and day, as the original server wrote them (§7). None are
    /// written while it is empty.
    pub day_folder: PathBuf,
    /// When days begin: `local` is this machine's own time zone, else a name such as `Europe/London`, or an offset such
    /// as `+01:00`.
    pub day_zone: Zone,
    /// What boards send and take. For each board the first that fits counts, and without one the firmware's own.
    pub profiles: Vec<Profile>,
}

impl Default for McuSettings {
    fn default() -> Self {
        Self {
            access: Access::Open,
            key: PathKey::default(),
            known: Vec::new(),
            networks: Network::private(),
            origins: vec![
                "https://github.com/gilmaimon/ArduinoWebsockets".to_owned(),
                "https://github.com/gilmaimon/TinyWebsockets".to_owned(),
            ],
            silent_s: 90,
            message_bytes_max: 512,
            fields_max: 32,
            messages_per_second_max: 50,
            day_folder: PathBuf::new(),
            day_zone: Zone::default(),
            profiles: vec![Profile::default()],
        }
    }
}

impl McuSettings {
    /// Says what a board would stumble over, before one does.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let keyless = self.key.0.is_empty();
        if keyless && self.access != Access::Open {
            return Err("`key`: the access you chose needs one, of 1 to 24 letters and digits".to_owned());
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.key.0.len() > KEY_CHARS_MAX || !self.key.0.bytes().all(letter) {
            // The firmware keeps the whole URL in 128 bytes (§11).
            return Err(format!("`key`: at most {KEY_CHARS_MAX} letters, digits, - and _"));
        }
        if self.silent_s < SILENT_LEAST_S {
            return Err(format!("`silent_s`: at least {SILENT_LEAST_S}, which is three messages of a board"));
        }
        if !(16..=65_536).contains(&self.message_bytes_max) || !(1..=256).contains(&self.fields_max) {
            return Err("`message_bytes_max` is 16 to 65536, `fields_max` 1 to 256".to_owned());
        }
        let mut names = HashSet::new();
        if let Some(twice) = self.profiles.iter().find(|profile| !names.insert(&profile.name)) {
            return Err(format!("`profiles`: there are two of the name `{}`", twice.name));
        }
        self.profiles.iter().try_for_each(Profile::check)
    }

    /// How long a connection may say nothing.
    pub(super) const fn silence(&self) -> Duration {
        Duration::from_secs(self.silent_s)
    }
}

/// Who may connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever reaches the listener, as with the original.
    #[default]
    Open,
    /// Whoever has the key.
    Key,
    /// Whoever has the key, and boards that call from where they are known to be.
    KeyOrKnown,
}

/// The key in the path. Shows nothing of itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathKey(pub(super) String);

impl fmt::Debug for PathKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "***" })
    }
}

/// A board and the address it calls from, written `192.168.1.20=5`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pair {
    /// From where.
    pub from: IpAddr,
    /// The board's number.
    pub board: String,
}

impl TryFrom<String> for Pair {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected ADDRESS=NUMBER such as 192.168.1.20=5, found `{text}`");
        let (from, board) = text.split_once('=').ok_or_else(wrong)?;
        let from = from.trim().parse().map_err(|_| wrong())?;
        Ok(Self { from, board: address_of(board).ok_or_else(wrong)? })
    }
}

impl From<Pair> for String {
    fn from(pair: Pair) -> Self {
        format!("{}={}", pair.from, pair.board)
    }
}

/// §11.
const KEY_CHARS_MAX: usize = 24;
const SILENT_LEAST_S: u64 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<McuSettings, String> {
        let settings: McuSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn the_defaults_stand_and_are_written_and_read_back() {
        let settings = McuSettings::default();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(read(&toml::to_string(&settings).unwrap()), Ok(settings));
    }

    #[test]
    fn wrong_settings_are_named() {
        for (text, part) in [
            ("access = \"key\"", "`key`"),
            ("key = \"much-too-long-for-the-firmware\"", "`key`"),
            ("key = \"a b\"", "`key`"),
            ("silent_s = 5", "`silent_s`"),
            ("fields_max = 0", "`fields_max`"),
            ("known = [\"home=5\"]", "192.168.1.20=5"),
            ("networks = [\"home\"]", "192.168.0.0/16"),
            ("[[profiles]]\nname = \"x\"\ntemplate = \"x\"", "`x`"),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
        let settings =
            read("access = \"key_or_known\"\nkey = \"secret7\"\nknown = [\"192.168.1.20=005\"]").unwrap();
        assert_eq!(settings.known[0].board, "5");
        assert!(!format!("{settings:?}").contains("secret7"));
    }
}
