//! Whether what a family's devices say is kept: a switch that a person turns, and what was passed over meanwhile.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::{DeviceId, FamilyName, Timestamp};

/// One family's recording, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Recording {
    /// Whose messages.
    pub family: FamilyName,
    /// Whether they are kept.
    pub recording: bool,
    /// Since when; `None` when nobody ever turned the switch.
    pub since: Option<Timestamp>,
    /// Who turned it last.
    pub by: Option<String>,
    /// Messages that were passed over in this pause, or in the last one. A pause that outlives the server counts from
    /// the server's start.
    pub dropped: u64,
}

/// How somebody left the switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Switch {
    family: FamilyName,
    on: bool,
    at: Timestamp,
    by: String,
    dropped: u64,
}

impl Kept for Switch {
    const KIND: &'static str = "recording";

    fn key(&self) -> String {
        self.family.to_string()
    }
}

/// The switches of all families that have one.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    turned: ArcSwap<HashMap<FamilyName, Switch>>,
    /// Families that have a switch, and what was passed over in the pause that is.
    dropped: Mutex<Vec<(FamilyName, Arc<AtomicU64>)>>,
}

impl Recordings {
    fn switches(&self) -> MutexGuard<'_, Vec<(FamilyName, Arc<AtomicU64>)>> {
        // Only ever added to.
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self, family: &FamilyName) -> Option<Arc<AtomicU64>> {
        self.switches().iter().find(|(known, _)| known == family).map(|(_, count)| Arc::clone(count))
    }

    fn shown(&self, family: &FamilyName, dropped: &AtomicU64) -> Recording {
        let turned = self.turned.load();
        let switch = turned.get(family);
        let recording = switch.is_none_or(|switch| switch.on);
        let before = switch.filter(|_| recording).map(|switch| switch.dropped);
        Recording {
            family: family.clone(),
            recording,
            since: switch.map(|switch| switch.at),
            by: switch.map(|switch| switch.by.clone()),
            dropped: before.unwrap_or_else(|| dropped.load(Ordering::Relaxed)),
        }
    }

    fn turn(&self, switch: Switch) {
        let mut turned = HashMap::clone(&self.turned.load());
        turned.insert(switch.family.clone(), switch);
        self.turned.store(Arc::new(turned));
    }
}

impl Hub {
    /// Gives a family a switch: only where nothing that is passed over was acknowledged. For the start.
    pub fn may_pause(&self, family: FamilyName) {
        let mut switches = self.0.recordings.switches();
        if !switches.iter().any(|(known, _)| *known == family) {
            switches.push((family, Arc::default()));
        }
    }

    /// Whether what a family's devices say is to be kept.
    pub fn is_recording(&self, family: &FamilyName) -> bool {
        self.0.recordings.turned.load().get(family).is_none_or(|switch| switch.on)
    }

    /// When the switch of a family was turned last.
    pub fn recording_turned(&self, family: &FamilyName) -> Option<Timestamp> {
        self.0.recordings.turned.load().get(family).map(|switch| switch.at)
    }

    /// Every family that has a switch.
    pub fn recordings(&self) -> Vec<Recording> {
        let recordings = &self.0.recordings;
        let switches = recordings.switches();
        switches.iter().map(|(family, dropped)| recordings.shown(family, dropped)).collect()
    }

    /// Begins or ends the keeping of what a family's devices say. Durable when it returns. Says whether that changed
    /// anything.
    pub async fn record(
        &self,
        family: &FamilyName,
        on: bool,
        by: &str,
    ) -> Result<(Recording, bool), HubError> {
        let recordings = &self.0.recordings;
        let dropped = recordings.dropped(family).ok_or(HubError::NotFound("recording"))?;
        let changed = self.is_recording(family) != on;
        if changed {
            let before = if on { dropped.load(Ordering::Relaxed) } else { 0 };
            let switch =
                Switch { family: family.clone(), on, at: self.now(), by: by.to_owned(), dropped: before };
            self.keep(&switch).await?;
            if !on {
                dropped.store(0, Ordering::Relaxed);
            }
            recordings.turn(switch);
            let word = if on { "resumed" } else { "paused" };
            tracing::info!(%family, by, dropped = before, "recording {word}");
        }
        Ok((recordings.shown(family, &dropped), changed))
    }

    /// Counts a message that is not kept; the device, if it is known, has been heard all the same.
    pub fn pass_over(&self, family: &FamilyName, device: Option<&DeviceId>) {
        if let Some(device) = device {
            self.0.registry.touch(device, self.now());
        }
        if let Some(dropped) = self.0.recordings.dropped(family) {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.0.tally.passed_over(family);
    }

    /// Reads how the switches were left, here or by way of another server on the same store.
    pub async fn recordings_read(&self) -> Result<(), HubError> {
        let mut read = Vec::new();
        self.kept_each(|switch: Switch| read.push(switch)).await?;
        for switch in read {
            let known = self.0.recordings.turned.load().get(&switch.family).map(|known| known.at);
            if known.is_none_or(|known| known < switch.at) {
                self.0.recordings.turn(switch);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::HubSettings;
    use super::super::tests::Bench;
    use super::*;

    #[tokio::test]
    async fn a_switch_is_kept_counted_and_followed_by_other_servers() {
        let bench = Bench::new(HubSettings::default()).await;
        let (hub, mcu) = (&bench.hub, FamilyName::new("mcu"));
        let other = bench.beside().await;
        assert!(hub.recordings().is_empty() && hub.is_recording(&mcu));
        assert_eq!(hub.record(&mcu, false, "user:maria").await, Err(HubError::NotFound("recording")));
        for hub in [hub, &other] {
            hub.may_pause(mcu.clone());
            hub.may_pause(mcu.clone());
        }
        let (paused, changed) = hub.record(&mcu, false, "user:maria").await.unwrap();
        assert!(changed && !paused.recording && !hub.is_recording(&mcu));
        assert!(hub.is_recording(&FamilyName::new("cwm")), "and nobody else's");
        assert!(!hub.record(&mcu, false, "user:otto").await.unwrap().1, "twice is once");
        hub.pass_over(&mcu, None);
        hub.pass_over(&mcu, Some(&DeviceId::new("unknown")));
        assert_eq!(hub.recordings()[0].dropped, 2);

        assert!(other.is_recording(&mcu));
        other.recordings_read().await.unwrap();
        assert!(!other.is_recording(&mcu) && other.recordings()[0].by.as_deref() == Some("user:maria"));
        assert!(!bench.beside().await.is_recording(&mcu), "it outlives a restart");

        bench.pass(Duration::from_secs(1));
        let (resumed, _) = hub.record(&mcu, true, "user:otto").await.unwrap();
        assert_eq!((resumed.dropped, resumed.recording, resumed.since), (2, true, Some(hub.now())));
        other.recordings_read().await.unwrap();
        assert!(other.is_recording(&mcu) && other.recordings()[0].dropped == 2);
        bench.pass(Duration::from_secs(1));
        assert_eq!(
            hub.record(&mcu, false, "user:otto").await.unwrap().0.dropped,
            0,
            "each pause counts anew"
        );
    }
}
