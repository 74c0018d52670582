//! Which alerts fire now: a small list beside the many that were, so that every page can say how many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::core::{Batch, Hub, HubError, Kept};
use crate::model::{Alert, AlertState, DeviceId};

/// An alert that fires. Kept in the same transaction as the alert, and gone with its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The alert's id.
    pub alert: String,
    /// Its rule's id.
    #[serde(default)]
    pub rule: String,
    /// Its device.
    pub device: DeviceId,
}

impl Kept for Firing {
    const KIND: &'static str = "alert_firing";

    fn key(&self) -> String {
        self.alert.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Firing {
    /// What is kept of an alert while it fires.
    pub fn of(alert: &Alert) -> Self {
        Self { alert: alert.id.clone(), rule: alert.rule.clone(), device: alert.device.id.clone() }
    }

    /// Takes over into a batch what became of an alert.
    pub fn follow(alert: &Alert, batch: &mut Batch) -> Result<(), HubError> {
        match alert.state {
            AlertState::Firing => batch.keep(&Self::of(alert)),
            AlertState::Resolved => {
                batch.forget::<Self>(&alert.id);
                Ok(())
            }
        }
    }
}

/// How many fire, by device, as it was read last.
#[derive(Debug, Default)]
pub(in crate::core) struct Counted(Mutex<Option<Count>>);

#[derive(Clone, Debug)]
struct Count {
    by_device: Arc<HashMap<DeviceId, usize>>,
    read: Instant,
    /// How many alerts this server had told of then.
    turn: u64,
}

impl Hub {
    /// How many alerts fire, of devices that may be told of. Right at once for what this server found, within a second for
    /// what another did.
    pub async fn firing(&self, seen: impl Fn(&DeviceId) -> bool) -> Result<usize, HubError> {
        let by_device = self.firing_by_device().await?;
        Ok(by_device.iter().filter(|(device, _)| seen(device)).map(|(_, count)| count).sum())
    }

    /// How many alerts fire for each device that has one.
    pub async fn firing_by_device(&self) -> Result<Arc<HashMap<DeviceId, usize>>, HubError> {
        let counted = &self.0.firing;
        let turn = self.alerts_turn();
        if let Some(known) = counted.known(turn) {
            return Ok(known);
        }
        let read = Instant::now();
        let mut by_device: HashMap<DeviceId, usize> = HashMap::new();
        self.kept_each(|one: Firing| *by_device.entry(one.device).or_default() += 1).await?;
        let by_device = Arc::new(by_device);
        counted.set(Count { by_device: Arc::clone(&by_device), read, turn });
        Ok(by_device)
    }

    /// How many alerts of each rule fire, of devices that may be told of.
    pub async fn firing_by_rule(
        &self,
        seen: impl Fn(&DeviceId) -> bool + Send + Sync,
    ) -> Result<HashMap<String, usize>, HubError> {
        let mut by_rule: HashMap<String, usize> = HashMap::new();
        let count = |one: Firing| *by_rule.entry(one.rule).or_default() += usize::from(seen(&one.device));
        self.kept_each(count).await?;
        Ok(by_rule)
    }

    /// The alerts that fire, of devices that may be told of; those beyond `most` are only counted.
    pub async fn firing_alerts(
        &self,
        seen: impl Fn(&DeviceId) -> bool + Send,
        most: usize,
    ) -> Result<(Vec<Alert>, usize), HubError> {
        let mut all = Vec::new();
        self.kept_each(|one: Firing| all.push(one)).await?;
        all.retain(|one| seen(&one.device));
        let mut found = Vec::new();
        for one in all.iter().take(most) {
            found.extend(self.kept::<Alert>(&one.alert).await?);
        }
        found.retain(|alert| alert.state == AlertState::Firing);
        found.sort_by(|one, other| (other.fired, &other.id).cmp(&(one.fired, &one.id)));
        Ok((found, all.len().saturating_sub(most)))
    }
}

impl Counted {
    fn known(&self, turn: u64) -> Option<Arc<HashMap<DeviceId, usize>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |count: &&Count| count.turn == turn && count.read.elapsed() < FRESH;
        known.as_ref().filter(fresh).map(|count| Arc::clone(&count.by_device))
    }

    fn set(&self, count: Count) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(count);
    }
}

/// Another server may have found something: it is read again after this.
const FRESH: Duration = Duration::from_secs(1);
