//! Scheduled commands: make, look at, change, remove.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Answer, commands, may};
use crate::core::{Caller, Level, Progress, Run};
use crate::model::{Day, DeviceId, DeviceRef, LocalTime, Schedule, Timestamp, When};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params, lasts};

/// A schedule as it is written. What is left out stays as it is, or is the default of a new one.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ScheduleEdit)]
pub(crate) struct Edit {
    name: Option<String>,
    device: Option<String>,
    cmd: Option<String>,
    #[schema(value_type = Option<serde_json::Value>)]
    payload: Option<Box<RawValue>>,
    times: Option<Vec<LocalTime>>,
    /// 0 is none.
    every_min: Option<u32>,
    days: Option<Vec<Day>>,
    zone: Option<String>,
    enabled: Option<bool>,
    #[schema(maximum = 315_360_000)]
    expires_in_s: Option<u64>,
}

/// A schedule with what became of it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleShape {
    id: String,
    name: String,
    device: Option<DeviceRef>,
    cmd: String,
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
    #[serde(flatten)]
    when: When,
    enabled: bool,
    expires_in_s: u64,
    by: String,
    changed: Timestamp,
    /// When it is due next.
    next: Option<Timestamp>,
    /// What became of the last due time.
    last: Option<Run>,
    /// How many due times passed without a command.
    missed: u64,
}

/// Commands that are queued on time.
#[utoipa::path(get, path = "/api/v1/schedules",
    params(("device" = Option<String>, Query, description = "of this device: id, address or name")),
    responses((status = 200, body = Listed<ScheduleShape>), refused::NotFound, refused::Conflict))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<ScheduleShape>> {
    let sight = app.hub.sight(&caller);
    let device = params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose()?;
    let mut found = app.hub.schedules(device.as_ref().map(|device| &device.names.id)).await?;
    found.retain(|schedule| sight.sees(&schedule.device));
    let mut items = Vec::with_capacity(found.len());
    for schedule in found {
        items.push(shape(&app, schedule).await?);
    }
    Ok(Json(Listed::whole(items)))
}

/// One schedule.
#[utoipa::path(get, path = "/api/v1/schedules/{id}",
    responses((status = 200, body = ScheduleShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<ScheduleShape> {
    Ok(Json(shape(&app, known(&app, &caller, &id, Level::View).await?).await?))
}

/// Makes a schedule.
#[utoipa::path(post, path = "/api/v1/schedules",
    request_body(content = Edit, example = json!({"device": "gauge", "cmd": "beep", "times": ["07:30"], "zone": "Europe/Berlin"})),
    responses((status = 201, body = ScheduleShape), refused::NotFound, refused::Conflict))]
pub(crate) async fn create(
    State(app): State<App>,
    By(caller): By,
    Body(edit): Body<Edit>,
) -> Result<(StatusCode, Json<ScheduleShape>), WebError> {
    let cmd = edit.cmd.clone().ok_or_else(|| WebError::field("cmd", "cmd is missing"))?;
    let fresh = Schedule {
        name: cmd.clone(),
        device: DeviceId::new(""),
        cmd,
        payload: "{}".to_owned(),
        when: When { times: Vec::new(), every_min: None, days: Vec::new(), zone: "UTC".to_owned() },
        enabled: true,
        expires_in_s: EXPIRES_IN_S,
        by: caller.by(),
        changed: app.hub.now(),
        id: Schedule::fresh_id(),
    };
    if edit.device.is_none() {
        return Err(WebError::field("device", "device is missing"));
    }
    let schedule = keep(&app, &caller, edit.over(&app, &caller, fresh)?).await?;
    Ok((StatusCode::CREATED, Json(schedule)))
}

/// Changes a schedule; what is left out stays.
#[utoipa::path(patch, path = "/api/v1/schedules/{id}",
    request_body = Edit,
    responses((status = 200, body = ScheduleShape), refused::Conflict))]
pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(edit): Body<Edit>,
) -> Answer<ScheduleShape> {
    let before = known(&app, &caller, &id, Level::Edit).await?;
    Ok(Json(keep(&app, &caller, edit.over(&app, &caller, before)?).await?))
}

/// Removes a schedule.
#[utoipa::path(delete, path = "/api/v1/schedules/{id}",
    responses((status = 204, description = "it is removed")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let schedule = known(&app, &caller, &id, Level::Edit).await?;
    app.hub.unschedule(&schedule.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Edit {
    fn over(self, app: &App, caller: &Caller, mut schedule: Schedule) -> Result<Schedule, WebError> {
        if let Some(device) = self.device {
            schedule.device = app.hub.find_seen(&app.hub.sight(caller), &device)?.names.id;
        }
        if let Some(name) = self.name {
            let name = name.trim();
            if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control)
            {
                let message =
                    format!("a name has 1 to {NAME_CHARS_MAX} characters, none a control character");
                return Err(WebError::field("name", message));
            }
            name.clone_into(&mut schedule.name);
        }
        lasts(self.expires_in_s)?;
        if let Some(seconds) = self.expires_in_s {
            if seconds == 0 {
                return Err(WebError::field("expires_in_s", "the command would expire at once"));
            }
            schedule.expires_in_s = seconds;
        }
        schedule.cmd = self.cmd.unwrap_or(schedule.cmd);
        schedule.payload = self.payload.map_or(schedule.payload, |json| json.get().to_owned());
        schedule.when.times = self.times.unwrap_or(schedule.when.times);
        if let Some(step) = self.every_min {
            schedule.when.every_min = (step > 0).then_some(step);
        }
        schedule.when.days = self.days.unwrap_or(schedule.when.days);
        schedule.when.zone = self.zone.unwrap_or(schedule.when.zone);
        schedule.enabled = self.enabled.unwrap_or(schedule.enabled);
        Ok(schedule)
    }
}

/// Keeps a schedule whose command its device's dialect can say.
async fn keep(app: &App, caller: &Caller, schedule: Schedule) -> Result<ScheduleShape, WebError> {
    may(app, caller, &schedule.device, Level::Edit, "device")?;
    let device = app.hub.device(&schedule.device).ok_or(WebError::NotFound("device"))?;
    let text = commands::text_for(app, Some(&device), schedule.cmd.clone(), schedule.payload.clone(), None);
    let draft = commands::draft(app, &device.names.family, &text)?;
    commands::may_order(app, caller, &draft.into_order(caller.by()))?;
    let schedule = app.hub.schedule(schedule).await?;
    shape(app, schedule).await
}

async fn known(app: &App, caller: &Caller, id: &str, need: Level) -> Result<Schedule, WebError> {
    let schedule = app.hub.kept::<Schedule>(id).await?.ok_or(WebError::NotFound("schedule"))?;
    may(app, caller, &schedule.device, need, "schedule")?;
    Ok(schedule)
}

async fn shape(app: &App, schedule: Schedule) -> Result<ScheduleShape, WebError> {
    let progress = app.hub.kept::<Progress>(&schedule.id).await?;
    let payload = RawValue::from_string(schedule.payload)
        .map_err(|error| WebError::Unreadable(format!("the kept payload is no JSON: {error}")))?;
    Ok(ScheduleShape {
        next: if schedule.enabled { schedule.when.next(app.hub.now()) } else { None },
        last: progress.as_ref().map(|progress| progress.last.clone()),
        missed: progress.map_or(0, |progress| progress.missed),
        device: app.hub.device(&schedule.device).map(|device| device.names),
        id: schedule.id,
        name: schedule.name,
        cmd: schedule.cmd,
        payload,
        when: schedule.when,
        enabled: schedule.enabled,
        expires_in_s: schedule.expires_in_s,
        by: schedule.by,
        changed: schedule.changed,
    })
}

/// A scheduled command that its device does not take in time should not be carried out hours later.
const EXPIRES_IN_S: u64 = 900;
const NAME_CHARS_MAX: usize = 64;
