//! What is watched, in memory: every sensor that a rule is for, where it stands, and what is to be written of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::told::{self, Occasion};
use crate::core::{Delivery, Watch};
use crate::model::{
    Alarm, Alert, AlertEvent, AlertState, Bounds, Change, Check, Datum, Device, DeviceId, DeviceRef,
    EventState, Phase, Rule, Sample, SensorName, Side, Timestamp, Trip, Value, number,
};

/// Everything that is watched, by device.
#[derive(Debug, Default)]
pub(super) struct Book(pub(super) HashMap<DeviceId, Watched>);

/// What is watched of one device.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) names: DeviceRef,
    /// The rules that are for it.
    pub(super) rules: Vec<Arc<Rule>>,
    /// By rule and sensor.
    pub(super) entries: BTreeMap<Key, Entry>,
    /// Which of the rules are for a sensor, once asked.
    by_sensor: HashMap<SensorName, Under>,
}

/// The rule's id, and the sensor; empty when it is about the device as a whole.
pub(super) type Key = (String, String);

/// The rules that look at a sensor, each with the key of its entry.
type Under = Arc<[(Arc<Rule>, Key)]>;

/// One sensor under one rule.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The bounds that it was judged by.
    pub(super) judged: Option<Bounds>,
    pub(super) alarm: Alarm,
    /// The alert that fires.
    pub(super) alert: Option<Box<Alert>>,
    /// When a value came last.
    pub(super) heard: Option<Timestamp>,
    /// Nobody need be asked before whether people are to be told.
    pub(super) look_again: Timestamp,
}

/// What is to be written, together.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) watches: BTreeMap<String, Watch>,
    pub(super) gone: Vec<String>,
    /// Alerts that are new, and those that changed.
    pub(super) alerts: BTreeMap<String, (Alert, bool)>,
    pub(super) deliveries: Vec<Delivery>,
    /// Messages made so far: those of one time keep their order.
    pub(super) made: u32,
}

impl Work {
    pub(super) fn is_empty(&self) -> bool {
        self.watches.is_empty()
            && self.gone.is_empty()
            && self.alerts.is_empty()
            && self.deliveries.is_empty()
    }

    fn note(&mut self, alert: &Alert, fresh: bool) {
        let fresh = fresh || self.alerts.get(&alert.id).is_some_and(|(_, fresh)| *fresh);
        self.alerts.insert(alert.id.clone(), (alert.clone(), fresh));
    }

    /// Tells the channels of an alert.
    pub(super) fn tell(&mut self, alert: &Alert, occasion: Occasion, channels: &[String], now: Timestamp) {
        for channel in channels {
            self.deliveries.push(told::message(alert, occasion, channel, self.made, now));
            self.made = self.made.wrapping_add(1);
        }
    }
}

impl Watched {
    pub(super) fn new(device: &Device) -> Self {
        Self {
            names: device.names.clone(),
            rules: Vec::new(),
            entries: BTreeMap::new(),
            by_sensor: HashMap::new(),
        }
    }

    /// Sets the rules that are for it; says whether they are others than before. What those had firing is over.
    pub(super) fn is_under(&mut self, rules: Vec<Arc<Rule>>, now: Timestamp, work: &mut Work) -> bool {
        let same = rules.len() == self.rules.len()
            && rules.iter().zip(&self.rules).all(|(one, other)| Arc::ptr_eq(one, other));
        if same {
            return false;
        }
        self.rules = rules;
        self.by_sensor.clear();
        let orphans: Vec<_> = self
            .entries
            .keys()
            .filter(|(rule, sensor)| {
                !self.rules.iter().any(|known| known.id == *rule && belongs(known, sensor))
            })
            .cloned()
            .collect();
        for key in orphans {
            let Some(mut entry) = self.entries.remove(&key) else { continue };
            let changes = entry.alarm.end(now);
            let note = Some("the rule is no longer for it");
            entry.follow(&self.names, None, &key.1, changes, note, now, work);
            let key = Watch::key_of(&key.0, &self.names.id, &key.1);
            work.watches.remove(&key);
            work.gone.push(key);
        }
        for rule in &self.rules {
            // What may be silent from the start is watched from the start.
            let sensor = match &rule.check {
                Check::Bounds(_) => continue,
                Check::Offline => String::new(),
                Check::NoData { .. } => match &rule.sensor {
                    Some(sensor) if sensor.contains('*') => continue,
                    sensor => sensor.clone().unwrap_or_default(),
                },
            };
            self.entries.entry((rule.id.clone(), sensor)).or_default();
        }
        true
    }

    /// Looks at a value.
    pub(super) fn value(&mut self, datum: &Datum, now: Timestamp, work: &mut Work) {
        for (rule, key) in self.under(&datum.sensor).iter() {
            let entry = match self.entries.get_mut(key) {
                Some(entry) => entry,
                None => self
                    .entries
                    .entry(key.clone())
                    .or_insert(Entry { judged: bounds_of(rule), ..Entry::default() }),
            };
            match &rule.check {
                Check::Offline => {}
                Check::NoData { .. } => {
                    let said = !matches!(datum.value, Value::Gap(_));
                    entry.heard = entry.heard.max(Some(datum.time_received).filter(|_| said));
                }
                Check::Bounds(bounds) => {
                    let Some(value) = number(&datum.value).filter(|_| datum.counts) else { continue };
                    let sample = Sample { at: datum.time(), value };
                    let before = entry.alarm.phase().clone();
                    let changes = entry.alarm.sample(bounds, rule.holds(), sample, now);
                    entry.changed(&before, &self.names, rule, &key.1, changes, None, now, work);
                }
            }
        }
    }

    /// The rules that look at a sensor, each with the key of its entry.
    fn under(&mut self, sensor: &SensorName) -> Under {
        if let Some(known) = self.by_sensor.get(sensor) {
            return Arc::clone(known);
        }
        let keyed = |rule: &Arc<Rule>| {
            let name = match &rule.check {
                Check::Bounds(_) => sensor.to_string(),
                Check::NoData { .. } => rule.sensor.as_ref().map(|_| sensor.to_string()).unwrap_or_default(),
                Check::Offline => return None,
            };
            rule.is_for(sensor).then(|| (Arc::clone(rule), (rule.id.clone(), name)))
        };
        let rules: Arc<[_]> = self.rules.iter().filter_map(keyed).collect();
        self.by_sensor.insert(sensor.clone(), Arc::clone(&rules));
        rules
    }

    /// Judges anew by bounds that were edited.
    pub(super) fn retune(&mut self, now: Timestamp, work: &mut Work) {
        for ((id, sensor), entry) in &mut self.entries {
            let Some(rule) = self.rules.iter().find(|rule| rule.id == *id) else { continue };
            let Some(bounds) = bounds_of(rule).filter(|bounds| entry.judged != Some(*bounds)) else {
                continue;
            };
            entry.judged = Some(bounds);
            let changes = entry.alarm.retune(&bounds, rule.holds(), now);
            entry.follow(&self.names, Some(rule), sensor, changes, Some("the rule was edited"), now, work);
            entry.write(&self.names, rule, sensor, work);
        }
    }
}

impl Entry {
    /// Takes over what became of the alarm: writes it down if it is another phase, and makes what people are told.
    #[expect(clippy::too_many_arguments, reason = "who, what, why and when of one step")]
    pub(super) fn changed(
        &mut self,
        before: &Phase,
        names: &DeviceRef,
        rule: &Rule,
        sensor: &str,
        changes: Vec<Change>,
        note: Option<&str>,
        now: Timestamp,
        work: &mut Work,
    ) {
        if changes.is_empty() && self.alarm.phase() == before {
            return;
        }
        self.follow(names, Some(rule), sensor, changes, note, now, work);
        self.write(names, rule, sensor, work);
    }

    fn write(&self, names: &DeviceRef, rule: &Rule, sensor: &str, work: &mut Work) {
        let watch = Watch {
            rule: rule.id.clone(),
            device: names.id.clone(),
            sensor: sensor.to_owned(),
            judged: self.judged,
            alarm: self.alarm.clone(),
            alert: self.alert.as_ref().map(|alert| alert.id.clone()),
        };
        let key = Watch::key_of(&watch.rule, &watch.device, &watch.sensor);
        work.gone.retain(|gone| *gone != key);
        work.watches.insert(key, watch);
    }

    #[expect(clippy::too_many_arguments, reason = "who, what, why and when of one step")]
    fn follow(
        &mut self,
        names: &DeviceRef,
        rule: Option<&Rule>,
        sensor: &str,
        changes: Vec<Change>,
        note: Option<&str>,
        now: Timestamp,
        work: &mut Work,
    ) {
        for change in changes {
            match (change, rule) {
                (Change::Fired { at, trip, nth }, Some(rule)) => {
                    let mut alert = Box::new(fresh(rule, names, sensor, at, &trip, nth, note));
                    if !rule.is_muted(now) {
                        work.tell(&alert, Occasion::Firing, &rule.channels, now);
                        alert.told.clone_from(&rule.channels);
                        alert.told_at = Some(now);
                    }
                    work.note(&alert, true);
                    self.look_again = now;
                    self.alert = Some(alert);
                }
                (Change::Resolved { at, value }, _) => {
                    let Some(mut alert) = self.alert.take() else { continue };
                    alert.state = AlertState::Resolved;
                    alert.resolved = Some(at);
                    let bound = alert.bound;
                    let note = note.map(str::to_owned);
                    alert.events.push(AlertEvent { at, state: EventState::Resolved, value, bound, note });
                    let told = std::mem::take(&mut alert.told);
                    work.tell(&alert, Occasion::Resolved, &told, now);
                    alert.told = told;
                    work.note(&alert, false);
                }
                // Only what ends has no rule.
                (Change::Fired { .. }, None) => {}
            }
        }
    }

    /// Tells people that it fires, or that it does still.
    pub(super) fn tell(&mut self, rule: &Rule, now: Timestamp, work: &mut Work) {
        let Some(alert) = &mut self.alert else { return };
        let occasion = if alert.told_at.is_none() {
            Occasion::Firing
        } else {
            alert.reminders += 1;
            Occasion::Reminder(alert.reminders)
        };
        alert.told_at = Some(now);
        for channel in &rule.channels {
            if !alert.told.contains(channel) {
                alert.told.push(channel.clone());
            }
        }
        work.tell(alert, occasion, &rule.channels, now);
        work.note(alert, false);
    }

    /// Whether people are to be told now that it fires, as far as the rule goes.
    pub(super) fn is_due(&self, rule: &Rule, now: Timestamp) -> bool {
        let Some(alert) = &self.alert else { return false };
        if rule.channels.is_empty() || rule.is_muted(now) || now < self.look_again {
            return false;
        }
        match (alert.told_at, rule.remind_every_s) {
            (None, _) => true,
            (Some(told), Some(every)) => told.plus(std::time::Duration::from_secs(every)) <= now,
            (Some(_), None) => false,
        }
    }
}

const fn bounds_of(rule: &Rule) -> Option<Bounds> {
    match rule.check {
        Check::Bounds(bounds) => Some(bounds),
        Check::NoData { .. } | Check::Offline => None,
    }
}

/// Whether an entry of a sensor is one of a rule's.
fn belongs(rule: &Rule, sensor: &str) -> bool {
    match &rule.check {
        Check::Bounds(_) => rule.is_for(sensor),
        Check::Offline => sensor.is_empty(),
        Check::NoData { .. } => {
            if sensor.is_empty() {
                rule.sensor.is_none()
            } else {
                rule.sensor.is_some() && rule.is_for(sensor)
            }
        }
    }
}

fn fresh(
    rule: &Rule,
    names: &DeviceRef,
    sensor: &str,
    at: Timestamp,
    trip: &Trip,
    nth: u64,
    note: Option<&str>,
) -> Alert {
    let (value, bound) = (trip.value, trip.bound);
    let event =
        |at, state, note: Option<&str>| AlertEvent { at, state, value, bound, note: note.map(str::to_owned) };
    let pending = (trip.at < at).then(|| event(trip.at, EventState::Pending, None));
    let words = [&*rule.id, names.id.as_str(), sensor, &nth.to_string(), &trip.at.micros().to_string()];
    Alert {
        id: told::digest(&words),
        rule: rule.id.clone(),
        rule_name: rule.name.clone(),
        kind: rule.check.kind().to_owned(),
        device: names.clone(),
        sensor: Some(sensor.to_owned()).filter(|sensor| !sensor.is_empty()),
        state: AlertState::Firing,
        side: trip.side,
        value,
        bound,
        since: trip.at,
        fired: at,
        resolved: None,
        events: pending.into_iter().chain([event(at, EventState::Firing, note)]).collect(),
        told: Vec::new(),
        told_at: None,
        reminders: 0,
    }
}

/// Whether it is about a silence.
pub(super) const fn silent(at: Timestamp, bound: Option<f64>, heard: Option<Timestamp>) -> Trip {
    Trip { at, side: Side::Silent, value: None, bound, heard }
}
