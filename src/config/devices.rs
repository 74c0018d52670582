//! How devices and their commands are treated.

use super::setting::words;

/// What happens at the first contact of a device nobody has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownDevices {
    /// It is let in.
    Accept,
    /// It is answered and stored, and waits for a person.
    Hold,
    /// It is refused.
    Refuse,
}

words!(UnknownDevices {
    "accept" => UnknownDevices::Accept,
    "hold" => UnknownDevices::Hold,
    "refuse" => UnknownDevices::Refuse,
});

/// How devices and their commands are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    /// First contact.
    pub unknown: UnknownDevices,
    /// A device heard within this many seconds is online.
    pub online_within_s: u64,
    /// How long a command that was handed out counts as on its way.
    pub lease_hold_s: u64,
    /// How often a command is handed out before it is given up.
    pub attempts_max: u32,
    /// How long after it was handed out a command may be replied to.
    pub reply_window_s: u64,
    /// How long a command waits for its device unless its maker says otherwise.
    pub command_life_s: u64,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            unknown: UnknownDevices::Hold,
            online_within_s: 180,
            lease_hold_s: 300,
            attempts_max: 3,
            reply_window_s: 600,
            command_life_s: 86_400,
        }
    }
}
