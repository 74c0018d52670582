//! Day files: those of a device, made out of the store, and old ones, taken in.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use http::header;

use super::{Answer, device_for, files};
use crate::core::Level;
use crate::family::{Day, Days, Imported, OldFile};
use crate::model::Device;
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

/// The days of which there is something, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/days",
    responses((status = 200, body = Listed<Day>)))]
pub(crate) async fn list(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<Listed<Day>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    Ok(Json(Listed::whole(of(&app, &device)?.list(&app.hub, &device).await?)))
}

/// One day's file, as the first server of the device's dialect wrote it.
#[utoipa::path(get, path = "/api/v1/devices/{id}/days/{day}",
    params(("zone" = Option<String>, Query, description = "the time zone of its days", example = "Europe/Berlin")),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub(crate) async fn download(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    let Path((id, day)) = path.map_err(|_| WebError::NotFound("page"))?;
    let device = device_for(&app, &caller, &id, Level::View)?;
    let file = of(&app, &device)?.open(&app.hub, &device, &day, params.text("zone")).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::from_stream(file.bytes)).into_response())
}

/// Takes in a file that another server wrote; its name says whose and of which day it is.
#[utoipa::path(put, path = "/api/v1/days/{name}",
    params(
        ("zone" = Option<String>, Query, description = "the time zone it was written in"),
        ("dry_run" = Option<bool>, Query, description = "only look at it"),
    ),
    request_body(content = Option<Vec<u8>>, content_type = "text/csv"),
    responses((status = 200, body = Imported), refused::Conflict))]
pub(crate) async fn import(
    State(app): State<App>,
    Name(name): Name,
    params: Params,
    request: Request,
) -> Answer<Imported> {
    let mut body = request.into_body();
    let families = &app.families;
    let Some(days) = families.iter().filter_map(|family| family.days()).find(|days| days.knows(&name)) else {
        let message = format!("`{name}` is no name of a day file, such as IoTD005_20161124.csv");
        return Err(WebError::field("name", message));
    };
    let bytes = whole(&mut body).await?;
    let zone = params.text("zone").map(str::to_owned);
    let dry_run = params.truth("dry_run")?;
    Ok(Json(days.import(&app.hub, OldFile { name, bytes, zone, dry_run }).await?))
}

fn of<'a>(app: &'a App, device: &Device) -> Result<&'a dyn Days, WebError> {
    let days = app.family(&device.names.family).and_then(|family| family.days());
    days.ok_or(WebError::NotFound("day file"))
}

async fn whole(body: &mut Body) -> Result<Bytes, WebError> {
    let mut bytes = BytesMut::new();
    while let Some(more) = files::next(body).await? {
        if bytes.len() + more.len() > FILE_MAX_BYTES {
            return Err(WebError::TooLarge { limit_bytes: FILE_MAX_BYTES });
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes.freeze())
}

/// A file is looked at as a whole. A day of a board that speaks every 3 s has 1.2 MB.
const FILE_MAX_BYTES: usize = 32 * 1024 * 1024;
