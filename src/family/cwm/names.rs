//! Settings: every wire name and habit that `cwm-oke.md` marks unknown, in one place with its default (§14).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::parcel::FileSettings;
use super::policy::{Capture, HmacPolicy, Repeat, SpeaksFor};
use crate::family::{KeyKind, Template};

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
    /// A file that holds `time_answer` instead. Read anew for each call.
    pub time_answer_file: Option<PathBuf>,
    /// The answer of `/provision` (§3.1). Its places: `{devid}`, `{client_cert}`, `{client_key}` (empty when the
    /// module brought a request of its own), `{root_ca}`, `{provisioning_key}`, `{ts}`, `{utc}`,
    /// `{provision_host}`, `{push_host}`, `{pull_host}`.
    pub provision_answer: String,
    /// A file that holds `provision_answer` instead. Read anew for each call.
    pub provision_answer_file: Option<PathBuf>,
    /// What a device hears that asks for its certificate again.
    pub provision_repeat: Repeat,
    /// Kind of the key that is made for a module that brings none.
    pub provision_key: KeyKind,
    /// The name to call for `/provision`; empty for the one that the module called.
    pub provision_host: String,
    /// The name to call for `/push`; empty for the one that the module called.
    pub push_host: String,
    /// The name to call for `/pull`; empty for the one that the module called.
    pub pull_host: String,
    /// What to make of `sha256hmac` (§2.2).
    pub hmac: HmacPolicy,
    /// In whose name a module may speak that shows a sound client certificate (§2).
    pub certificate_speaks_for: SpeaksFor,
    /// Which calls are written to the capture log as they came.
    pub capture: Vec<Capture>,
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
    /// Sending files to equipment (§8).
    pub files: FileSettings,
    /// The payload of the port command (§6.3): `{port}` and `{baud}` are those that are wanted.
    pub port_payload: String,
    /// Members that hold counters (§6.2): their restarts and wraps are noticed.
    pub counters: Vec<String>,
    /// Commands an operator may start from (§6.3, §7.1).
    pub templates: Vec<Template>,
}

/// Names of arguments and of members of answers (§2.1, §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CwmNames {
    /// The argument that holds the request object.
    pub req: String,
    /// The argument that proves it.
    pub hmac: String,
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
    /// What a module's heartbeat calls the port to its equipment (§6.1).
    pub port: String,
    /// And its rate.
    pub baud: String,
    /// What may name the device that asks `/provision`, the best first. The carrier in `_src` and the client
    /// certificate come after them.
    pub device: Vec<String>,
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
            time_answer_file: None,
            provision_answer: PROVISION_ANSWER.to_owned(),
            provision_answer_file: None,
            provision_repeat: Repeat::default(),
            provision_key: KeyKind::default(),
            provision_host: String::new(),
            push_host: String::new(),
            pull_host: String::new(),
            hmac: HmacPolicy::default(),
            certificate_speaks_for: SpeaksFor::default(),
            capture: vec![Capture::Provision, Capture::Unreadable],
            crc_case: CrcCase::default(),
            ts_suffix: "Z".to_owned(),
            okm_max_bytes: 999,
            okm_warn_bytes: 951,
            depth_max: 32,
            push_okms_max: 64,
            readings_max: 512,
            files: FileSettings::default(),
            port_payload: r#"{"oke":{"port":"{port}","baud":{baud}}}"#.to_owned(),
            counters: ["_dll", "_msg", "diag"].map(str::to_owned).to_vec(),
            templates: templates(),
        }
    }
}

impl Default for CwmNames {
    fn default() -> Self {
        Self {
            req: "req".to_owned(),
            hmac: "sha256hmac".to_owned(),
            okm: "okm".to_owned(),
            devid: "devid".to_owned(),
            lokm: "lokm".to_owned(),
            push: "push".to_owned(),
            pull: "pull".to_owned(),
            heartbeat: "_hbt".to_owned(),
            port: "port".to_owned(),
            baud: "baud".to_owned(),
            device: ["devid", "dev_id", "deviceid", "id", "mac"].map(str::to_owned).to_vec(),
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

/// A guess: no readable page says what the answer looks like.
const PROVISION_ANSWER: &str = concat!(
    r#"{"devid":"{devid}","client_cert":"{client_cert}","client_key":"{client_key}","root_ca":"{root_ca}","#,
    r#""provisioning_key":"{provisioning_key}","ts":"{ts}","utc":{utc},"#,
    r#""provision_host":"{provision_host}","push_host":"{push_host}","pull_host":"{pull_host}"}"#
);
