//! What is on its way to people: who is told by webhook, what waits to be told, and what became of it.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::core::{Batch, Hub, HubError, Kept, random_key};
use crate::model::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

/// A program that is told of alerts by HTTP.
#[derive(Clone, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id: random text.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it is: `http://` or `https://`.
    pub url: String,
    /// What each message to it is signed with.
    pub secret: String,
    /// Roots that vouch for it, PEM, in place of the usual ones.
    pub ca: Option<String>,
    /// Whether it is told.
    pub enabled: bool,
    /// Who made it.
    pub by: String,
    /// When it was last changed.
    pub changed: Timestamp,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Kept for Webhook {
    const KIND: &'static str = "webhook";

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// One message to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, the same each time it is tried: by it a receiver knows what it has heard.
    pub id: String,
    /// To whom: `webhook:<id>` or `mail:<address>`.
    pub channel: String,
    /// About which alert; `None` is a test.
    pub alert: Option<String>,
    /// `firing`, `reminder`, `resolved` or `test`.
    pub event: String,
    /// One sentence for a person.
    pub text: String,
    /// The exact body: JSON.
    pub body: String,
    /// When it was made.
    pub made: Timestamp,
    /// Where it is in the order of those that were made at the same time.
    pub nth: u32,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// What the tries brought, the newest few.
    pub tries: Vec<Try>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is on its way.
    Waiting,
    /// Its receiver took it.
    Delivered,
    /// It was given up; a person may have it tried again.
    Dead,
}

/// What one try brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Try {
    /// When.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// What was answered or went wrong, cut short.
    pub note: String,
}

impl DeliveryState {
    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Reads the word used in the API.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Dead].into_iter().find(|state| state.as_str() == text)
    }
}

/// The kind holds what waits; what is done is [`Delivered`].
impl Kept for Delivery {
    const KIND: &'static str = "alert_outbox";

    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A message of which nothing more is expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Delivered(pub Delivery);

impl Kept for Delivered {
    const KIND: &'static str = "alert_delivery";
    const KEEP_MAX: Option<u32> = Some(LOG_MAX);

    fn key(&self) -> String {
        self.0.id.clone()
    }
}

impl Hub {
    /// Every webhook, the oldest first.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, HubError> {
        let mut hooks = Vec::new();
        self.kept_each(|hook: Webhook| hooks.push(hook)).await?;
        hooks.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(hooks)
    }

    /// A secret for a webhook, told once.
    pub fn webhook_secret(&self) -> Result<SecretString, HubError> {
        let (one, other) = (random_key()?, random_key()?);
        Ok(SecretString::from(format!("whsec_{}{}", one.expose_secret(), other.expose_secret())))
    }

    /// Keeps a webhook that was made or changed.
    ///
    /// # Errors
    /// `Conflict` when there are too many.
    pub async fn webhook_keep(&self, mut hook: Webhook) -> Result<Webhook, HubError> {
        let known = self.webhooks().await?;
        if known.len() >= WEBHOOKS_MAX && !known.iter().any(|known| known.id == hook.id) {
            return Err(HubError::conflict(
                "",
                format!("there are {WEBHOOKS_MAX} webhooks already: remove one"),
            ));
        }
        hook.changed = self.now();
        self.keep(&hook).await?;
        Ok(hook)
    }

    /// A delivery that waits or is done.
    pub async fn delivery(&self, id: &str) -> Result<Option<Delivery>, HubError> {
        if let Some(waiting) = self.kept::<Delivery>(id).await? {
            return Ok(Some(waiting));
        }
        Ok(self.kept::<Delivered>(id).await?.map(|Delivered(done)| done))
    }

    /// Has a message that was given up tried again, from the beginning.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` when it is on its way or was delivered.
    pub async fn delivery_again(&self, id: &str) -> Result<Delivery, HubError> {
        let Some((Delivered(done), exact)) = self.kept_exact::<Delivered>(id).await? else {
            return match self.kept::<Delivery>(id).await? {
                Some(_) => Err(HubError::conflict("", "the delivery is on its way")),
                None => Err(HubError::NotFound("delivery")),
            };
        };
        match done.state {
            DeliveryState::Dead => {}
            DeliveryState::Waiting | DeliveryState::Delivered => {
                return Err(HubError::conflict("", "the delivery is no dead letter"));
            }
        }
        let now = self.now();
        let again = Delivery { state: DeliveryState::Waiting, attempts: 0, due: now, ..done };
        let mut batch = Batch::new(now);
        batch.take::<Delivered>(&exact, id);
        batch.keep_new(&again)?;
        if !self.keep_together(batch).await? {
            return Err(HubError::conflict("", "somebody else has it tried again"));
        }
        self.0.alert_turns.outbox.fetch_add(1, Ordering::SeqCst);
        Ok(again)
    }

    /// Grows whenever somebody puts something into the outbox on this server.
    pub fn outbox_turn(&self) -> u64 {
        self.0.alert_turns.outbox.load(Ordering::SeqCst)
    }
}

const WEBHOOKS_MAX: usize = 100;
/// Deliveries that are done and can be looked at; the oldest go first.
const LOG_MAX: u32 = 2000;
