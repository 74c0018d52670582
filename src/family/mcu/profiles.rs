//! Which profile each board has: by the settings, or as a person chose for it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::profile::{OWN_SENSORS, Profile};
use crate::core::{Hub, HubError, Kept};
use crate::model::{Device, DeviceId, SensorName};

/// A profile, ready for messages.
#[derive(Debug)]
pub(super) struct Ready {
    /// What it says.
    pub(super) profile: Arc<Profile>,
    /// The sensors of its columns.
    names: Vec<SensorName>,
    /// The column that counts messages.
    pub(super) counter: Option<usize>,
}

/// The profiles of the settings, and who has which.
#[derive(Debug)]
pub(super) struct Profiles {
    list: Vec<Arc<Ready>>,
    /// The firmware's own, for boards that fit none.
    usual: Arc<Ready>,
    chosen: RwLock<HashMap<String, Arc<Ready>>>,
}

/// A person's choice for one board.
#[derive(Debug, Serialize, Deserialize)]
struct Choice {
    device: DeviceId,
    address: String,
    profile: String,
}

impl Kept for Choice {
    const KIND: &'static str = "mcu_profile";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Ready {
    fn new(profile: &Profile) -> Arc<Self> {
        Arc::new(Self {
            names: profile.columns.iter().map(|column| SensorName::from(column.name.as_str())).collect(),
            counter: profile.columns.iter().position(|column| column.counts),
            profile: Arc::new(profile.clone()),
        })
    }

    /// The sensor of a column: columns without a name are called by their place (§4).
    pub(super) fn sensor(&self, column: usize) -> SensorName {
        self.names.get(column).cloned().unwrap_or_else(|| SensorName::from(format!("v{}", column + 1)))
    }
}

impl Profiles {
    /// Those of the settings.
    pub(super) fn new(list: &[Profile]) -> Self {
        Self {
            list: list.iter().map(Ready::new).collect(),
            usual: Ready::new(&Profile::default()),
            chosen: RwLock::default(),
        }
    }

    /// The one of a board.
    pub(super) fn of(&self, address: &str) -> Arc<Ready> {
        let chosen = self.chosen.read().unwrap_or_else(PoisonError::into_inner);
        let found =
            chosen.get(address).or_else(|| self.list.iter().find(|ready| ready.profile.fits(address)));
        Arc::clone(found.unwrap_or(&self.usual))
    }

    /// Those of the settings.
    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        self.list.iter().map(|ready| &*ready.profile)
    }

    /// The column that a stored sensor of a board with this profile stood in. What was stored under an earlier profile
    /// of the board is found by those that there are.
    pub(super) fn column(&self, ready: &Ready, sensor: &SensorName) -> Option<usize> {
        if OWN_SENSORS.contains(&sensor.as_str()) {
            return None;
        }
        let named = |ready: &Ready| ready.names.iter().position(|name| name == sensor);
        let numbered = || sensor.strip_prefix('v')?.parse::<usize>().ok()?.checked_sub(1);
        let others = || self.list.iter().chain([&self.usual]).find_map(|ready| named(ready));
        named(ready).or_else(numbered).or_else(others)
    }

    /// What the columns mean: a data dictionary each.
    pub(super) fn dictionaries(&self) -> Vec<String> {
        let listed = self.list.iter().any(|ready| ready.profile.name == self.usual.profile.name);
        let usual = Some(&self.usual).filter(|_| !listed);
        self.list.iter().chain(usual).map(|ready| ready.profile.dictionary()).collect()
    }

    /// A person chooses a profile for a board; `null` goes back to the settings.
    pub(super) async fn choose(
        &self,
        hub: &Hub,
        device: &Device,
        wish: &serde_json::Value,
    ) -> Result<(), HubError> {
        let names = &device.names;
        if wish.is_null() {
            hub.forget_kept::<Choice>(names.id.as_str()).await?;
            self.set(&names.address, None);
            return Ok(());
        }
        let known: Vec<&str> = self.list.iter().map(|ready| ready.profile.name.as_str()).collect();
        let found = wish.as_str().and_then(|name| self.named(name)).ok_or_else(|| {
            HubError::invalid("profile", format!("profile is null or one of {}", known.join(", ")))
        })?;
        let profile = found.profile.name.clone();
        let choice = Choice { device: names.id.clone(), address: names.address.clone(), profile };
        hub.keep(&choice).await?;
        self.set(&names.address, Some(found));
        Ok(())
    }

    /// Reads what was chosen, here or by way of another server on the same store.
    pub(super) async fn read(&self, hub: &Hub) -> Result<(), HubError> {
        let mut chosen = HashMap::new();
        hub.kept_each(|choice: Choice| {
            // A profile that the settings no longer have is passed over, and counts again when they have it.
            if let Some(ready) = self.named(&choice.profile) {
                chosen.insert(choice.address, ready);
            }
        })
        .await?;
        *self.chosen.write().unwrap_or_else(PoisonError::into_inner) = chosen;
        Ok(())
    }

    fn named(&self, name: &str) -> Option<Arc<Ready>> {
        self.list.iter().find(|ready| ready.profile.name == name).cloned()
    }

    fn set(&self, address: &str, ready: Option<Arc<Ready>>) {
        let mut chosen = self.chosen.write().unwrap_or_else(PoisonError::into_inner);
        match ready {
            Some(ready) => chosen.insert(address.to_owned(), ready),
            None => chosen.remove(address),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_counts_and_columns_without_a_name_are_numbered() {
        let green = Profile {
            name: "greenhouse".to_owned(),
            boards: vec!["1*".to_owned()],
            columns: vec![super::super::profile::Column { name: "Gain".to_owned(), ..Default::default() }],
            ..Profile::default()
        };
        let profiles = Profiles::new(&[green, Profile::default()]);
        let ready = profiles.of("17");
        assert_eq!((ready.profile.name.as_str(), ready.counter), ("greenhouse", None));
        assert_eq!([ready.sensor(0).as_str(), ready.sensor(1).as_str()], ["Gain", "v2"]);
        let ready = profiles.of("5");
        assert_eq!((ready.profile.name.as_str(), ready.counter), ("board", Some(0)));
        assert_eq!(ready.sensor(2).as_str(), "v3");
        assert_eq!(Profiles::new(&[]).of("5").sensor(1).as_str(), "TempSensor");
        assert_eq!(profiles.dictionaries().len(), 2);
    }
}
