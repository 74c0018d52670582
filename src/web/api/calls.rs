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
use crate::core::{Feed, FeedEvent, Next, Sight};
use crate::model::{CommandId, CommandState, Device, DeviceId, FamilyName, Priority, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, lasts};

pub(crate) mod rehearsal;
mod targets;

pub(crate) use self::rehearsal::Planned;
pub(crate) use self::targets::{Set, To, Whom};
use self::targets::{Target, meant};

/// What is to be said, and to whom.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Call)]
pub(crate) struct Call {
    /// The dialect; may be left out where only tags and groups are named.
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
    /// Only say who would get it, and who would not and why.
    #[serde(default)]
    preview: bool,
    /// The same, with the exact bytes for each.
    #[serde(default)]
    dry_run: bool,
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

/// What became of it, or what would.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(crate) enum CallAnswer {
    Called(Called),
    Rehearsed(rehearsal::Rehearsed),
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
    /// `None`: each device in its own.
    pub(crate) family: Option<FamilyName>,
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
        self.to.is_everybody()
    }
}

/// Says one thing to several devices, and what became of it for each; with `preview` or `dry_run`, what would.
#[utoipa::path(post, path = "/api/v1/commands",
    request_body(content = Call, example = json!({"family": "mcu", "to": {"tag": "hall"}, "cmd": "led", "payload": {"on": true}})),
    responses((status = 200, body = CallAnswer), refused::Conflict))]
pub(crate) async fn call(
    State(app): State<App>,
    By(caller): By,
    Body(call): Body<Call>,
) -> Answer<CallAnswer> {
    let to =
        call.to.ok_or_else(|| WebError::field("to", "name devices, tags or groups, or write \"all\""))?;
    match &call.family {
        Some(family) if app.family(family).is_none() => {
            return Err(WebError::field("family", format!("no dialect {family} is spoken here")));
        }
        None if !to.is_of_sets() => return Err(WebError::field("family", "family is missing")),
        Some(_) | None => {}
    }
    let order = Order {
        to,
        profile: call.profile,
        cmd: call.cmd.ok_or_else(|| WebError::field("cmd", "cmd is missing"))?,
        payload: call.payload.map_or_else(|| "{}".to_owned(), |json| json.get().to_owned()),
        expires_in: lasts(call.expires_in_s)?,
        priority: call.priority.unwrap_or_default(),
        offline: call.offline,
        by: caller.by(),
        family: call.family,
    };
    let sight = app.hub.sight(&caller);
    if call.preview || call.dry_run {
        let rehearsed = rehearsal::rehearse(&app, &sight, &order, call.dry_run).await?;
        return Ok(Json(CallAnswer::Rehearsed(rehearsed)));
    }
    Ok(Json(CallAnswer::Called(Called { items: carry_out(&app, &sight, &order).await? })))
}

/// Says it to everybody who is meant, and waits a moment for what becomes of it.
pub(crate) async fn carry_out(app: &App, sight: &Sight, order: &Order) -> Result<Vec<Told>, WebError> {
    let targets = meant(app, sight, order).await?;
    // Before anything is queued, so that nothing that follows is missed.
    let mut feed = app.hub.watch();
    let say = |target| say(app, order, target);
    let mut items: Vec<Told> = stream::iter(targets).map(say).buffered(AT_ONCE).collect().await;
    settle(app, &mut feed, &mut items, order).await?;
    Ok(items)
}

/// Queues it for one device, unless that is in vain.
async fn say(app: &App, order: &Order, target: Target) -> Told {
    let mut told = Told {
        address: target.name,
        device: None,
        result: Outcome::Unknown,
        command: None,
        expires: None,
        message: None,
    };
    let Some(device) = target.device else { return told };
    told.address.clone_from(&device.names.address);
    told.device = Some(device.names.id.clone());
    if let Some(why) = target.left_out {
        told.result = Outcome::Refused;
        told.message = Some(why.to_owned());
        return told;
    }
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
    let command = app.hub.enqueue(drafted(app, order, device)?.0).await?;
    Ok((command.id, command.expires))
}

/// The order for one device, and what its maker should know.
fn drafted(
    app: &App,
    order: &Order,
    device: &Device,
) -> Result<(crate::core::Order, Option<String>), WebError> {
    let text = text_for(app, Some(device), order.cmd.clone(), order.payload.clone(), None);
    let draft = draft(app, &device.names.family, &text)?;
    let warning = draft.warning.clone();
    let mut drafted = draft.into_order(order.by.clone());
    drafted.expires_in = order.expires_in.or(drafted.expires_in);
    drafted.priority = order.priority;
    Ok((drafted, warning))
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

/// Commands on their way to the store together, so that they are committed together.
const AT_ONCE: usize = 64;
const GOES_OUT_WITHIN: Duration = Duration::from_secs(3);
