//! Alerts: what fired, since when, and every change of it.

use serde::{Deserialize, Serialize};

use super::alarm::Side;
use super::{DeviceRef, Timestamp};

/// Something that a rule found wrong, from when it fired. One cause is one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id; follows from the rule, the device, the sensor and which time it is, so that one cause has one.
    pub id: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's name then.
    pub rule_name: String,
    /// What the rule looks at: `bounds`, `no_data` or `offline`.
    pub kind: String,
    /// The device, by its names then.
    pub device: DeviceRef,
    /// The sensor; `None` when it is about the device as a whole.
    pub sensor: Option<String>,
    /// Whether it fires still.
    pub state: AlertState,
    /// In which way something is wrong.
    pub side: Side,
    /// The value that was outside; `None` of a silence.
    pub value: Option<f64>,
    /// The bound that it crossed, or the seconds that a silence may last.
    pub bound: Option<f64>,
    /// When it began to be wrong.
    pub since: Timestamp,
    /// When it fired: after the hold time.
    pub fired: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// Every change, the first first.
    pub events: Vec<AlertEvent>,
    /// Who was told that it fires, and is told when it is over.
    pub told: Vec<String>,
    /// When people were told last that it fires.
    pub told_at: Option<Timestamp>,
    /// How often they were reminded.
    pub reminders: u32,
}

/// Whether an alert fires still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It does.
    Firing,
    /// It is over.
    Resolved,
}

/// One change of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlertEvent {
    /// When.
    pub at: Timestamp,
    /// What it became.
    pub state: EventState,
    /// The value then.
    pub value: Option<f64>,
    /// The bound then.
    pub bound: Option<f64>,
    /// Who did it, and why, if it was no value.
    pub note: Option<String>,
}

/// What an alert became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Something was wrong, and had to last.
    Pending,
    /// It fired.
    Firing,
    /// It was over.
    Resolved,
    /// A person took note of it.
    Acknowledged,
    /// A person wanted quiet.
    Muted,
}

/// What people did about an alert. Apart from it, so that they and the rule do not undo each other's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertNote {
    /// The alert's id.
    pub alert: String,
    /// Its device.
    pub device: super::DeviceId,
    /// Who took note of it.
    pub acknowledged_by: Option<String>,
    /// Nobody is told before.
    pub mute_until: Option<Timestamp>,
    /// What was done, the first first.
    pub events: Vec<AlertEvent>,
}

impl AlertState {
    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    /// Reads the word used in the API.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Firing, Self::Resolved].into_iter().find(|state| state.as_str() == text)
    }
}

impl AlertNote {
    /// Nothing was done yet.
    pub fn new(alert: &Alert) -> Self {
        Self {
            alert: alert.id.clone(),
            device: alert.device.id.clone(),
            acknowledged_by: None,
            mute_until: None,
            events: Vec::new(),
        }
    }
}
