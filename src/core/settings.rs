//! What an operator may set about the hub. All of it can change while the server runs.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::RetentionSettings;

/// What happens at the first contact of a device nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// It is let in.
    Accept,
    /// It is answered and stored, but not commanded until a person adopts it.
    Hold,
    /// It is turned away.
    Refuse,
}

/// Who may make an account without an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Nobody.
    Closed,
    /// Whoever has an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// The hub's settings.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// What happens at the first contact of an unknown device.
    pub unknown: UnknownPolicy,
    /// A device heard within this time counts as online.
    pub online_within: Duration,
    /// How long a command that was handed out is taken as being on its way.
    pub lease_hold: Duration,
    /// How often a command is handed out before it is given up.
    pub attempts_max: u32,
    /// How old a command may be for a reply to match it (`cwm-oke.md §7.3`).
    pub reply_window: Duration,
    /// How long a command waits to be taken, unless its maker says otherwise.
    pub command_life: Duration,
    /// How many commands may wait for one device that fetches.
    pub waiting_max: u32,
    /// How many messages a device that calls may send in a minute, its equipment's among them; `None` is any
    /// number.
    pub messages_per_minute: Option<NonZeroU32>,
    /// Who may make an account.
    pub registration: RegistrationPolicy,
    /// How long a script is let in before it renews its sign-in.
    pub access_ttl: Duration,
    /// How long a script's sign-in can be renewed, each time anew.
    pub refresh_ttl: Duration,
    /// How long a browser's sign-in lasts.
    pub session_ttl: Duration,
    /// The folder of files for devices. Read once, at the start.
    pub files_dir: PathBuf,
    /// The largest file that may be published, in bytes.
    pub file_bytes_max: u64,
    /// How long and how much is kept.
    pub retention: RetentionSettings,
    /// How many failed sign-ins one network has per minute, and a name three times as many. Read once, at the
    /// start.
    pub login_per_minute: NonZeroU32,
    /// How many accounts one network may try to make in an hour. Read once, at the start.
    pub registrations_per_hour: NonZeroU32,
    /// How many passwords are hashed at a time; each takes 19 MiB. Read once, at the start.
    pub hash_parallel: usize,
    /// How many events a slow watcher may be behind before it misses some. Read once, at the start.
    pub feed_backlog: usize,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            unknown: UnknownPolicy::Hold,
            online_within: Duration::from_mins(3),
            lease_hold: Duration::from_mins(5),
            attempts_max: 3,
            reply_window: Duration::from_mins(10),
            command_life: Duration::from_hours(24),
            waiting_max: 1000,
            messages_per_minute: None,
            registration: RegistrationPolicy::Closed,
            access_ttl: Duration::from_mins(30),
            refresh_ttl: Duration::from_hours(14 * 24),
            session_ttl: Duration::from_hours(14 * 24),
            files_dir: PathBuf::from("files"),
            file_bytes_max: 2_147_483_647, // `cwm-oke.md §8`: up to 2^31-1
            retention: RetentionSettings::default(),
            login_per_minute: NonZeroU32::MIN.saturating_add(9),
            registrations_per_hour: NonZeroU32::MIN.saturating_add(9),
            hash_parallel: 2,
            feed_backlog: 1024,
        }
    }
}
