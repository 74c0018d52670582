//! What stands on the plots of a device beside its values: the bounds that rules and dictionaries set, and the times in which
//! alerts fired.

use crate::core::{AlertFilter, Sight};
use crate::dictionary::Chosen;
use crate::model::{Alert, AlertState, Device, Timestamp};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::page::bounds::{Bound, Rules};

/// The rules for a device that the caller may look at, and its last alerts.
pub(super) struct Marks {
    rules: Rules,
    alerts: Vec<Alert>,
}

/// When an alert fired, and when it was over, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Fired(pub(super) i64, pub(super) Option<i64>);

impl Marks {
    /// Reads them.
    pub(super) async fn read(app: &App, sight: &Sight, device: &Device) -> Result<Self, WebError> {
        let rules = Rules::read(app, sight).await?.of_device(&app.hub, device);
        let filter = AlertFilter {
            device: Some(device.names.id.clone()),
            limit: ALERTS_MAX,
            ..AlertFilter::default()
        };
        let alerts = app.hub.alerts(filter, |_| true).await?.into_iter().map(|(_, alert)| alert).collect();
        Ok(Self { rules, alerts })
    }

    /// The alerts that fire now.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.state == AlertState::Firing)
    }

    /// The bounds of a sensor, as shown.
    pub(super) fn bounds(&self, chosen: &Chosen, sensor: &str) -> Vec<Bound> {
        self.rules.shown(chosen, sensor)
    }

    /// The rules.
    pub(super) const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// When alerts of a sensor fired.
    pub(super) fn fired(&self, sensor: &str) -> Vec<Fired> {
        let own = self.alerts.iter().filter(|alert| alert.sensor.as_deref() == Some(sensor));
        own.map(|alert| Fired(millis(alert.fired), alert.resolved.map(millis))).collect()
    }

    /// Whether an alert of a sensor fires now.
    pub(super) fn fires(&self, sensor: &str) -> bool {
        self.firing().any(|alert| alert.sensor.as_deref() == Some(sensor))
    }
}

const fn millis(at: Timestamp) -> i64 {
    at.micros() / 1000
}

/// The last alerts of a device that its plots show.
const ALERTS_MAX: u32 = 100;
