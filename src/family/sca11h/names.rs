//! Settings: what `sca11h.md` marks unknown or leaves to the owner (§13).

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::habits::Habits;
use super::presence::PresenceSettings;

/// What an owner may set right without a new build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sca11hSettings {
    /// Peers that may push and sync: addresses and networks such as `192.168.1.0/24`. Empty lets everybody.
    pub allow_peers: Vec<String>,
    /// Whether the paths of the node are served on the TLS listener too (`https_enable` of the node, §8).
    pub https: bool,
    /// How far the device's clock may be from ours before its times are replaced by ones reckoned from the arrival,
    /// in seconds (§4.5).
    pub skew_max_s: u32,
    /// How the answer of a parameter sync is framed (§3.4). A device may have its own.
    pub reply_framing: ReplyFraming,
    /// What a parameter sync hears when nothing is to change (§5.3). A device may have its own.
    pub no_change_reply: NoChangeReply,
    /// Whether the connection is closed after each answer (§3.4). A device may have its own.
    pub force_close: bool,
    /// Whether a node with wrong credentials is told with 401 that they are wanted; else it hears 403 (§8). Credentials
    /// are asked of those devices alone that were given some.
    pub challenge: bool,
    /// A folder for `loggedData_<t>.txt` and `parameterSync_<t>.txt` as the original server wrote them (§10). None
    /// are written without it.
    pub log_folder: Option<PathBuf>,
    /// When somebody lies in a bed, moves, and shows vital signs (§11).
    pub presence: PresenceSettings,
}

/// How an answer's end is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyFraming {
    /// One chunk: what real nodes are known to read.
    #[default]
    Chunked,
    /// A `Content-Length`.
    ContentLength,
}

/// What a node hears when nothing is to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoChangeReply {
    /// `{}`
    #[default]
    Empty,
    /// Its own parameters.
    Echo,
}

impl Default for Sca11hSettings {
    fn default() -> Self {
        Self {
            allow_peers: Vec::new(),
            https: false,
            skew_max_s: 120,
            reply_framing: ReplyFraming::default(),
            no_change_reply: NoChangeReply::default(),
            force_close: false,
            challenge: false,
            log_folder: None,
            presence: PresenceSettings::default(),
        }
    }
}

impl Sca11hSettings {
    /// How far the device's clock may be off.
    pub(super) fn skew_max(&self) -> Duration {
        Duration::from_secs(self.skew_max_s.into())
    }

    /// What holds for a device that has no settings of its own.
    pub(super) fn habits(&self) -> Habits {
        Habits {
            reply_framing: self.reply_framing,
            no_change_reply: self.no_change_reply,
            force_close: self.force_close,
            time_offset_s: 0,
        }
    }

    /// Says what a node would stumble over, before one does.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        super::allow::Allowed::parse(&self.allow_peers).map_err(|cause| format!("`allow_peers`: {cause}"))?;
        if self.skew_max_s == 0 {
            return Err("`skew_max_s`: at least 1".to_owned());
        }
        self.presence.check()
    }
}
