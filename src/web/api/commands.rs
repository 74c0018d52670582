//! Commands: queue, look at, withdraw.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Answer, device_for, may};
use crate::core::{Caller, CommandFilter, HubError, Level, Order};
use crate::family::{CommandText, DraftText};
use crate::model::{CommandId, CommandRecord, CommandState, Device, FamilyName, Priority};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params, lasts};
use crate::web::shape::{CommandShape, Exact};

/// What is to be said to a device.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CommandText)]
pub(crate) struct Say {
    cmd: Option<String>,
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    dst: Option<Names>,
    #[schema(maximum = 315_360_000)]
    expires_in_s: Option<u64>,
    priority: Option<Priority>,
    #[serde(default)]
    dry_run: bool,
}

/// One name or a list of names.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CommandNames)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// What a device would get.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Rehearsal)]
pub(crate) struct Rehearsal {
    dry_run: bool,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    #[serde(flatten)]
    exact: Exact,
}

/// A queued command and what its maker should know.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = QueuedCommand)]
pub(crate) struct Queued {
    #[serde(flatten)]
    command: CommandShape,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// A device's commands, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/commands",
    params(
        ("state" = Option<CommandState>, Query, description = "where they stand"),
        ("least" = Option<Priority>, Query, description = "of this priority or a higher one"),
        Paged,
    ),
    responses((status = 200, body = Listed<CommandShape>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Answer<Listed<CommandShape>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let limit = params.limit()?;
    let states = "queued, sent, accepted, answered, failed, expired, cancelled";
    let filter = CommandFilter {
        device: Some(device.names.id),
        state: params.word("state", CommandState::parse, states)?,
        least: params.word("least", Priority::parse, "low, normal, high")?,
        before: params.cursor::<String>()?.as_deref().map(CommandId::new),
        limit: limit + 1,
    };
    let commands = app.hub.commands_seen(&app.hub.sight(&caller), filter).await?;
    let cursor = |command: &CommandRecord| command.id.as_str().to_owned();
    Ok(Json(Listed::page(commands, limit, cursor, |command| CommandShape::new(&app, command))))
}

/// Queues a command; a dry run tells the exact bytes instead.
#[utoipa::path(post, path = "/api/v1/devices/{id}/commands",
    request_body(content = Say, example = json!({"cmd": "wr", "payload": {"oke": {"port": "232"}}, "dry_run": true})),
    responses(
        (status = 200, description = "a dry run: what the device would get", body = Rehearsal),
        (status = 201, description = "it is queued", body = Queued),
        refused::Conflict, refused::Refused
    ))]
pub(crate) async fn queue(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(say): Body<Say>,
) -> Result<Response, WebError> {
    let device = device_for(&app, &caller, &id, Level::Edit)?;
    let cmd = say.cmd.ok_or_else(|| WebError::field("cmd", "cmd is missing"))?;
    let payload = say.payload.map_or_else(|| "{}".to_owned(), |json| json.get().to_owned());
    let dst = say.dst.map(|names| match names {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    });
    let text = text_for(&app, Some(&device), cmd, payload, dst);
    let draft = draft(&app, &device.names.family, &text)?;
    let warning = draft.warning.clone();
    let mut order = draft.into_order(caller.by());
    order.expires_in = lasts(say.expires_in_s)?.or(order.expires_in);
    order.priority = say.priority.unwrap_or_default();
    may_order(&app, &caller, &order)?;
    if say.dry_run {
        let bytes = app.hub.dry_run(&order).await?;
        let exact = Exact::new(&bytes);
        return Ok(Json(Rehearsal { dry_run: true, size: bytes.len(), warning, exact }).into_response());
    }
    let command = CommandShape::new(&app, app.hub.enqueue(order).await?);
    Ok((StatusCode::CREATED, Json(Queued { command, warning })).into_response())
}

/// One command with every change of its state.
#[utoipa::path(get, path = "/api/v1/commands/{id}",
    responses((status = 200, body = CommandShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<CommandShape> {
    Ok(Json(CommandShape::new(&app, command_for(&app, &caller, &id, Level::View).await?)))
}

/// Withdraws a command that waits.
#[utoipa::path(post, path = "/api/v1/commands/{id}/cancel",
    responses((status = 200, body = CommandShape), refused::Conflict))]
pub(crate) async fn cancel(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<CommandShape> {
    let command = command_for(&app, &caller, &id, Level::Edit).await?;
    let command = app.hub.cancel(&command.id, &caller.by()).await?;
    Ok(Json(CommandShape::new(&app, command)))
}

/// The command with an id, for a caller who may do so much with its device.
pub(crate) async fn command_for(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Level,
) -> Result<CommandRecord, WebError> {
    let command = app.hub.command(&CommandId::new(id)).await?.ok_or(WebError::NotFound("command"))?;
    may(app, caller, &command.device.id, need, "command")?;
    Ok(command)
}

/// Whether a caller may have this order carried out: its text may name another device than the one it was given for, and
/// another way there.
pub(crate) fn may_order(app: &App, caller: &Caller, order: &Order) -> Result<(), WebError> {
    let sight = app.hub.sight(caller);
    let target = app.hub.device_by_address(&order.family, &order.address);
    let usual = target.as_ref().and_then(|device| device.parent.clone());
    let via = order.via.as_ref().and_then(|address| app.hub.device_by_address(&order.family, address));
    // The way that a device's commands always take is no other's business.
    let via = via.filter(|via| Some(&via.names.id) != usual.as_ref());
    for device in [&target, &via].into_iter().flatten() {
        if sight.level(&device.names.id) < Level::Edit {
            return Err(WebError::NotFound("device"));
        }
    }
    // Who calls by an address that nobody has seen is the house's.
    if target.is_none() && !sight.house() {
        return Err(WebError::NotFound("device"));
    }
    Ok(())
}

/// An operator's words for a device, known or named in `dst` alone.
pub(crate) fn text_for(
    app: &App,
    device: Option<&Device>,
    cmd: String,
    payload: String,
    dst: Option<Vec<String>>,
) -> CommandText {
    let parent = device.and_then(|device| device.parent.as_ref()).and_then(|id| app.hub.device(id));
    CommandText {
        address: device.map(|device| device.names.address.clone()),
        parent: parent.map(|parent| parent.names.address),
        cmd,
        payload,
        dst,
        at: app.hub.now(),
    }
}

/// What the dialect makes of an operator's words.
pub(crate) fn draft(app: &App, family: &FamilyName, text: &CommandText) -> Result<DraftText, WebError> {
    let family = app.family(family).ok_or(WebError::NotFound("family"))?;
    family
        .draft(text)
        .map_err(|invalid| HubError::Invalid { field: invalid.field, message: invalid.message }.into())
}
