//! What stands on the plots of a device beside its values: the bounds that rules and dictionaries set, and the times in which
//! alerts fired.

use crate::core::{AlertFilter, Level, Sight};
use crate::dictionary::Chosen;
use crate::model::{Alert, AlertState, Check, Device, Rule, Timestamp};
use crate::web::App;
use crate::web::api::rules;
use crate::web::error::WebError;

/// The rules for a device that the caller may look at, and its last alerts.
pub(super) struct Marks {
    rules: Vec<Rule>,
    alerts: Vec<Alert>,
}

/// Bounds as shown; what equals one is inside.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Bound(pub(super) Option<f64>, pub(super) Option<f64>);

/// When an alert fired, and when it was over, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Fired(pub(super) i64, pub(super) Option<i64>);

impl Marks {
    /// Reads them.
    pub(super) async fn read(app: &App, sight: &Sight, device: &Device) -> Result<Self, WebError> {
        let mut rules = app.hub.rules().await?;
        rules.retain(|rule| {
            rule.enabled && rules::level(sight, rule) >= Level::View && app.hub.rule_is_for(rule, device)
        });
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
        let (factor, offset) = chosen.scaling(sensor);
        let shown = |bound: Option<f64>| bound.map(|number| number.mul_add(factor, offset));
        let of_rule = |rule: &Rule| match &rule.check {
            Check::Bounds(bounds) if rule.is_for(sensor) => {
                let (low, high) = (shown(bounds.low), shown(bounds.high));
                // A scale may turn them round.
                Some(if factor < 0.0 { Bound(high, low) } else { Bound(low, high) })
            }
            Check::Bounds(_) | Check::NoData { .. } | Check::Offline => None,
        };
        let mut bounds: Vec<Bound> = self.rules.iter().filter_map(of_rule).collect();
        let (low, high) = chosen.limits(sensor);
        if low.is_some() || high.is_some() {
            bounds.push(Bound(low, high));
        }
        bounds.dedup();
        bounds
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

/// Bounds in words, for who does not see the lines: `35 to 45`, `at most 45`.
pub(super) fn words(bounds: &[Bound]) -> Option<String> {
    let plain = |number: &f64| (number * 1e6).round() / 1e6;
    let words = bounds.iter().filter_map(|Bound(low, high)| {
        match (low.as_ref().map(plain), high.as_ref().map(plain)) {
            (Some(low), Some(high)) => Some(format!("{low} to {high}")),
            (Some(low), None) => Some(format!("at least {low}")),
            (None, Some(high)) => Some(format!("at most {high}")),
            (None, None) => None,
        }
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

const fn millis(at: Timestamp) -> i64 {
    at.micros() / 1000
}

/// The last alerts of a device that its plots show.
const ALERTS_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_in_words() {
        let told = words(&[Bound(Some(35.0), Some(45.5)), Bound(None, Some(60.0)), Bound(Some(-1.0), None)]);
        assert_eq!(told.as_deref(), Some("35 to 45.5, at most 60, at least -1"));
        assert_eq!(words(&[]), None);
    }
}
