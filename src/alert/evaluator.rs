//! Looks at what was stored, in the order of the ledger, and at what stays silent; keeps what follows from it.
//!
//! One server at a time does this for a store. How far it has come, where each sensor stands, the alerts and what is to
//! be told of them change in one transaction, and only if nobody else has gone on meanwhile: a server that dies or lags
//! anywhere is taken up where its last transaction ended, by itself or by another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::book::{Book, Entry, Watched, Work, silent};
use crate::core::{After, Batch, DataFilter, Exact, Firing, Hub, HubError, Kept, Watch, Whose};
use crate::model::{
    Alert, AlertState, Change, Check, Datum, Device, DeviceId, Rule, Seq, TRUSTED, Target, Timestamp, Trip,
};

/// How far the store was looked at, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// The server that does it, as it calls itself since its start.
    server: String,
    /// Until when nobody else does.
    until: Timestamp,
    /// Behind which value to go on; `None` while there is no rule.
    place: Option<Place>,
    /// When the newest value arrived that was looked at.
    newest: Timestamp,
}

/// A place in the list of all values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    seq: Seq,
    sensor: String,
    count: u32,
}

impl Kept for Mark {
    const KIND: &'static str = "alert_mark";

    fn key(&self) -> String {
        "mark".to_owned()
    }
}

/// The one that looks.
pub(super) struct Evaluator {
    hub: Hub,
    /// Whether no other server can have the store.
    alone: bool,
    server: String,
    mark: Option<(Mark, Exact)>,
    /// What the mark is to become.
    next: Option<(Option<Place>, Timestamp)>,
    /// When the mark was kept last.
    saved: Timestamp,
    /// Since when this server has looked: a silence from before is not the devices'.
    since: Timestamp,
    rules: Vec<Arc<Rule>>,
    rules_turn: Option<u64>,
    /// Devices whose newest values are to be judged, because other rules are for them than before.
    fresh: HashSet<DeviceId>,
    /// Devices that no rule was for when their values came.
    strangers: HashSet<DeviceId>,
    book: Book,
    /// When it was looked last which rules are for which device.
    matched: Timestamp,
    work: Work,
}

/// What a round did.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Whether this server is the one that looks, and that tells people.
    pub(super) leads: bool,
    /// Whether it put something into the outbox.
    pub(super) told: bool,
}

impl Evaluator {
    pub(super) fn new(hub: Hub, alone: bool) -> Self {
        let now = hub.now();
        Self {
            server: Rule::fresh_id(),
            hub,
            alone,
            mark: None,
            next: None,
            saved: now,
            since: now,
            rules: Vec::new(),
            rules_turn: None,
            fresh: HashSet::new(),
            strangers: HashSet::new(),
            book: Book::default(),
            matched: Timestamp::default(),
            work: Work::default(),
        }
    }

    /// Looks once. `waiting` says whether there is something to be told, so that somebody must lead.
    pub(super) async fn round(&mut self, waiting: bool) -> Result<Round, HubError> {
        let round = self.look(waiting).await;
        if round.is_err() {
            // What was concluded is not on disk: it is concluded again.
            self.forget();
        }
        round
    }

    async fn look(&mut self, waiting: bool) -> Result<Round, HubError> {
        let now = self.hub.now();
        let changed = self.read_rules().await?;
        let idle = self.rules.is_empty() && !waiting;
        if idle && self.book.0.is_empty() && self.mark.as_ref().is_none_or(|(mark, _)| mark.place.is_none()) {
            return Ok(Round { leads: self.alone, told: false });
        }
        if !self.lead(now).await? {
            return Ok(Round::default());
        }
        if self.rules.is_empty() {
            self.next = Some((None, now));
        }
        let every = if self.alone { MATCH_EVERY } else { MEET_EVERY };
        if changed || self.matched.plus(every) <= now || self.matched > now {
            self.matched = now;
            if !self.alone {
                // Other servers hear devices, too.
                self.hub.refresh().await?;
            }
            self.match_devices(now);
        }
        let mut round = Round { leads: true, told: false };
        if !self.rules.is_empty() {
            if matches!(self.next, None | Some((None, _))) {
                // Before newest values are judged: what comes behind it is looked at by itself.
                let seq = self.hub.last_entry().await?;
                self.next = Some((Some(Place { seq, sensor: BEYOND.to_owned(), count: 0 }), now));
            }
            self.prime(now).await?;
            round.told |= self.catch_up(now).await?;
            self.pass(now);
            self.remind(now).await?;
        }
        round.told |= self.commit(now).await?;
        let firing =
            self.book.0.values().flat_map(|of| of.entries.values()).filter(|entry| entry.alert.is_some());
        metrics::gauge!("homeport_alerts_firing")
            .set(f64::from(u32::try_from(firing.count()).unwrap_or(u32::MAX)));
        Ok(round)
    }

    /// Reads the rules if somebody may have changed them; says whether somebody did.
    async fn read_rules(&mut self) -> Result<bool, HubError> {
        let turn = self.hub.rules_turn();
        if self.alone && self.rules_turn == Some(turn) {
            return Ok(false);
        }
        let mut rules = self.hub.rules().await?;
        rules.retain(|rule| rule.enabled);
        // A rule that is the same stays the same, so that nothing is concluded from it again.
        let rules: Vec<_> = rules
            .into_iter()
            .map(|rule| {
                let known = self.rules.iter().find(|known| ***known == rule);
                known.map_or_else(|| Arc::new(rule), Arc::clone)
            })
            .collect();
        let same = rules.len() == self.rules.len()
            && rules.iter().zip(&self.rules).all(|(one, other)| Arc::ptr_eq(one, other));
        self.rules = rules;
        self.rules_turn = Some(turn);
        Ok(!same)
    }

    /// Whether this server is the one that looks.
    async fn lead(&mut self, now: Timestamp) -> Result<bool, HubError> {
        if self.mark.as_ref().is_some_and(|(mark, _)| self.alone || now.plus(LEASE / 2) < mark.until) {
            return Ok(true);
        }
        let Some((found, exact)) = self.hub.kept_exact::<Mark>("mark").await? else {
            let mark = Mark { server: String::new(), until: now, place: None, newest: now };
            self.hub.keep_new(&mark).await?;
            return Ok(false);
        };
        let ours = self.mark.as_ref().is_some_and(|(_, known)| *known == exact);
        if !ours {
            self.forget();
            if !self.alone && found.server != self.server && found.until > now {
                return Ok(false);
            }
        }
        let mark = Mark { server: self.server.clone(), until: now.plus(LEASE), ..found };
        let mut batch = Batch::new(now);
        let exact = batch.replace(&exact, &mark)?;
        if !self.hub.keep_together(batch).await? {
            self.forget();
            return Ok(false);
        }
        self.mark = Some((mark, exact));
        if !ours {
            self.take_over(now).await?;
        }
        Ok(true)
    }

    /// Reads what whoever looked before has left.
    async fn take_over(&mut self, now: Timestamp) -> Result<(), HubError> {
        (self.since, self.saved) = (now, now);
        let mut watches = Vec::new();
        self.hub.kept_each(|watch: Watch| watches.push(watch)).await?;
        let mut strays = HashMap::new();
        self.hub.kept_each(|one: Firing| drop(strays.insert(one.alert.clone(), one))).await?;
        for watch in watches {
            let alert = match &watch.alert {
                Some(id) => self.hub.kept::<Alert>(id).await?,
                None => None,
            };
            let alert = alert.filter(|alert| alert.state == AlertState::Firing).map(Box::new);
            if let Some(alert) = &alert
                && strays.remove(&alert.id).is_none()
            {
                self.hub.keep(&Firing::of(alert)).await?;
            }
            let Some(device) = self.hub.device(&watch.device) else { continue };
            let of = self.book.0.entry(watch.device).or_insert_with(|| Watched::new(&device));
            let Watch { rule, sensor, judged, alarm, .. } = watch;
            of.entries.insert((rule, sensor), Entry { judged, alarm, alert, ..Entry::default() });
        }
        // Nothing watches these any more.
        for id in strays.keys() {
            self.hub.forget_kept::<Firing>(id).await?;
        }
        self.next = self.mark.as_ref().map(|(mark, _)| (mark.place.clone(), mark.newest));
        self.matched = Timestamp::default();
        Ok(())
    }

    /// Lets go of everything: it is read again.
    fn forget(&mut self) {
        (self.mark, self.next) = (None, None);
        (self.book, self.work) = (Book::default(), Work::default());
        self.fresh.clear();
    }

    /// Finds which rules are for which device.
    fn match_devices(&mut self, now: Timestamp) {
        self.strangers.clear();
        let devices: HashMap<DeviceId, Device> =
            self.hub.devices_now().into_iter().map(|device| (device.names.id.clone(), device)).collect();
        for device in devices.values() {
            let rules: Vec<_> =
                self.rules.iter().filter(|rule| self.hub.rule_is_for(rule, device)).cloned().collect();
            let id = &device.names.id;
            if rules.is_empty() && !self.book.0.contains_key(id) {
                continue;
            }
            let of = self.book.0.entry(id.clone()).or_insert_with(|| Watched::new(device));
            of.names = device.names.clone();
            if of.is_under(rules, now, &mut self.work) {
                self.fresh.insert(id.clone());
            }
            of.retune(now, &mut self.work);
        }
        let work = &mut self.work;
        self.book.0.retain(|id, of| {
            let known = devices.contains_key(id);
            if !known {
                // Its alerts went with it; who was told of them hears that they are over.
                let _: bool = of.is_under(Vec::new(), now, work);
                work.alerts.retain(|_, (alert, _)| alert.device.id != *id);
            }
            known && !(of.rules.is_empty() && of.entries.is_empty())
        });
    }

    /// Finds which rules are for a device that was never heard before.
    fn meet(&mut self, id: &DeviceId, now: Timestamp) {
        let Some(device) = self.hub.device(id) else { return };
        let rules: Vec<_> =
            self.rules.iter().filter(|rule| self.hub.rule_is_for(rule, &device)).cloned().collect();
        if !rules.is_empty() {
            let mut of = Watched::new(&device);
            let _: bool = of.is_under(rules, now, &mut self.work);
            self.book.0.insert(id.clone(), of);
        }
    }

    /// Judges the newest values by rules that are new or edited. Values that were not looked at yet come by themselves.
    async fn prime(&mut self, now: Timestamp) -> Result<(), HubError> {
        let seen = match &self.next {
            Some((Some(place), _)) => place.seq,
            Some((None, _)) | None => Seq(i64::MAX),
        };
        for id in std::mem::take(&mut self.fresh) {
            let Some(of) = self.book.0.get_mut(&id) else { continue };
            for datum in self.hub.latest(&id).await? {
                if datum.seq <= seen {
                    of.value(&datum, now, &mut self.work);
                }
            }
        }
        Ok(())
    }

    /// Looks at what was stored since. Says whether there is something to be told.
    async fn catch_up(&mut self, now: Timestamp) -> Result<bool, HubError> {
        let mut told = false;
        for _ in 0..PAGES_MAX {
            let Some((Some(place), newest)) = self.next.clone() else { break };
            let after = After { seq: place.seq, sensor: place.sensor, count: place.count };
            let filter = DataFilter {
                whose: self.whose(),
                after: Some(after.clone()),
                limit: PAGE,
                ..DataFilter::default()
            };
            let page = self.hub.data(filter).await?;
            // A clock that was set back begins anew.
            let mut newest = if newest > now.plus(TRUSTED) { now } else { newest };
            for (device, datum) in &page {
                newest = self.value(device, datum, newest, now);
            }
            let full = u32::try_from(page.len()).is_ok_and(|count| count >= PAGE);
            if let Some(After { seq, sensor, count }) = After::last_of(&page, Some(&after)) {
                self.next = Some((Some(Place { seq, sensor, count }), newest));
            }
            if !full {
                break;
            }
            told |= self.commit(now).await?;
        }
        Ok(told)
    }

    fn value(&mut self, device: &DeviceId, datum: &Datum, newest: Timestamp, now: Timestamp) -> Timestamp {
        // What was brought over from elsewhere is history.
        if datum.time_received.plus(TRUSTED) < newest {
            return newest;
        }
        if !self.book.0.contains_key(device) && self.strangers.insert(device.clone()) {
            self.meet(device, now);
        }
        if let Some(of) = self.book.0.get_mut(device) {
            of.value(datum, now, &mut self.work);
        }
        newest.max(datum.time_received)
    }

    /// The devices whose values are worth reading.
    fn whose(&self) -> Whose {
        let targets = self.rules.iter().map(|rule| match &rule.target {
            Target::Device(device) => Some(device.clone()),
            Target::Tag(_) | Target::Family(_) | Target::All => None,
        });
        let targets: Option<HashSet<_>> = targets.collect();
        targets.map_or(Whose::All, |targets| Whose::Only(Arc::new(targets)))
    }

    /// Lets time pass: holds end, silences begin and end.
    fn pass(&mut self, now: Timestamp) {
        let since = self.since;
        for (id, of) in &mut self.book.0 {
            let device = self.hub.device(id);
            let rules = &of.rules;
            for ((rule, sensor), entry) in &mut of.entries {
                let Some(rule) = rules.iter().find(|known| known.id == *rule) else { continue };
                let before = entry.alarm.phase().clone();
                let Some(changes) = pass(&self.hub, since, rule, device.as_ref(), entry, now) else {
                    continue;
                };
                entry.changed(&before, &of.names, rule, sensor, changes, None, now, &mut self.work);
            }
        }
    }

    /// Tells people of what fires still, or of what they were not told while they wanted quiet.
    async fn remind(&mut self, now: Timestamp) -> Result<(), HubError> {
        for of in self.book.0.values_mut() {
            for ((rule, _), entry) in &mut of.entries {
                let Some(rule) = of.rules.iter().find(|known| known.id == *rule) else { continue };
                if !entry.is_due(rule, now) {
                    continue;
                }
                let Some(alert) = &entry.alert else { continue };
                let note = self.hub.alert_note(alert).await?;
                if note.acknowledged_by.is_some() || note.mute_until.is_some_and(|until| now < until) {
                    entry.look_again = now.plus(LOOK_AGAIN);
                } else {
                    entry.tell(rule, now, &mut self.work);
                }
            }
        }
        Ok(())
    }

    /// Keeps what was concluded, and how far that goes. Says whether there is something to be told.
    async fn commit(&mut self, now: Timestamp) -> Result<bool, HubError> {
        let (Some((mark, exact)), Some((place, newest))) = (&self.mark, &self.next) else { return Ok(false) };
        let late = self.saved.plus(SAVE_EVERY) <= now || self.saved > now;
        let moved = mark.place != *place && (late || place.is_none() != mark.place.is_none());
        if self.work.is_empty() && !moved {
            return Ok(false);
        }
        let mark = Mark { place: place.clone(), newest: *newest, ..mark.clone() };
        let mut batch = Batch::new(now);
        let exact = batch.replace(exact, &mark)?;
        let made = self.work.made;
        let work = std::mem::replace(&mut self.work, Work { made, ..Work::default() });
        work.gone.iter().for_each(|key| batch.forget::<Watch>(key));
        work.watches.values().try_for_each(|watch| batch.keep(watch))?;
        for (alert, fresh) in work.alerts.values() {
            if *fresh {
                batch.keep_new(alert)?;
            } else {
                batch.keep(alert)?;
            }
            Firing::follow(alert, &mut batch)?;
        }
        work.deliveries.iter().try_for_each(|delivery| batch.keep_new(delivery))?;
        if !self.hub.keep_together(batch).await? {
            tracing::info!("another server looks after the rules");
            self.forget();
            return Ok(false);
        }
        (self.mark, self.saved) = (Some((mark, exact)), now);
        for (alert, _) in work.alerts.into_values() {
            metrics::counter!("homeport_alerts_total", "state" => alert.state.as_str()).increment(1);
            tracing::info!(
                device = %alert.device.address, sensor = alert.sensor.as_deref().unwrap_or_default(),
                rule = %alert.rule_name, value = alert.value, "alert {}", alert.state.as_str()
            );
            let note = self.hub.alert_note(&alert).await?;
            self.hub.tell_alert(alert, note);
        }
        Ok(!work.deliveries.is_empty())
    }
}

/// Lets time pass for one sensor; `None` when its device is gone.
fn pass(
    hub: &Hub,
    since: Timestamp,
    rule: &Rule,
    device: Option<&Device>,
    entry: &mut Entry,
    now: Timestamp,
) -> Option<Vec<Change>> {
    let holds = rule.holds();
    let since = since.max(rule.changed);
    Some(match &rule.check {
        Check::Bounds(_) => entry.alarm.tick(holds, now),
        Check::NoData { periods, period_s } => {
            let rhythm = hub.presence(device?).rhythm;
            let period = period_s.map(Duration::from_secs).or(rhythm);
            let allowed = period.map(|period| period.mul_f64(*periods));
            let wrong = allowed.and_then(|allowed| missing(allowed, entry.heard, since, now));
            entry.alarm.silence(holds, wrong, entry.heard, now)
        }
        Check::Offline => {
            let heard = device?.last_seen;
            let waited = Device { last_seen: heard.max(Some(since)), ..device?.clone() };
            let wrong = (!hub.presence(&waited).online).then(|| silent(now, None, heard));
            entry.alarm.silence(holds, wrong, heard, now)
        }
    })
}

/// The silence since a sensor was heard, or since it was listened for, if it lasts longer than is allowed.
fn missing(allowed: Duration, heard: Option<Timestamp>, since: Timestamp, now: Timestamp) -> Option<Trip> {
    let end = heard.unwrap_or_default().max(since).plus(allowed);
    (end <= now).then(|| silent(end, Some(allowed.as_secs_f64()), heard))
}

/// For how long a server looks before it must say that it still does.
const LEASE: Duration = Duration::from_secs(10);
/// How far it was looked is kept so often, if nothing else is to be kept.
const SAVE_EVERY: Duration = Duration::from_secs(10);
/// Devices come, go and are given other tags.
const MATCH_EVERY: Duration = Duration::from_secs(2);
/// Where other servers hear them, too, all devices are read for that.
const MEET_EVERY: Duration = Duration::from_secs(10);
/// Whether somebody is to be told is asked again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Values looked at at a time, and so many times in a round.
const PAGE: u32 = 4000;
const PAGES_MAX: usize = 100;
/// Behind every sensor's name.
const BEYOND: &str = "\u{10ffff}";
