//! Where devices stand, for filters, order and counts. All of it is in memory.

use std::collections::HashMap;

use crate::core::{HubError, Sight};
use crate::model::{Device, DeviceState};
use crate::web::App;

/// Where a device stands, the one that wants a person most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Silent for longer than it should be.
    Offline,
    /// Late, and maybe on its way.
    Late,
    /// It waits for a person.
    Held,
    /// As it should be.
    Online,
    /// Made by a person, and not heard yet.
    Never,
    /// Kept out.
    Blocked,
}

impl Standing {
    fn of(app: &App, device: &Device) -> Self {
        match device.state {
            DeviceState::Blocked => return Self::Blocked,
            DeviceState::Held => return Self::Held,
            DeviceState::Active => {}
        }
        if device.last_seen.is_none() {
            return Self::Never;
        }
        let presence = app.hub.presence(device);
        match (presence.online, presence.late) {
            (true, false) => Self::Online,
            (true, true) => Self::Late,
            (false, _) => Self::Offline,
        }
    }

    /// The word for people and for addresses.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Late => "late",
            Self::Held => "held",
            Self::Online => "online",
            Self::Never => "never active",
            Self::Blocked => "blocked",
        }
    }
}

/// A device that the caller sees.
pub(super) struct Found {
    pub(super) device: Device,
    pub(super) standing: Standing,
    /// Alerts that fire.
    pub(super) alerts: usize,
}

/// Every device that the caller sees, as it stands now.
pub(super) async fn all(app: &App, sight: &Sight) -> Result<Vec<Found>, HubError> {
    let firing = app.hub.firing_by_device().await?;
    let scope = sight.scope();
    let found = app.hub.devices_now().into_iter().filter(|device| scope.holds(Some(&device.names.id)));
    let found = found.map(|device| Found {
        standing: Standing::of(app, &device),
        alerts: firing.get(&device.names.id).copied().unwrap_or(0),
        device,
    });
    Ok(found.collect())
}

/// How many devices stand how.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    all: usize,
    alerting: usize,
    by_word: HashMap<&'static str, usize>,
}

impl Counts {
    pub(super) fn made(all: &[Found]) -> Self {
        let mut counts = Self { all: all.len(), ..Self::default() };
        for found in all {
            counts.alerting += usize::from(found.alerts > 0);
            *counts.by_word.entry(found.standing.word()).or_default() += 1;
        }
        counts
    }

    /// Of those for which an address has this word.
    pub(super) fn of(&self, word: &str) -> usize {
        match word {
            "" => self.all,
            "alerts" => self.alerting,
            word => self.by_word.get(word).copied().unwrap_or(0),
        }
    }
}
