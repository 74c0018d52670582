//! Settings of devices that have a token.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::pace::Allowance;

/// What an owner may set about devices that have a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenSettings {
    /// The zone of times that a device sends without one, such as `Europe/Berlin`.
    pub device_zone: String,
    /// Records that one device may send in a second, as a steady pace; 0 is any number.
    pub records_max_per_second: u32,
    /// Records that one device may send at once.
    pub records_burst: u32,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { device_zone: "UTC".to_owned(), records_max_per_second: 20, records_burst: 200 }
    }
}

impl TokenSettings {
    /// Says what a device would stumble over, before one does.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if let Err(error) = TimeZone::get(&self.device_zone) {
            return Err(format!("`device_zone`: a zone such as Europe/Berlin or UTC ({error})"));
        }
        if self.records_max_per_second > 1_000_000
            || self.records_burst == 0
            || self.records_burst > 1_000_000
        {
            return Err("`records_max_per_second` is 0 to 1000000, `records_burst` 1 to 1000000".to_owned());
        }
        Ok(())
    }

    /// The zone; `check` refused one that there is none of.
    pub(super) fn zone(&self) -> TimeZone {
        TimeZone::get(&self.device_zone).unwrap_or(TimeZone::UTC)
    }

    /// What one device may send.
    pub(super) const fn allowance(&self) -> Allowance {
        Allowance { per_second: self.records_max_per_second, burst: self.records_burst }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_stand_and_wrong_settings_are_named() {
        let settings = TokenSettings::default();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(toml::from_str(&toml::to_string(&settings).unwrap()), Ok(settings.clone()));
        let wrong = TokenSettings { device_zone: "Mars/Olympus".to_owned(), ..settings.clone() };
        assert!(wrong.check().unwrap_err().contains("`device_zone`"));
        let wrong = TokenSettings { records_burst: 0, ..settings };
        assert!(wrong.check().unwrap_err().contains("`records_burst`"));
    }
}
