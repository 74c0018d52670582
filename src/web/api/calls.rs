//! One command for several devices at once, and what became of it for each.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::Answer;
use super::commands::{draft, text_for};
use crate::core::{DeviceFilter, Feed, FeedEvent, Level, Next, Sight};
use crate::model::{CommandId, CommandState, Device, DeviceId, DeviceState, FamilyName, Priority, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, lasts};

/// What is to be said, and to whom.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Call)]
pub(crate) struct Call {
    family: Option<FamilyName>,
    to: Option<To>,
    /// Of all, only those of one profile.
    profile: Option<String>,
    cmd: Option<String>,
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    #[schema(maximum = 315_360_000)]
    expires_in_s: Option<u64>,
    priority: Option<Priority>,
    offline: Option<Offline>,
}

/// `all`, one device or several, each by its address, id or name.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CallTo)]
#[serde(untagged)]
pub(crate) enum To {
    /// One of them, or the word.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// What is done for a device that is not connected now.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[schema(as = CallOffline)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Offline {
    /// The command waits for it.
    Queue,
    /// Nothing.
    Skip,
}

/// What became of it for every device.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Called)]
pub(crate) struct Called {
    items: Vec<Told>,
}

/// What became of it for one device.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CallResult)]
pub(crate) struct Told {
    pub(crate) address: String,
    pub(crate) device: Option<DeviceId>,
    pub(crate) result: Outcome,
    /// The command, if one was queued.
    pub(crate) command: Option<CommandId>,
    /// Until when it waits, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// What became of it, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CallOutcome)]
pub(crate) enum Outcome {
    #[serde(rename = "sent")]
    Sent,
    #[serde(rename = "queued")]
    Queued,
    #[serde(rename = "offline")]
    Offline,
    #[serde(rename = "no such device")]
    Unknown,
    #[serde(rename = "refused")]
    Refused,
}

/// A call that was understood.
pub(crate) struct Order {
    pub(crate) family: FamilyName,
    pub(crate) to: To,
    /// Of all, only those of one profile.
    pub(crate) profile: Option<String>,
    pub(crate) cmd: String,
    pub(crate) payload: String,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) priority: Priority,
    /// `None`: nothing waits when all are meant, for whoever means everybody means those who are there.
    pub(crate) offline: Option<Offline>,
    pub(crate) by: String,
}

impl Order {
    fn offline(&self) -> Offline {
        self.offline.unwrap_or(if self.is_for_all() { Offline::Skip } else { Offline::Queue })
    }

    fn is_for_all(&self) -> bool {
        matches!(&self.to, To::One(word) if word == "all")
    }
}

/// Says one thing to several devices, and what became of it for each.
#[utoipa::path(post, path = "/api/v1/commands",
    request_body(content = Call, example = json!({"family": "mcu", "to": "all", "cmd": "led", "payload": {"on": true}})),
    responses((status = 200, body = Called), refused::Conflict))]
pub(crate) async fn call(State(app): State<App>, By(caller): By, Body(call): Body<Call>) -> Answer<Called> {
    let family = call.family.ok_or_else(|| WebError::field("family", "family is missing"))?;
    if app.family(&family).is_none() {
        return Err(WebError::field("family", format!("no dialect {family} is spoken here")));
    }
    let order = Order {
        to: call.to.ok_or_else(|| WebError::field("to", "name devices, or write \"all\""))?,
        profile: call.profile,
        cmd: call.cmd.ok_or_else(|| WebError::field("cmd", "cmd is missing"))?,
        payload: call.payload.map_or_else(|| "{}".to_owned(), |json| json.get().to_owned()),
        expires_in: lasts(call.expires_in_s)?,
        priority: call.priority.unwrap_or_default(),
        offline: call.offline,
        by: caller.by(),
        family,
    };
    Ok(Json(Called { items: carry_out(&app, &app.hub.sight(&caller), &order).await? }))
}

/// Says it to everybody who is meant, and waits a moment for what becomes of it.
pub(crate) async fn carry_out(app: &App, sight: &Sight, order: &Order) -> Result<Vec<Told>, WebError> {
    let family = &order.family;
    if order.profile.is_some() && !order.is_for_all() {
        return Err(WebError::field("profile", "a profile narrows down \"all\": name devices, or a profile"));
    }
    let targets = match &order.to {
        To::One(_) if order.is_for_all() => everybody(app, sight, family, order.profile.as_deref()).await?,
        To::One(name) => vec![(name.clone(), named(app, sight, family, name).await?)],
        To::Many(names) => {
            if names.len() > TARGETS_MAX {
                return Err(WebError::field("to", format!("at most {TARGETS_MAX} devices, or \"all\"")));
            }
            let mut targets = Vec::with_capacity(names.len());
            for name in names {
                targets.push((name.clone(), named(app, sight, family, name).await?));
            }
            targets
        }
    };
    // Before anything is queued, so that nothing that follows is missed.
    let mut feed = app.hub.watch();
    let say = |(name, device)| say(app, order, name, device);
    let mut items: Vec<Told> = stream::iter(targets).map(say).buffered(AT_ONCE).collect().await;
    settle(app, &mut feed, &mut items, order).await?;
    Ok(items)
}

/// Every active device of a dialect, or of a profile there, by address.
async fn everybody(
    app: &App,
    sight: &Sight,
    family: &FamilyName,
    profile: Option<&str>,
) -> Result<Vec<(String, Option<Device>)>, WebError> {
    let dialect = app.family(family);
    let is_meant = |device: &Device| {
        let may = sight.level(&device.names.id) >= Level::Edit;
        may && profile.is_none_or(|wanted| {
            dialect.and_then(|dialect| dialect.profile(&device.names)).as_deref() == Some(wanted)
        })
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let filter = DeviceFilter {
            family: Some(family.clone()),
            state: Some(DeviceState::Active),
            after,
            limit: PAGE,
            ..DeviceFilter::default()
        };
        let page = app.hub.devices_seen(sight, filter, None).await?;
        after = page.last().map(|device| (device.names.name.clone(), device.names.id.clone()));
        let whole = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        found.extend(
            page.into_iter().filter(is_meant).map(|device| (device.names.address.clone(), Some(device))),
        );
        if !whole {
            break;
        }
    }
    // Numbers in their order, other addresses in theirs.
    found.sort_by_cached_key(|(address, _)| (address.parse::<u64>().ok(), address.clone()));
    Ok(found)
}

async fn named(
    app: &App,
    sight: &Sight,
    family: &FamilyName,
    name: &str,
) -> Result<Option<Device>, WebError> {
    let may = |device: &Device| sight.level(&device.names.id) >= Level::Edit;
    let by_id = || app.hub.device(&DeviceId::new(name)).filter(|device| device.names.family == *family);
    if let Some(device) = app.hub.device_by_address(family, name).filter(may).or_else(by_id).filter(may) {
        return Ok(Some(device));
    }
    let filter = DeviceFilter {
        q: Some(name.to_owned()),
        family: Some(family.clone()),
        limit: PAGE,
        ..DeviceFilter::default()
    };
    let found = app.hub.devices_seen(sight, filter, None).await?;
    let mut same =
        found.into_iter().filter(|device| may(device) && device.names.name.eq_ignore_ascii_case(name));
    match (same.next(), same.next()) {
        (only, None) => Ok(only),
        (_, Some(_)) => Err(WebError::field("to", format!("`{name}` names several devices: use the id"))),
    }
}

/// Queues it for one device, unless that is in vain.
async fn say(app: &App, order: &Order, name: String, device: Option<Device>) -> Told {
    let mut told = Told {
        address: name,
        device: None,
        result: Outcome::Unknown,
        command: None,
        expires: None,
        message: None,
    };
    let Some(device) = device else { return told };
    told.address.clone_from(&device.names.address);
    told.device = Some(device.names.id.clone());
    let reached = app.family(&device.names.family).and_then(|family| family.reachable(&device));
    told.result = if reached == Some(false) { Outcome::Offline } else { Outcome::Queued };
    if reached == Some(false) && order.offline() == Offline::Skip {
        return told;
    }
    match queue(app, order, &device).await {
        Ok((id, expires)) => {
            told.command = Some(id);
            told.expires = Some(expires);
        }
        Err(error) => {
            told.result = Outcome::Refused;
            told.message = Some(error.shown().message);
        }
    }
    told
}

async fn queue(app: &App, order: &Order, device: &Device) -> Result<(CommandId, Timestamp), WebError> {
    let text = text_for(app, Some(device), order.cmd.clone(), order.payload.clone(), None);
    let mut drafted = draft(app, &device.names.family, &text)?.into_order(order.by.clone());
    drafted.expires_in = order.expires_in.or(drafted.expires_in);
    drafted.priority = order.priority;
    let command = app.hub.enqueue(drafted).await?;
    Ok((command.id, command.expires))
}

/// Waits a moment for what goes out at once on open connections.
async fn settle(app: &App, feed: &mut Feed, items: &mut [Told], order: &Order) -> Result<(), WebError> {
    let reached = |told: &Told| {
        let device = told.device.as_ref().and_then(|id| app.hub.device(id))?;
        app.family(&device.names.family)?.reachable(&device)
    };
    let mut open: HashMap<CommandId, usize> = items
        .iter()
        .enumerate()
        .filter(|(_, told)| told.result == Outcome::Queued && reached(told).is_some())
        .filter_map(|(place, told)| Some((told.command.clone()?, place)))
        .collect();
    let end = Instant::now() + GOES_OUT_WITHIN;
    while !open.is_empty() {
        match timeout_at(end, feed.next()).await {
            Ok(Next::Event(event)) => {
                if let FeedEvent::Command(command) = &*event
                    && command.state != CommandState::Queued
                    && let Some(place) = open.remove(&command.id)
                {
                    went(items, place, command.state);
                }
            }
            Ok(Next::Missed(_)) => look(app, items, &mut open).await?,
            Ok(Next::Ended) | Err(_) => break,
        }
    }
    look(app, items, &mut open).await?;
    for (id, place) in open {
        // Its connection was about to end.
        if order.offline() == Offline::Skip && app.hub.cancel(&id, &order.by).await.is_ok() {
            went(items, place, CommandState::Cancelled);
        }
    }
    Ok(())
}

/// Looks up those that were not heard of.
async fn look(app: &App, items: &mut [Told], open: &mut HashMap<CommandId, usize>) -> Result<(), WebError> {
    for (id, place) in open.clone() {
        let state = app.hub.command(&id).await?.map_or(CommandState::Failed, |command| command.state);
        if state != CommandState::Queued {
            went(items, place, state);
            open.remove(&id);
        }
    }
    Ok(())
}

impl Outcome {
    /// As it is told.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Queued => "queued",
            Self::Offline => "offline",
            Self::Unknown => "no such device",
            Self::Refused => "refused",
        }
    }
}

fn went(items: &mut [Told], place: usize, state: CommandState) {
    let Some(told) = items.get_mut(place) else { return };
    told.result = match state {
        CommandState::Sent | CommandState::Accepted | CommandState::Answered => Outcome::Sent,
        CommandState::Queued => Outcome::Queued,
        CommandState::Failed | CommandState::Expired | CommandState::Cancelled => Outcome::Offline,
    };
    if told.result != Outcome::Queued {
        told.expires = None;
    }
}

const TARGETS_MAX: usize = 10_000;
const PAGE: u32 = 500;
/// Commands on their way to the store together, so that they are committed together.
const AT_ONCE: usize = 64;
const GOES_OUT_WITHIN: Duration = Duration::from_secs(3);
