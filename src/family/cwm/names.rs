//! Settings: every wire name and habit that `cwm-oke.md` marks unknown, in one place with its default (§14).

use serde::{Deserialize, Serialize};

use crate::family::Template;

/// What an owner may set right without a new build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CwmSettings {
    /// Names of arguments and of members of answers.
    pub names: CwmNames,
    /// What to answer to a message that is malformed or fails its checksum. It is stored either way.
    pub bad_messages: BadMessages,
    /// The answer of `/time`: `{ts}` is `YYYY-MM-DDTHH:MM:SS`, `{utc}` the seconds since 1970.
    pub time_answer: String,
    /// Letter case of the `_crc` that is sent. Either case is read.
    pub crc_case: CrcCase,
    /// What follows the seconds in the `_ts` that is sent.
    pub ts_suffix: String,
    /// Longest message sent, in bytes (§4.2: 1000 with its NUL; 500 for small equipment).
    pub okm_max_bytes: usize,
    /// Messages longer than this many bytes are sent with a warning (§9.3: five fragments).
    pub okm_warn_bytes: usize,
    /// How deep a received message may nest.
    pub depth_max: usize,
    /// Messages taken from one push; a push with more is malformed.
    pub push_okms_max: usize,
    /// Readings taken from one message; the rest stays in the stored text only.
    pub readings_max: usize,
    /// Commands an operator may start from (§6.3, §7.1).
    pub templates: Vec<Template>,
}

/// Names of arguments and of members of answers (§2.1, §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CwmNames {
    /// The argument that holds the request object.
    pub req: String,
    /// Its member with the message, and the answer's member with one.
    pub okm: String,
    /// The member that names the asking module.
    pub devid: String,
    /// The member that says whether the last message was taken (§3.3).
    pub lokm: String,
    /// The answer's member that confirms a message.
    pub push: String,
    /// The answer's member that announces messages.
    pub pull: String,
    /// The heartbeat's member of a payload.
    pub heartbeat: String,
}

/// What a device hears about a message that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadMessages {
    /// Confirmed, so that it cannot block the module's queue for good.
    #[default]
    Quarantine,
    /// Not confirmed; the module will presumably send it again.
    Reject,
}

/// Letter case of hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrcCase {
    /// `0AF1`
    #[default]
    Upper,
    /// `0af1`
    Lower,
}

impl Default for CwmSettings {
    fn default() -> Self {
        Self {
            names: CwmNames::default(),
            bad_messages: BadMessages::default(),
            time_answer: r#"{"ts":"{ts}","time":"{ts}Z","utc":{utc}}"#.to_owned(),
            crc_case: CrcCase::default(),
            ts_suffix: "Z".to_owned(),
            okm_max_bytes: 999,
            okm_warn_bytes: 951,
            depth_max: 32,
            push_okms_max: 64,
            readings_max: 512,
            templates: templates(),
        }
    }
}

impl Default for CwmNames {
    fn default() -> Self {
        Self {
            req: "req".to_owned(),
            okm: "okm".to_owned(),
            devid: "devid".to_owned(),
            lokm: "lokm".to_owned(),
            push: "push".to_owned(),
            pull: "pull".to_owned(),
            heartbeat: "_hbt".to_owned(),
        }
    }
}

/// The documented commands, and the port reading that is a guess (§6.3).
fn templates() -> Vec<Template> {
    [
        ("Ping", "rd", r#"{"_ping":true}"#),
        ("Port RS-232, 115200 baud", "wr", r#"{"oke":{"port":"232","baud":115200}}"#),
        ("Port RS-485, 115200 baud", "wr", r#"{"oke":{"port":"485","baud":115200}}"#),
        ("Port TTL, 115200 baud", "wr", r#"{"oke":{"port":"ttl","baud":115200}}"#),
        ("Port USB", "wr", r#"{"oke":{"port":"usb","baud":115200}}"#),
        ("Read the port", "rd", r#"{"oke":true}"#),
        ("Relay on (vendor's example)", "wr", r#"{"cmd":{"relay":1}}"#),
    ]
    .into_iter()
    .map(|(name, cmd, payload)| Template {
        name: name.to_owned(),
        cmd: cmd.to_owned(),
        payload: payload.to_owned(),
    })
    .collect()
}
