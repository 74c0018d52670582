//! Delivers what waits in the outbox: a few at a time, in order for each alert and channel, again and again with growing
//! waits, until it was taken or is given up. A receiver may hear a message twice, with the same id, if the server dies
//! between its answer and the note of it; it never misses one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustls::pki_types::CertificateDer;
use tokio_util::task::TaskTracker;

use super::settings::{AlertSettings, MailSettings};
use super::{mail, roots, told, webhook};
use crate::core::{Batch, Delivered, Delivery, DeliveryState, Hub, HubError, Try, Webhook};
use crate::model::{Rule, Timestamp};

/// What one try brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) fate: Fate,
    /// What was answered, if something was.
    pub(super) status: Option<u16>,
    pub(super) note: String,
    /// How long the receiver wants us to wait.
    pub(super) wait: Option<Duration>,
}

/// Whether there is to be another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No: the receiver has it.
    Taken,
    /// Yes, later.
    Later,
    /// No: it would be of no use.
    Never,
}

impl Outcome {
    pub(super) fn taken(status: u16, note: String) -> Self {
        Self { fate: Fate::Taken, status: Some(status), note, wait: None }
    }

    pub(super) const fn later(status: Option<u16>, note: String) -> Self {
        Self { fate: Fate::Later, status, note, wait: None }
    }

    pub(super) const fn never(status: Option<u16>, note: String) -> Self {
        Self { fate: Fate::Never, status, note, wait: None }
    }
}

/// The one that delivers. Cheap to clone.
#[derive(Clone)]
pub struct Post(Arc<Inside>);

struct Inside {
    hub: Hub,
    settings: ArcSwap<AlertSettings>,
    outbox: Mutex<Outbox>,
    roots: ArcSwap<Option<Arc<[CertificateDer<'static>]>>>,
    tasks: TaskTracker,
}

/// What waits, by when it was made.
#[derive(Default)]
struct Outbox {
    waiting: BTreeMap<(Timestamp, u32, String), Delivery>,
    flying: HashMap<String, String>,
    /// Which state of the outbox was read; `None` before the first.
    turn: Option<u64>,
    read: Timestamp,
    /// What came back since the last reading began: what that read of it is old.
    settled: HashSet<String>,
}

impl Post {
    /// One that has delivered nothing yet.
    pub fn new(hub: Hub, settings: AlertSettings) -> Self {
        Self(Arc::new(Inside {
            hub,
            settings: ArcSwap::from_pointee(settings),
            outbox: Mutex::default(),
            roots: ArcSwap::from_pointee(None),
            tasks: TaskTracker::new(),
        }))
    }

    /// Replaces the settings; what is on its way goes with the old ones.
    pub fn settings_reload(&self, settings: AlertSettings) {
        self.0.settings.store(Arc::new(settings));
        self.0.roots.store(Arc::new(None));
    }

    /// The mail server of the settings, which goes before one that administrators set.
    pub fn mail_of_settings(&self) -> Option<MailSettings> {
        self.0.settings.load().mail.clone()
    }

    /// Whether mail can be sent.
    ///
    /// # Errors
    /// The store's.
    pub async fn sends_mail(&self) -> Result<bool, HubError> {
        Ok(self.mail_server(&self.0.settings.load_full()).await?.is_some())
    }

    /// The mail server that counts now.
    async fn mail_server(&self, settings: &AlertSettings) -> Result<Option<MailSettings>, HubError> {
        match &settings.mail {
            Some(server) => Ok(Some(server.clone())),
            None => Ok(self.0.hub.mail_server().await?.map(MailSettings::from)),
        }
    }

    /// Sends a message that only shows that messages arrive, once and at once; what became of it is among the deliveries.
    ///
    /// # Errors
    /// The store's.
    pub async fn test(&self, channel: &str) -> Result<Delivery, HubError> {
        let hub = &self.0.hub;
        let mut delivery = told::test(channel, &Rule::fresh_id(), hub.now());
        let (outcome, took) = self.attempt(&delivery).await;
        delivery.note(hub.now(), took, &outcome);
        delivery.state = match outcome.fate {
            Fate::Taken => DeliveryState::Delivered,
            Fate::Later | Fate::Never => DeliveryState::Dead,
        };
        hub.keep(&Delivered(delivery.clone())).await?;
        Ok(delivery)
    }

    /// Whether something waits or is on its way.
    pub(super) fn is_busy(&self) -> bool {
        let outbox = self.outbox();
        !(outbox.waiting.is_empty() && outbox.flying.is_empty())
    }

    /// Reads what waits, if somebody may have put something into the outbox.
    pub(super) async fn read(&self, told: bool, alone: bool) -> Result<(), HubError> {
        let (turn, now) = (self.0.hub.outbox_turn(), self.0.hub.now());
        {
            let mut outbox = self.outbox();
            let fresh = alone || (outbox.read <= now && now < outbox.read.plus(READ_EVERY));
            if !told && outbox.turn == Some(turn) && fresh {
                return Ok(());
            }
            outbox.settled.clear();
        }
        let mut waiting = BTreeMap::new();
        self.0
            .hub
            .kept_each(|one: Delivery| {
                waiting.insert((one.made, one.nth, one.id.clone()), one);
            })
            .await?;
        let mut outbox = self.outbox();
        let settled = std::mem::take(&mut outbox.settled);
        waiting.retain(|(_, _, id), _| !settled.contains(id));
        let newer = std::mem::take(&mut outbox.waiting).into_iter();
        waiting.extend(newer.filter(|((_, _, id), _)| settled.contains(id)));
        (outbox.waiting, outbox.turn, outbox.read) = (waiting, Some(turn), now);
        Ok(())
    }

    /// Begins to deliver what is due.
    pub(super) fn round(&self) {
        let now = self.0.hub.now();
        let due = {
            let mut outbox = self.outbox();
            let due = outbox.due(now);
            for one in &due {
                outbox.flying.insert(one.id.clone(), one.channel.clone());
            }
            due
        };
        for delivery in due {
            let post = self.clone();
            self.0.tasks.spawn(async move { post.deliver(delivery).await });
        }
    }

    /// Waits for what is on its way, for a while.
    pub(super) async fn finish(&self) {
        self.0.tasks.close();
        drop(tokio::time::timeout(FINISH, self.0.tasks.wait()).await);
    }

    async fn deliver(&self, mut delivery: Delivery) {
        let (outcome, took) = self.attempt(&delivery).await;
        let hub = &self.0.hub;
        let now = hub.now();
        delivery.note(now, took, &outcome);
        let settings = self.0.settings.load_full();
        let given_up = delivery.attempts >= settings.attempts_max.max(1);
        let (state, word) = match outcome.fate {
            Fate::Taken => (DeliveryState::Delivered, "delivered"),
            Fate::Never => (DeliveryState::Dead, "dead"),
            Fate::Later if given_up => (DeliveryState::Dead, "dead"),
            Fate::Later => (DeliveryState::Waiting, "retried"),
        };
        let kind = delivery
            .channel
            .split_once(':')
            .map_or("none", |(kind, _)| if kind == "mail" { "mail" } else { "webhook" });
        metrics::counter!("homeport_deliveries_total", "channel" => kind, "result" => word).increment(1);
        delivery.state = state;
        delivery.due =
            now.plus(outcome.wait.unwrap_or_else(|| pause(&settings, delivery.attempts, chance())));
        if state != DeliveryState::Delivered {
            tracing::warn!(channel = %delivery.channel, attempts = delivery.attempts, "an alert's message was not taken ({word}): {}", outcome.note);
        }
        let kept = self.keep(&delivery).await;
        let mut outbox = self.outbox();
        outbox.flying.remove(&delivery.id);
        outbox.settled.insert(delivery.id.clone());
        let key = (delivery.made, delivery.nth, delivery.id.clone());
        if let Err(error) = kept {
            tracing::warn!(%error, "what became of a message could not be kept: it is sent again");
        } else if state == DeliveryState::Waiting {
            outbox.waiting.insert(key, delivery);
        } else {
            outbox.waiting.remove(&key);
        }
    }

    async fn keep(&self, delivery: &Delivery) -> Result<(), HubError> {
        let mut batch = Batch::new(self.0.hub.now());
        if delivery.state == DeliveryState::Waiting {
            batch.keep(delivery)?;
        } else {
            batch.forget::<Delivery>(&delivery.id);
            batch.keep(&Delivered(delivery.clone()))?;
        }
        self.0.hub.keep_together(batch).await.map(drop)
    }

    async fn attempt(&self, delivery: &Delivery) -> (Outcome, Duration) {
        let began = Instant::now();
        let limit = self.0.settings.load().send_time;
        let outcome = tokio::time::timeout(limit, Box::pin(self.send(delivery))).await;
        let slow = |_| Outcome::later(None, format!("no answer within {} s", limit.as_secs_f64()));
        (outcome.unwrap_or_else(slow), began.elapsed())
    }

    async fn send(&self, delivery: &Delivery) -> Outcome {
        let settings = self.0.settings.load_full();
        match delivery.channel.split_once(':') {
            Some(("webhook", id)) => match self.0.hub.kept::<Webhook>(id).await {
                Ok(Some(hook)) if hook.enabled || delivery.alert.is_none() => {
                    let roots = match &hook.ca {
                        Some(pem) => roots::read(pem.as_bytes()),
                        None => self.roots(&settings).await.map(|roots| roots.to_vec()),
                    };
                    match roots.and_then(roots::tls) {
                        Ok(tls) => {
                            Box::pin(webhook::send(&hook, delivery, self.0.hub.now(), tls, &settings.refuse))
                                .await
                        }
                        Err(note) => Outcome::later(None, note),
                    }
                }
                Ok(Some(_)) => Outcome::never(None, "the webhook is off".to_owned()),
                Ok(None) => Outcome::never(None, "the webhook was removed".to_owned()),
                Err(error) => Outcome::later(None, error.to_string()),
            },
            Some(("mail", to)) => match self.mail_server(&settings).await {
                Ok(Some(server)) => {
                    let roots = match &server.ca {
                        Some(pem) => roots::read(pem.as_bytes()).map(Arc::from),
                        None => self.roots(&settings).await,
                    };
                    match roots {
                        Ok(roots) => mail::send(&server, to, delivery, &roots, settings.send_time).await,
                        Err(note) => Outcome::later(None, note),
                    }
                }
                Ok(None) => Outcome::never(None, NO_MAIL.to_owned()),
                Err(error) => Outcome::later(None, error.to_string()),
            },
            Some(_) | None => Outcome::never(None, format!("`{}` is no channel", delivery.channel)),
        }
    }

    /// The usual roots, read once.
    async fn roots(&self, settings: &AlertSettings) -> Result<Arc<[CertificateDer<'static>]>, String> {
        if let Some(known) = &**self.0.roots.load() {
            return Ok(Arc::clone(known));
        }
        let file = settings.roots.clone();
        let read = tokio::task::spawn_blocking(move || roots::usual(file.as_deref())).await;
        let roots: Arc<[_]> = read.map_err(|error| error.to_string())??.into();
        self.0.roots.store(Arc::new(Some(Arc::clone(&roots))));
        Ok(roots)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // Whoever panicked has at most left out one message, which is read again.
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// What may be sent now: of one alert to one channel only the oldest, to one channel a few, to all some.
    fn due(&self, now: Timestamp) -> Vec<Delivery> {
        let mut busy: HashMap<&str, usize> = HashMap::new();
        for channel in self.flying.values() {
            *busy.entry(channel).or_default() += 1;
        }
        let mut behind = HashSet::new();
        let mut due = Vec::new();
        for one in self.waiting.values() {
            let first = behind.insert((one.channel.as_str(), one.alert.as_deref()));
            let count = busy.entry(&one.channel).or_default();
            let free = self.flying.len() + due.len() < FLYING_MAX && *count < CHANNEL_MAX;
            if first && free && one.due <= now && !self.flying.contains_key(&one.id) {
                *count += 1;
                due.push(one.clone());
            }
        }
        due
    }
}

impl Delivery {
    fn note(&mut self, at: Timestamp, took: Duration, outcome: &Outcome) {
        self.attempts += 1;
        let note = outcome.note.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        self.tries.push(Try {
            at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            status: outcome.status,
            note: note.take(NOTE_CHARS_MAX).collect(),
        });
        let over = self.tries.len().saturating_sub(TRIES_KEPT);
        self.tries.drain(..over);
    }
}

/// The wait after so many tries: twice as long each time, a fifth more or less, so that those who failed together do not
/// come again together. `chance` is 0 to 1.
fn pause(settings: &AlertSettings, attempts: u32, chance: f64) -> Duration {
    let doubled = settings.retry_first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(settings.retry_longest).mul_f64(0.8 + 0.4 * chance)
}

fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without chance the wait is the usual one.
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// Why a mail goes nowhere.
pub const NO_MAIL: &str = "no mail server is set: an administrator sets one at /receivers";
/// Messages on their way at a time, in all and to one channel.
const FLYING_MAX: usize = 16;
const CHANNEL_MAX: usize = 2;
/// Other servers on the store may have put something into the outbox.
const READ_EVERY: Duration = Duration::from_secs(5);
/// At a stop, what is on its way has so long.
const FINISH: Duration = Duration::from_secs(5);
/// Tries of a message that can be looked at, and so much of each one's answer.
const TRIES_KEPT: usize = 20;
const NOTE_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_with_a_fifth_of_chance() {
        let settings = AlertSettings::default();
        for (attempts, chance, seconds) in [
            (1, 0.5, 5.0),
            (2, 0.5, 10.0),
            (3, 0.0, 16.0),
            (3, 1.0, 24.0),
            (11, 0.5, 3600.0),
            (u32::MAX, 0.5, 3600.0),
        ] {
            let pause = pause(&settings, attempts, chance).as_secs_f64();
            assert!((pause - seconds).abs() < 1e-6, "{attempts}: {pause}");
        }
        assert!((0.0..=1.0).contains(&chance()));
    }

    #[test]
    fn messages_of_an_alert_keep_their_order_and_one_channel_holds_up_no_other() {
        let now = Timestamp::from_micros(1_000_000);
        let mut outbox = Outbox::default();
        let mut put = |nth: u32, channel: &str, alert: &str, due: Timestamp| {
            let mut one = told::test(channel, &format!("d{nth}"), now);
            (one.alert, one.nth, one.due) = (Some(alert.to_owned()), nth, due);
            outbox.waiting.insert((one.made, nth, one.id.clone()), one);
        };
        let later = now.plus(Duration::from_secs(9));
        put(0, "webhook:a", "one", later);
        put(1, "webhook:a", "one", now);
        for nth in 2..6 {
            put(nth, "webhook:a", &format!("more {nth}"), now);
        }
        put(6, "mail:me@example.org", "one", now);
        let due = |outbox: &Outbox| outbox.due(now).into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(due(&outbox), ["d2", "d3", "d6"], "d1 waits for d0, and two are enough for one channel");
        outbox.flying.insert("d2".to_owned(), "webhook:a".to_owned());
        assert_eq!(due(&outbox), ["d3", "d6"]);
    }
}
