//! What the server looks after by itself: it hears every sound message, and acts on few.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::names::CwmSettings;
use super::{Cwm, counters, wanted};
use crate::core::{Event, Hub, HubError, Report};
use crate::family::Facts;
use crate::model::{Device, DeviceId, Reading, Verdict};

/// Wishes of the owner's and what is known of counters.
#[derive(Debug, Default)]
pub(super) struct Care {
    wishes: wanted::Wishes,
    ledger: counters::Ledger,
}

/// What a message says that somebody looks after.
pub(super) struct Noted {
    device: DeviceId,
    port: Option<wanted::Said>,
    counters: counters::Said,
}

impl Care {
    /// Looks at a message before it is stored; most say nothing of interest.
    pub(super) fn note(&self, report: &Report, settings: &CwmSettings) -> Option<Noted> {
        let device = report.device.as_ref()?.names().id.clone();
        let readings = || report.events.iter().flat_map(readings);
        let wanted = self.wishes.has(&device);
        let port = if wanted { wanted::Said::of(readings(), &settings.names) } else { None };
        let counters = counters::said(readings(), &settings.counters);
        (port.is_some() || !counters.is_empty()).then_some(Noted { device, port, counters })
    }

    /// Acts on what was noted, now that the message is stored. Says whether something waits for the module now.
    pub(super) async fn act(&self, cwm: &Cwm, hub: &Hub, noted: Noted, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Ok | Verdict::NoCrc | Verdict::None => {}
            // A repeat says how things were.
            Verdict::Duplicate | Verdict::BadCrc | Verdict::Malformed => return false,
        }
        let Noted { device, port, counters } = noted;
        if let Err(error) = self.ledger.hear(hub, &device, counters).await {
            tracing::warn!(%device, %error, "counters were not looked at");
        }
        let Some(port) = port else { return false };
        match self.wishes.look(cwm, hub, &device, &port).await {
            Ok(queued) => queued,
            Err(error) => {
                tracing::warn!(%device, %error, "the wanted port could not be asked for");
                false
            }
        }
    }

    /// What people see of a device.
    pub(super) async fn facts(&self, hub: &Hub, device: &Device) -> Result<Facts, HubError> {
        let mut facts = Facts::new();
        let id = &device.names.id;
        if let Some(wanted) = hub.kept::<wanted::WantedPort>(id.as_str()).await? {
            facts.insert(WANTED_PORT.to_owned(), wanted.shown());
        }
        if let Some(counters) = self.ledger.shown(hub, id).await? {
            facts.insert("counters".to_owned(), counters);
        }
        Ok(facts)
    }

    /// Takes a wish; `false` when there is none of that name.
    pub(super) async fn wish(
        &self,
        hub: &Hub,
        device: &Device,
        name: &str,
        wish: &Json,
    ) -> Result<bool, HubError> {
        if name != WANTED_PORT {
            return Ok(false);
        }
        self.wishes.set(hub, device, wish).await.map(|()| true)
    }

    /// Keeps up with other servers on the same store, and keeps what happened, until `stop`.
    pub(super) async fn work(cwm: Arc<Cwm>, hub: Hub, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(READ_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = cwm.care.wishes.read(&hub).await {
                tracing::warn!(%error, "wanted ports were not read; the next time tries again");
            }
            cwm.care.keep(&hub).await;
        }
        cwm.care.keep(&hub).await;
    }

    async fn keep(&self, hub: &Hub) {
        if let Err(error) = self.ledger.keep(hub).await {
            tracing::warn!(%error, "restarts of counters were not kept; the next time tries again");
        }
    }
}

fn readings(event: &Event) -> &[Reading] {
    match event {
        Event::Readings(readings) => readings,
        Event::Reply { .. } => &[],
    }
}

/// The wish's name in the API.
const WANTED_PORT: &str = "wanted_port";
const READ_EVERY: Duration = Duration::from_mins(1);
