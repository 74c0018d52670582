//! Messages and changes in one order, from a place on.

use serde::{Deserialize, Serialize};

use super::changes::{AlertChange, Change, changes};
use super::said::Messages;
use crate::core::{Hub, HubError, Sight};
use crate::dictionary::Chosen;
use crate::model::{Datum, DeviceId, MessageRecord, Seq, Timestamp};

/// What is wanted of a device's timeline.
pub(crate) struct Wanted {
    pub(crate) device: DeviceId,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) span: (Option<Timestamp>, Option<Timestamp>),
    /// Where the page before ended.
    pub(crate) place: Place,
    pub(crate) limit: u32,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Value,
    Event,
    Command,
    Alert,
}

/// One thing that happened.
pub(crate) struct Happened {
    pub(crate) at: Timestamp,
    pub(crate) told: Told,
}

/// What happened.
pub(crate) enum Told {
    Message(MessageRecord),
    Value(Datum),
    Event(Datum),
    Command(Change),
    Alert(AlertChange),
}

/// Where a page ends: the message whose values were being told, how many of them were, and the last change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(super) message: Option<(Seq, usize)>,
    pub(super) change: Option<ChangePlace>,
}

/// A change's place among all: its time, its command, its number there.
pub(super) type ChangePlace = (Timestamp, String, usize);

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Message, Self::Value, Self::Event, Self::Command, Self::Alert];

    /// The word used in the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Value => "value",
            Self::Event => "event",
            Self::Command => "command",
            Self::Alert => "alert",
        }
    }
}

impl Wanted {
    pub(super) fn wants_values(&self) -> bool {
        self.kinds.contains(&Kind::Value) || self.kinds.contains(&Kind::Event)
    }

    pub(super) fn wants_messages(&self) -> bool {
        self.kinds.contains(&Kind::Message) || self.wants_values()
    }
}

impl Told {
    const fn kind(&self) -> Kind {
        match self {
            Self::Message(_) => Kind::Message,
            Self::Value(_) => Kind::Value,
            Self::Event(_) => Kind::Event,
            Self::Command(_) => Kind::Command,
            Self::Alert(_) => Kind::Alert,
        }
    }
}

/// What happened, one thing more than fits the page, each with the place behind it; and where to go on if the page is not
/// full although there may be more.
pub(crate) async fn read(
    hub: &Hub,
    sight: &Sight,
    chosen: &Chosen,
    wanted: Wanted,
) -> Result<(Vec<(Place, Happened)>, Option<Place>), HubError> {
    let most = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut messages = Messages::read(hub, &wanted, chosen).await?;
    let mut changes = changes(hub, sight, &wanted).await?;
    let mut place = wanted.place;
    let mut told: Vec<(Place, Happened)> = Vec::new();
    while told.len() <= most {
        if messages.is_long() {
            return Ok((told, Some(place)));
        }
        let change = changes.front().map(|(_, change)| change.at);
        let item = match (messages.at(), change) {
            (None, None) => break,
            (message, Some(change)) if message.is_none_or(|message| change > message) => {
                let Some((at, item)) = changes.pop_front() else { break };
                place.change = Some(at);
                item
            }
            (Some(_), _) | (None, Some(_)) => {
                let Some((at, item)) = messages.next(hub).await? else { continue };
                place.message = Some(at);
                item
            }
        };
        if wanted.kinds.contains(&item.told.kind()) {
            told.push((place.clone(), item));
        }
    }
    Ok((told, None))
}
