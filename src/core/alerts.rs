//! Rules, and the alerts they make, as they are kept. Who looks after them is `alert/`.

mod firing;
mod mail;
mod outbox;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

pub(super) use self::firing::Counted;
pub use self::firing::Firing;
pub use self::mail::{MailSecurity, MailServer};
pub use self::outbox::{Delivered, Delivery, DeliveryState, Try, Webhook};
use super::sight::plain_tag;
use super::{FeedEvent, Hub, HubError, Kept};
use crate::model::{
    Alarm, Alert, AlertEvent, AlertNote, AlertState, Bounds, Device, DeviceId, DeviceState, EventState, Rule,
    Target, Timestamp,
};

impl Kept for Rule {
    const KIND: &'static str = "rule";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        match &self.target {
            Target::Device(device) => Some(device.clone()),
            Target::Tag(_) | Target::Family(_) | Target::All => None,
        }
    }
}

impl Kept for Alert {
    const KIND: &'static str = "alert";
    const KEEP_MAX: Option<u32> = Some(ALERTS_MAX);

    fn key(&self) -> String {
        self.id.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.id.clone())
    }
}

impl Kept for AlertNote {
    const KIND: &'static str = "alert_note";
    const KEEP_MAX: Option<u32> = Some(ALERTS_MAX);

    fn key(&self) -> String {
        self.alert.clone()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// Where one sensor of one device stands under one rule. Kept when that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The rule's id.
    pub rule: String,
    /// The device.
    pub device: DeviceId,
    /// The sensor; empty when it is about the device as a whole.
    pub sensor: String,
    /// The bounds that it was judged by.
    pub judged: Option<Bounds>,
    /// Where it stands.
    pub alarm: Alarm,
    /// The alert that fires.
    pub alert: Option<String>,
}

impl Watch {
    /// The key of one.
    pub fn key_of(rule: &str, device: &DeviceId, sensor: &str) -> String {
        format!("{rule}/{device}/{sensor}")
    }
}

impl Kept for Watch {
    const KIND: &'static str = "alert_watch";

    fn key(&self) -> String {
        Self::key_of(&self.rule, &self.device, &self.sensor)
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// Which alerts. Order: the one that changed last first.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Of one device.
    pub device: Option<DeviceId>,
    /// In one state.
    pub state: Option<AlertState>,
    /// Of one rule.
    pub rule: Option<String>,
    /// After this (time, key).
    pub before: Option<(Timestamp, String)>,
    /// At most so many.
    pub limit: u32,
}

/// What changed, for whoever looks after it here.
#[derive(Debug, Default)]
pub(super) struct Turns {
    rules: AtomicU64,
    outbox: AtomicU64,
    told: AtomicU64,
}

impl Hub {
    /// Every rule, the oldest first.
    pub async fn rules(&self) -> Result<Vec<Rule>, HubError> {
        let mut rules = Vec::new();
        self.kept_each(|rule: Rule| rules.push(rule)).await?;
        rules.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(rules)
    }

    /// Keeps a new rule or a changed one.
    ///
    /// # Errors
    /// `Invalid` when it makes no sense, `NotFound` without its device, `Conflict` when there are too many.
    pub async fn rule_keep(&self, mut rule: Rule) -> Result<Rule, HubError> {
        rule.check().map_err(|wrong| HubError::invalid(wrong.field, wrong.message))?;
        if let Target::Device(id) = &rule.target {
            self.device(id).ok_or(HubError::NotFound("device"))?;
        }
        if let Target::Tag(tag) = &mut rule.target {
            *tag = plain_tag(tag);
        }
        let known = self.rules().await?;
        if known.len() >= RULES_MAX && !known.iter().any(|known| known.id == rule.id) {
            return Err(HubError::conflict("", format!("there are {RULES_MAX} rules already: remove one")));
        }
        rule.changed = self.now();
        self.keep(&rule).await?;
        self.0.alert_turns.rules.fetch_add(1, Ordering::SeqCst);
        Ok(rule)
    }

    /// Removes a rule. What it has firing is over.
    pub async fn rule_remove(&self, id: &str) -> Result<(), HubError> {
        self.kept::<Rule>(id).await?.ok_or(HubError::NotFound("rule"))?;
        self.forget_kept::<Rule>(id).await?;
        self.0.alert_turns.rules.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Grows whenever somebody changes a rule on this server.
    pub fn rules_turn(&self) -> u64 {
        self.0.alert_turns.rules.load(Ordering::SeqCst)
    }

    /// Whether a rule is for a device. No wait.
    pub fn rule_is_for(&self, rule: &Rule, device: &Device) -> bool {
        match device.state {
            DeviceState::Active => {}
            // Nobody has let them in.
            DeviceState::Held | DeviceState::Blocked => return false,
        }
        let owners = || self.owner(&device.names.id).map(|owner| owner.id) == rule.owner;
        match &rule.target {
            Target::Device(id) => *id == device.names.id,
            Target::Family(family) => *family == device.names.family && owners(),
            Target::Tag(tag) => self.has_tag(&device.names.id, tag) && owners(),
            Target::All => owners(),
        }
    }

    /// Whether a device has a tag, in the spelling in which tags are kept. No wait.
    pub fn has_tag(&self, device: &DeviceId, tag: &str) -> bool {
        self.tags(device).iter().any(|known| known == tag)
    }

    /// Every device there is. No wait.
    pub fn devices_now(&self) -> Vec<Device> {
        self.0.registry.all()
    }

    /// A page of alerts, each with the time and key that the next page begins after, the one that changed last first.
    /// `seen` says which may be told.
    pub async fn alerts(
        &self,
        filter: AlertFilter,
        seen: impl Fn(&DeviceId) -> bool + Send,
    ) -> Result<Vec<(Timestamp, Alert)>, HubError> {
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut before = filter.before;
        loop {
            let page = self.kept_all::<Alert>(filter.device.as_ref(), before, PAGE).await?;
            let full = u32::try_from(page.len()).is_ok_and(|count| count >= PAGE);
            before = page.last().map(|(at, alert)| (*at, alert.id.clone()));
            found.extend(page.into_iter().filter(|(_, alert)| {
                filter.state.is_none_or(|state| alert.state == state)
                    && filter.rule.as_ref().is_none_or(|rule| alert.rule == *rule)
                    && seen(&alert.device.id)
            }));
            if found.len() >= limit || !full {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// What people did about an alert.
    pub async fn alert_note(&self, alert: &Alert) -> Result<AlertNote, HubError> {
        Ok(self.kept::<AlertNote>(&alert.id).await?.unwrap_or_else(|| AlertNote::new(alert)))
    }

    /// Takes note of an alert: nobody is reminded of it any more. Twice is once.
    pub async fn alert_acknowledge(&self, alert: &Alert, by: &str) -> Result<AlertNote, HubError> {
        let mut note = self.alert_note(alert).await?;
        if note.acknowledged_by.is_none() {
            note.acknowledged_by = Some(by.to_owned());
            let noted = format!("by {by}");
            self.alert_noted(alert, &mut note, EventState::Acknowledged, noted).await?;
        }
        Ok(note)
    }

    /// Tells nobody of an alert before a time; `None` ends that.
    pub async fn alert_mute(
        &self,
        alert: &Alert,
        until: Option<Timestamp>,
        by: &str,
    ) -> Result<AlertNote, HubError> {
        let mut note = self.alert_note(alert).await?;
        if note.mute_until != until {
            note.mute_until = until;
            let noted = until
                .map_or_else(|| format!("no longer, by {by}"), |until| format!("until {until}, by {by}"));
            self.alert_noted(alert, &mut note, EventState::Muted, noted).await?;
        }
        Ok(note)
    }

    async fn alert_noted(
        &self,
        alert: &Alert,
        note: &mut AlertNote,
        state: EventState,
        words: String,
    ) -> Result<(), HubError> {
        let event = AlertEvent { at: self.now(), state, value: None, bound: None, note: Some(words) };
        note.events.push(event);
        let over = note.events.len().saturating_sub(EVENTS_MAX);
        note.events.drain(..over);
        self.keep(note).await?;
        self.tell_alert(alert.clone(), note.clone());
        Ok(())
    }

    /// Grows whenever this server tells of an alert.
    fn alerts_turn(&self) -> u64 {
        self.0.alert_turns.told.load(Ordering::SeqCst)
    }

    /// Tells the feed of an alert that changed. Only after the commit.
    pub fn tell_alert(&self, alert: Alert, note: AlertNote) {
        self.0.alert_turns.told.fetch_add(1, Ordering::SeqCst);
        self.0.teller.tell(FeedEvent::Alert(Box::new(alert), Box::new(note)));
    }
}

/// All are looked at again and again.
const RULES_MAX: usize = 1000;
/// Alerts that are kept; the ones that changed longest ago go first.
const ALERTS_MAX: u32 = 10_000;
/// Alerts read at a time.
const PAGE: u32 = 500;
/// What people did about one alert, the newest so many.
const EVENTS_MAX: usize = 100;
