//! The bounds that rules and dictionaries set, for plots and dials.

use crate::core::{Hub, HubError, Level, Sight};
use crate::dictionary::Chosen;
use crate::model::{Check, Device, Rule};
use crate::web::App;
use crate::web::api::rules;

/// Between which values something is in order; what equals one is inside.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Bound(pub(super) Option<f64>, pub(super) Option<f64>);

/// The rules that count now and that the caller may look at.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Bound {
    /// The same of values on another scale, which may turn it round.
    fn scaled(self, factor: f64, offset: f64) -> Self {
        let [low, high] = [self.0, self.1].map(|end| end.map(|number| number.mul_add(factor, offset)));
        if factor < 0.0 { Self(high, low) } else { Self(low, high) }
    }
}

impl Rules {
    /// Reads those for all devices.
    pub(super) async fn read(app: &App, sight: &Sight) -> Result<Self, HubError> {
        let mut rules = app.hub.rules().await?;
        rules.retain(|rule| rule.enabled && rules::level(sight, rule) >= Level::View);
        Ok(Self(rules))
    }

    /// Those for one device.
    pub(super) fn of_device(self, hub: &Hub, device: &Device) -> Self {
        Self(self.0.into_iter().filter(|rule| hub.rule_is_for(rule, device)).collect())
    }

    /// The bounds of a sensor as its dictionary shows its values.
    pub(super) fn shown(&self, chosen: &Chosen, sensor: &str) -> Vec<Bound> {
        let (factor, offset) = chosen.scaling(sensor);
        with(self.0.iter(), sensor, |bound| bound.scaled(factor, offset), limits(chosen, sensor))
    }

    /// The bounds of a device's sensor as its values are stored: those of a dial.
    pub(super) fn stored(&self, hub: &Hub, device: &Device, chosen: &Chosen, sensor: &str) -> Vec<Bound> {
        let (factor, offset) = chosen.scaling(sensor);
        let limits = limits(chosen, sensor).filter(|_| factor != 0.0);
        let limits = limits.map(|bound| bound.scaled(factor.recip(), -offset / factor));
        let own = self.0.iter().filter(|rule| hub.rule_is_for(rule, device));
        with(own, sensor, |bound| bound, limits)
    }
}

fn with<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    sensor: &str,
    shown: impl Fn(Bound) -> Bound,
    limits: Option<Bound>,
) -> Vec<Bound> {
    let of_rules = rules.filter_map(|rule| match &rule.check {
        Check::Bounds(bounds) if rule.is_for(sensor) => Some(shown(Bound(bounds.low, bounds.high))),
        Check::Bounds(_) | Check::NoData { .. } | Check::Offline => None,
    });
    let mut bounds: Vec<Bound> = of_rules.chain(limits).collect();
    bounds.dedup();
    bounds
}

fn limits(chosen: &Chosen, sensor: &str) -> Option<Bound> {
    let (low, high) = chosen.limits(sensor);
    (low.is_some() || high.is_some()).then_some(Bound(low, high))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_told_in_words() {
        let told = words(&[Bound(Some(35.0), Some(45.5)), Bound(None, Some(60.0)), Bound(Some(-1.0), None)]);
        assert_eq!(told.as_deref(), Some("35 to 45.5, at most 60, at least -1"));
        assert_eq!(words(&[]), None);
    }

    #[test]
    fn a_scale_may_turn_bounds_round() {
        assert_eq!(Bound(Some(1.0), None).scaled(2.0, 1.0), Bound(Some(3.0), None));
        assert_eq!(Bound(Some(1.0), None).scaled(-2.0, 0.0), Bound(None, Some(-2.0)));
    }
}
