//! Settings: what `tswarm-node.md` leaves to the owner.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an owner may set right without a new build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TswarmSettings {
    /// Largest body in bytes; larger ones are answered 413 (§6).
    pub body_max_bytes: usize,
    /// Longest time a body may take, in milliseconds; slower ones are answered 408 (§6).
    pub body_time_ms: u64,
    /// The same body of the same node within this time is one reading, in seconds (§4).
    pub repeat_within_s: u32,
    /// What the summary for a node's screen may have, in bytes (§8).
    pub summary_max_bytes: usize,
    /// How many wrong calls of one address are told apart in a minute; more are counted together (§5).
    pub rejected_max_per_minute: u32,
    /// From where to where temperatures are taken as possible, in °C; others are stored and flagged (§6).
    pub temperature_c: [i32; 2],
    /// The same for humidity, in %RH.
    pub humidity_rh: [i32; 2],
    /// What a DHT11 can measure, in °C. Its driver writes whole numbers; whole numbers beyond are flagged (§6).
    pub dht11_temperature_c: [i32; 2],
    /// The same for humidity, in %RH. Data sheets differ: 20 to 90, some to 80.
    pub dht11_humidity_rh: [i32; 2],
}

impl Default for TswarmSettings {
    fn default() -> Self {
        Self {
            body_max_bytes: 4096,
            body_time_ms: 10_000,
            repeat_within_s: 5,
            summary_max_bytes: 512,
            rejected_max_per_minute: 20,
            temperature_c: [-60, 150],
            humidity_rh: [0, 100],
            dht11_temperature_c: [0, 50],
            dht11_humidity_rh: [20, 90],
        }
    }
}

impl TswarmSettings {
    /// How long the same body is a repeat.
    pub(super) fn repeat_within(&self) -> Duration {
        Duration::from_secs(self.repeat_within_s.into())
    }

    /// Says what a node would stumble over, before one does.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if self.body_max_bytes < 64 {
            return Err("`body_max_bytes`: at least 64".to_owned());
        }
        if self.body_time_ms == 0 {
            return Err("`body_time_ms`: at least 1".to_owned());
        }
        if self.summary_max_bytes < 64 {
            return Err("`summary_max_bytes`: at least 64".to_owned());
        }
        let ranges = [
            ("temperature_c", self.temperature_c),
            ("humidity_rh", self.humidity_rh),
            ("dht11_temperature_c", self.dht11_temperature_c),
            ("dht11_humidity_rh", self.dht11_humidity_rh),
        ];
        match ranges.iter().find(|(_, [low, high])| low > high) {
            Some((key, [low, high])) => Err(format!("`{key}`: from {low} to {high} is no range")),
            None => Ok(()),
        }
    }
}
