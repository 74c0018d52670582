//! One second of a bed (`sca11h.md §4.4, §11`), after its row was read and its time settled.

use crate::model::Timestamp;

/// One row's values. `None` where the node had no value; a zero of HR, RR, SV, HRV or a beat means the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// When it was measured, as far as the server believes: the device's time, or one reckoned from the arrival when
    /// the device's clock is off.
    pub(super) at: Timestamp,
    /// When it was measured by the device's clock.
    pub(super) device_time: Option<Timestamp>,
    /// The row's counter of seconds.
    pub(super) index: Option<i64>,
    /// Heart rate, beats a minute.
    pub(super) hr_bpm: Option<i64>,
    /// Breaths a minute.
    pub(super) rr_rpm: Option<i64>,
    /// Relative stroke volume: an index, no millilitres.
    pub(super) sv_index: Option<i64>,
    /// Heart rate variability, milliseconds.
    pub(super) hrv_ms: Option<i64>,
    /// Signal strength, no unit.
    pub(super) signal_strength: Option<i64>,
    /// What the node makes of the bed.
    pub(super) status: Status,
    /// Beat-to-beat intervals in milliseconds, the newest first, none of them zero.
    pub(super) beats_ms: Vec<i64>,
    /// Whether HR, SV and HRV belong to a beat of this second rather than an earlier one.
    pub(super) fresh: bool,
}

/// The row's status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// 0: the signal is too low, the bed is empty.
    Empty,
    /// 1: somebody lies in it and vital signs can be measured.
    Occupied,
    /// 2: the signal is too high, somebody moves; vital signs are not to be relied upon.
    Movement,
    /// Any other number: kept, and believed to mean nothing about presence.
    Other(i64),
}

impl Status {
    /// Reads the code.
    pub(super) const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Empty,
            1 => Self::Occupied,
            2 => Self::Movement,
            other => Self::Other(other),
        }
    }

    /// The code.
    pub(super) const fn code(self) -> i64 {
        match self {
            Self::Empty => 0,
            Self::Occupied => 1,
            Self::Movement => 2,
            Self::Other(code) => code,
        }
    }
}
