//! Calibration of a device from its own history: looked at first, queued when that is asked for.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{commands, device_for};
use crate::core::Level;
use crate::family::{CalibrateFrom, Facts, Period};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Name};
use crate::web::shape::CommandShape;

/// What to work it out from. What is left out is looked for in the stored history.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CalibrationAsk)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    empty: Option<Period>,
    occupied: Option<Period>,
    search_days: Option<u32>,
    window_s: Option<u32>,
    /// Whether the result is queued for the device; else it is only shown.
    #[serde(default)]
    queue: bool,
}

/// The result, and the command when it was queued.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Calibration)]
pub(crate) struct Calibrated {
    #[serde(flatten)]
    #[schema(ignore)]
    shown: Facts,
    unusable: Option<String>,
    queued: bool,
    warning: Option<String>,
    command: Option<CommandShape>,
}

/// Works out a device's settings from its own history.
#[utoipa::path(post, path = "/api/v1/devices/{id}/calibration",
    request_body = Option<Ask>,
    responses(
        (status = 200, description = "the result, shown", body = Calibrated),
        (status = 201, description = "the result, queued for the device", body = Calibrated),
        refused::Conflict, refused::Refused
    ))]
pub(crate) async fn calibrate(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(ask): Body<Ask>,
) -> Result<Response, WebError> {
    let device = device_for(&app, &caller, &id, Level::Edit)?;
    let family = app.family(&device.names.family).ok_or(WebError::NotFound("family"))?;
    let window = Duration::from_secs(ask.window_s.unwrap_or(WINDOW_S).into());
    let days = |days| Duration::from_hours(24).saturating_mul(days);
    let usual = days(SEARCH_DAYS).min(window.saturating_mul(CalibrateFrom::WINDOWS_MAX));
    let search = ask.search_days.map_or(usual, days);
    let from = CalibrateFrom { empty: ask.empty, occupied: ask.occupied, search, window };
    let found = family.calibrate(&app.hub, &device, &from).await?;
    let mut calibrated = Calibrated {
        shown: found.shown,
        unusable: found.unusable,
        queued: false,
        warning: None,
        command: None,
    };
    if !ask.queue {
        return Ok(Json(calibrated).into_response());
    }
    if let Some(why) = calibrated.unusable {
        return Err(WebError::field("queue", format!("the result cannot be queued: {why}")));
    }
    let text = commands::text_for(&app, Some(&device), found.cmd, found.payload, None);
    let draft = commands::draft(&app, &device.names.family, &text)?;
    calibrated.warning.clone_from(&draft.warning);
    let command = app.hub.enqueue(draft.into_order(caller.by())).await?;
    calibrated.command = Some(CommandShape::new(&app, command));
    calibrated.queued = true;
    Ok((StatusCode::CREATED, Json(calibrated)).into_response())
}

/// A week.
const SEARCH_DAYS: u32 = 7;
/// An hour.
const WINDOW_S: u32 = 3600;
