//! Alerts: what fired, and what people do about it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, may};
use crate::core::{AlertFilter, Caller, Level};
use crate::model::{Alert, AlertEvent, AlertNote, AlertState, DeviceRef, Side, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// An alert.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlertShape {
    id: String,
    rule: String,
    rule_name: String,
    /// `bounds`, `no_data` or `offline`.
    kind: String,
    device: DeviceRef,
    sensor: Option<String>,
    state: AlertState,
    side: Side,
    /// The value that was outside.
    value: Option<f64>,
    /// The bound that it crossed, or the seconds that a silence may last.
    bound: Option<f64>,
    /// Since when it was wrong.
    since: Timestamp,
    /// When it fired, after the hold time.
    fired: Timestamp,
    resolved: Option<Timestamp>,
    reminders: u32,
    acknowledged_by: Option<String>,
    mute_until: Option<Timestamp>,
    /// Every change, the first first.
    events: Vec<AlertEvent>,
}

/// How long nobody is to be told: until a time, or for so long; neither ends it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mute {
    until: Option<Timestamp>,
    for_s: Option<u64>,
}

/// Alerts, the newest first.
#[utoipa::path(get, path = "/api/v1/alerts",
    params(
        ("state" = Option<AlertState>, Query, description = "whether they fire still"),
        ("device" = Option<String>, Query, description = "a device's id, address or name"),
        ("rule" = Option<String>, Query, description = "a rule's id"),
        Paged,
    ),
    responses((status = 200, body = Listed<AlertShape>), refused::NotFound, refused::Conflict))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<AlertShape>> {
    let sight = app.hub.sight(&caller);
    let device = params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose()?;
    let limit = params.limit()?;
    let filter = AlertFilter {
        device: device.map(|device| device.names.id),
        state: params.word("state", AlertState::parse, "firing, resolved")?,
        rule: params.text("rule").map(str::to_owned),
        before: params.cursor()?,
        limit: limit.saturating_add(1),
    };
    let found = app.hub.alerts(filter, |device| sight.sees(device)).await?;
    let mut told = Vec::with_capacity(found.len());
    for (at, alert) in found {
        let note = app.hub.alert_note(&alert).await?;
        told.push(((at, alert.id.clone()), AlertShape::new(alert, note)));
    }
    Ok(Json(Listed::page(told, limit, |(place, _)| place.clone(), |(_, shape)| shape)))
}

/// How many alerts fire.
#[derive(Serialize, ToSchema)]
pub(crate) struct FiringCount {
    firing: usize,
}

/// How many alerts fire now, of devices that the caller sees. Cheap: for a bell.
#[utoipa::path(get, path = "/api/v1/alerts/count", responses((status = 200, body = FiringCount)))]
pub(crate) async fn count(State(app): State<App>, By(caller): By) -> Answer<FiringCount> {
    let sight = app.hub.sight(&caller);
    Ok(Json(FiringCount { firing: app.hub.firing(|device| sight.sees(device)).await? }))
}

/// One alert, with each of its changes.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", responses((status = 200, body = AlertShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<AlertShape> {
    let alert = known(&app, &caller, &id, Level::View).await?;
    let note = app.hub.alert_note(&alert).await?;
    Ok(Json(AlertShape::new(alert, note)))
}

/// Notes that somebody knows of an alert: reminders end.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", responses((status = 200, body = AlertShape)))]
pub(crate) async fn acknowledge(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Answer<AlertShape> {
    let alert = known(&app, &caller, &id, Level::Edit).await?;
    let note = app.hub.alert_acknowledge(&alert, &caller.by()).await?;
    Ok(Json(AlertShape::new(alert, note)))
}

/// Tells nobody of an alert until a time.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/mute", request_body = Mute,
    responses((status = 200, body = AlertShape)))]
pub(crate) async fn mute(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(mute): Body<Mute>,
) -> Answer<AlertShape> {
    let alert = known(&app, &caller, &id, Level::Edit).await?;
    if mute.until.is_some() && mute.for_s.is_some() {
        return Err(WebError::field("for_s", "give until or for_s"));
    }
    let span = mute.for_s.map(Duration::from_secs);
    let until = mute.until.or_else(|| span.map(|span| app.hub.now().plus(span)));
    let note = app.hub.alert_mute(&alert, until, &caller.by()).await?;
    Ok(Json(AlertShape::new(alert, note)))
}

pub(crate) async fn known(app: &App, caller: &Caller, id: &str, need: Level) -> Result<Alert, WebError> {
    let alert = app.hub.kept::<Alert>(id).await?.ok_or(WebError::NotFound("alert"))?;
    may(app, caller, &alert.device.id, need, "alert")?;
    Ok(alert)
}

impl AlertShape {
    /// An alert with what people did about it.
    pub(crate) fn new(alert: Alert, note: AlertNote) -> Self {
        let mut events = alert.events;
        events.extend(note.events);
        events.sort_by_key(|event| event.at);
        Self {
            id: alert.id,
            rule: alert.rule,
            rule_name: alert.rule_name,
            kind: alert.kind,
            device: alert.device,
            sensor: alert.sensor,
            state: alert.state,
            side: alert.side,
            value: alert.value,
            bound: alert.bound,
            since: alert.since,
            fired: alert.fired,
            resolved: alert.resolved,
            reminders: alert.reminders,
            acknowledged_by: note.acknowledged_by,
            mute_until: note.mute_until,
            events,
        }
    }
}
