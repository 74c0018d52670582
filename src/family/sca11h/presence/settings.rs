//! The numbers of the presence rules (`sca11h.md §11`).

use serde::{Deserialize, Serialize};

/// When somebody lies in a bed, moves, and shows vital signs. A node says one sample a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceSettings {
    /// Somebody lies in the bed when of this many last samples …
    pub window_samples: u8,
    /// … at least so many are not those of an empty bed, …
    pub window_nonzero_min: u8,
    /// … and so many of them have vital signs (status 1).
    pub window_occupied_min: u8,
    /// The bed is empty after more than this many samples of an empty bed in a row.
    pub empty_samples: u32,
    /// How long after a movement nothing is concluded, in seconds; then the movement is over.
    pub movement_hold_s: u32,
    /// Vital signs are lost after more than this many seconds without a new beat; those of an empty bed count twice.
    pub vitals_stale_s: u32,
    /// A silence longer than this ends every run, in seconds.
    pub gap_s: u32,
    /// After a silence longer than this nobody knows who lies in the bed, in seconds.
    pub unknown_after_s: u32,
}

impl Default for PresenceSettings {
    fn default() -> Self {
        Self {
            window_samples: 15,
            window_nonzero_min: 10,
            window_occupied_min: 5,
            empty_samples: 15,
            movement_hold_s: 3,
            vitals_stale_s: 8,
            gap_s: 15,
            unknown_after_s: 600,
        }
    }
}

impl PresenceSettings {
    /// Says what cannot be meant.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let Self { window_samples, window_nonzero_min, window_occupied_min, .. } = *self;
        if window_nonzero_min == 0 || window_nonzero_min > window_samples {
            return Err(format!(
                "`presence.window_nonzero_min` is 1 to {window_samples}, the number of `presence.window_samples`"
            ));
        }
        if window_occupied_min == 0 || window_occupied_min > window_nonzero_min {
            return Err(format!(
                "`presence.window_occupied_min` is 1 to {window_nonzero_min}, the number of `presence.window_nonzero_min`"
            ));
        }
        Ok(())
    }
}
