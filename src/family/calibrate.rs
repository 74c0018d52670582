//! Settings worked out from a device's own history: what is asked, and what comes of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Facts;
use crate::model::Timestamp;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its first moment.
    pub from: Timestamp,
    /// The moment after its last.
    pub to: Timestamp,
}

/// What to work it out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrateFrom {
    /// When there was nothing to measure; looked for when not given.
    pub empty: Option<Period>,
    /// When there was; looked for when not given.
    pub occupied: Option<Period>,
    /// How far back it is looked for.
    pub search: Duration,
    /// How long a stretch is looked for.
    pub window: Duration,
}

impl CalibrateFrom {
    /// So many stretches are looked at, at most: a day of minutes, two months of hours.
    pub const WINDOWS_MAX: u32 = 1500;

    /// How many stretches are looked at, at most.
    pub fn windows(&self) -> u32 {
        let each = self.window.as_secs().max(1);
        u32::try_from(self.search.as_secs() / each).unwrap_or(u32::MAX)
    }
}

/// What comes of it.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// Inputs, result and doubts, for people to read.
    pub shown: Facts,
    /// Why a device would not take the result; `None` when it would.
    pub unusable: Option<String>,
    /// The verb of the command that sets it.
    pub cmd: String,
    /// That command's payload, JSON text.
    pub payload: String,
}
