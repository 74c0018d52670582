//! Everything about a device in one order, the newest first: messages, each with the values it brought, and what
//! became of commands and alerts.

use std::collections::{HashMap, VecDeque};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Answer, device_for};
use crate::core::{
    After, AlertFilter, CommandFilter, DataFilter, Hub, HubError, Level, MessageFilter, Sight,
};
use crate::dictionary::{Chosen, Class};
use crate::model::{
    Alert, AlertEvent, AlertNote, CommandRecord, CommandState, Datum, DeviceId, Direction, MessageRecord,
    Seq, Timestamp, Verdict,
};
use crate::web::App;
use crate::web::auth::By;
use crate::web::describe::params::{Paged, Span};
use crate::web::params::{Listed, Name, Params};
use crate::web::shape::DatumShape;

/// One thing that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineItem)]
pub(crate) struct Item {
    at: Timestamp,
    #[serde(flatten)]
    what: What,
}

/// What happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineWhat)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum What {
    /// A message came or left. Its bytes are at `/messages/{seq}/raw`.
    Message { message: Said },
    /// It brought a value.
    Value { datum: DatumShape },
    /// A value that says that something happened.
    Event { datum: DatumShape },
    /// A command changed its state.
    Command { command: Change },
    /// An alert fired, was over, or a person did something about it.
    Alert { alert: AlertChange },
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineMessage)]
struct Said {
    seq: Seq,
    direction: Direction,
    verdict: Verdict,
    size: usize,
    peer: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineChange)]
struct Change {
    id: String,
    cmd: String,
    state: CommandState,
    reason: String,
    by: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineAlert)]
struct AlertChange {
    id: String,
    rule: String,
    rule_name: String,
    sensor: Option<String>,
    #[serde(flatten)]
    event: AlertEvent,
}

/// Where a page ends: the message whose values were being told, how many of them were, and the last change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Place {
    message: Option<(Seq, usize)>,
    change: Option<ChangePlace>,
}

/// A change's place among all: its time, its command, its number there.
type ChangePlace = (Timestamp, String, usize);

/// Everything about a device in one order, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/timeline",
    params(Span, Paged), responses((status = 200, body = Listed<Item>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Answer<Listed<Item>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let sight = app.hub.sight(&caller);
    let chosen = app.meanings(&device.names);
    let place = params.cursor::<Place>()?.unwrap_or_default();
    let limit = params.limit()?;
    let span = params.span()?;
    let mut messages =
        Messages::read(&app.hub, device.names.id.clone(), span, place.message, limit, &chosen).await?;
    let mut changes = changes(&app.hub, &sight, &device.names.id, span, place.change.as_ref()).await?;
    let mut place = place;
    let mut told: Vec<(Place, Item)> = Vec::new();
    while told.len() <= usize::try_from(limit).unwrap_or(usize::MAX) {
        let change = changes.front().map(|(_, change)| change.at);
        let item = match (messages.at(), change) {
            (None, None) => break,
            (message, Some(change)) if message.is_none_or(|message| change > message) => {
                let Some((at, item)) = changes.pop_front() else { break };
                place.change = Some(at);
                item
            }
            (Some(_), _) | (None, Some(_)) => {
                let Some((at, item)) = messages.next(&app.hub).await? else { continue };
                place.message = Some(at);
                item
            }
        };
        told.push((place.clone(), item));
    }
    Ok(Json(Listed::page(told, limit, |(place, _)| place.clone(), |(_, item)| item)))
}

/// Messages, newest first, each followed by its values in their order.
struct Messages<'a> {
    device: DeviceId,
    chosen: &'a Chosen,
    left: VecDeque<MessageRecord>,
    /// The values of the newest message that is left, once it was told; how many of them were, and how many of all.
    values: Option<(VecDeque<Datum>, usize)>,
    /// As many values as fit on the page.
    most: u32,
}

impl<'a> Messages<'a> {
    async fn read(
        hub: &Hub,
        device: DeviceId,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        place: Option<(Seq, usize)>,
        limit: u32,
        chosen: &'a Chosen,
    ) -> Result<Self, HubError> {
        let filter = MessageFilter {
            device: Some(device.clone()),
            from,
            to,
            before: place.map(|(seq, _)| Seq(seq.0.saturating_add(1))),
            limit: limit.saturating_add(2),
            ..MessageFilter::default()
        };
        let mut messages = Self {
            device,
            chosen,
            left: hub.messages(filter).await?.into(),
            values: None,
            most: limit.saturating_add(1),
        };
        // The page before ended within this message.
        if let Some((seq, told)) = place
            && messages.left.front().is_some_and(|message| message.seq == seq)
        {
            messages.values = Some((messages.values_of_first(hub, told).await?, told));
            messages.skip_told();
        }
        Ok(messages)
    }

    /// The time of what is next.
    fn at(&self) -> Option<Timestamp> {
        self.left.front().map(|message| message.at)
    }

    async fn next(&mut self, hub: &Hub) -> Result<Option<((Seq, usize), Item)>, HubError> {
        let Some(message) = self.left.front() else { return Ok(None) };
        let (at, seq) = (message.at, message.seq);
        if let Some((values, told)) = &mut self.values {
            let Some(datum) = values.pop_front() else { return Ok(None) };
            *told += 1;
            let place = (seq, *told);
            self.skip_told();
            return Ok(Some((place, Item { at, what: value(self.chosen, datum) })));
        }
        let message = Said {
            seq,
            direction: message.direction,
            verdict: message.verdict,
            size: message.size,
            peer: message.peer.clone(),
        };
        self.values = Some((self.values_of_first(hub, 0).await?, 0));
        self.skip_told();
        Ok(Some(((seq, 0), Item { at, what: What::Message { message } })))
    }

    /// Goes on to the message before, when all of this one was told.
    fn skip_told(&mut self) {
        if self.values.as_ref().is_some_and(|(values, _)| values.is_empty()) {
            self.values = None;
            self.left.pop_front();
        }
    }

    /// What the newest message that is left measured, without the first `told` values.
    async fn values_of_first(&self, hub: &Hub, told: usize) -> Result<VecDeque<Datum>, HubError> {
        let Some(message) = self.left.front() else { return Ok(VecDeque::new()) };
        match (message.direction, message.verdict) {
            (Direction::In, Verdict::Ok | Verdict::NoCrc | Verdict::None) => {}
            (Direction::In, Verdict::BadCrc | Verdict::Malformed | Verdict::Duplicate)
            | (Direction::Out, _) => return Ok(VecDeque::new()),
        }
        let filter = DataFilter {
            whose: self.device.clone().into(),
            from: Some(message.at),
            to: Some(Timestamp::from_micros(message.at.micros().saturating_add(1))),
            after: Some(After { seq: Seq(message.seq.0 - 1), sensor: BEYOND.to_owned(), count: 0 }),
            limit: u32::try_from(told).unwrap_or(u32::MAX).saturating_add(self.most),
            ..DataFilter::default()
        };
        let values = hub.data(filter).await?.into_iter().map(|(_, datum)| datum);
        Ok(values.filter(|datum| datum.seq == message.seq).skip(told).collect())
    }
}

fn value(chosen: &Chosen, datum: Datum) -> What {
    let happened = chosen
        .explain(&datum.sensor, &datum.value)
        .is_some_and(|meaning| meaning.class == Class::Event && !chosen.is_amount(&datum.sensor));
    let datum = DatumShape::new(chosen, datum);
    if happened { What::Event { datum } } else { What::Value { datum } }
}

/// Changes of commands, newest first, after a place.
async fn changes(
    hub: &Hub,
    sight: &Sight,
    device: &DeviceId,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    after: Option<&ChangePlace>,
) -> Result<VecDeque<(ChangePlace, Item)>, HubError> {
    let filter =
        CommandFilter { device: Some(device.clone()), limit: COMMANDS_MAX, ..CommandFilter::default() };
    let mut all: Vec<_> = hub.commands_seen(sight, filter).await?.into_iter().flat_map(each_change).collect();
    let filter = AlertFilter { device: Some(device.clone()), limit: COMMANDS_MAX, ..AlertFilter::default() };
    let notes = hub.kept_all::<AlertNote>(Some(device), None, COMMANDS_MAX).await?;
    let mut notes: HashMap<_, _> =
        notes.into_iter().map(|(_, note)| (note.alert.clone(), note.events)).collect();
    for (_, alert) in hub.alerts(filter, |_| true).await? {
        let done = notes.remove(&alert.id).unwrap_or_default();
        all.extend(each_event(alert, done));
    }
    all.retain(|(place, item)| {
        from.is_none_or(|from| item.at >= from)
            && to.is_none_or(|to| item.at < to)
            && after.is_none_or(|after| place < after)
    });
    all.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok(all.into())
}

fn each_change(command: CommandRecord) -> Vec<(ChangePlace, Item)> {
    let (id, cmd) = (command.id, command.cmd);
    let each = command.transitions.into_iter().enumerate().map(|(number, step)| {
        let place = (step.at, id.as_str().to_owned(), number);
        let change = Change {
            id: id.as_str().to_owned(),
            cmd: cmd.clone(),
            state: step.state,
            reason: step.reason,
            by: step.by,
        };
        (place, Item { at: step.at, what: What::Command { command: change } })
    });
    each.collect()
}

fn each_event(alert: Alert, done: Vec<AlertEvent>) -> impl Iterator<Item = (ChangePlace, Item)> {
    let Alert { id, rule, rule_name, sensor, events, .. } = alert;
    events.into_iter().chain(done).enumerate().map(move |(number, event)| {
        let place = (event.at, id.clone(), number);
        let (id, rule, rule_name, sensor) = (id.clone(), rule.clone(), rule_name.clone(), sensor.clone());
        let at = event.at;
        let alert = AlertChange { id, rule, rule_name, sensor, event };
        (place, Item { at, what: What::Alert { alert } })
    })
}

/// Behind every sensor's name.
const BEYOND: &str = "\u{10ffff}";
/// The newest commands, and alerts, whose changes are told: a command may change long after it was queued, so their changes cannot
/// be read in pages.
const COMMANDS_MAX: u32 = 1000;
