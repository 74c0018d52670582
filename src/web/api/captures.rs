//! Requests of devices as they came.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::core::{Capture, Kept as _, Sight};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::auth::By;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

/// Requests of devices as they came, the newest first.
#[utoipa::path(get, path = "/api/v1/captures",
    params(Paged), responses((status = 200, body = Listed<Capture>)))]
pub(crate) async fn list(State(app): State<App>, By(caller): By, params: Params) -> Answer<Listed<Capture>> {
    let sight = app.hub.sight(&caller);
    let limit = params.limit()?;
    let before = params.cursor::<(Timestamp, String)>()?;
    // All that are kept: what is left out must not make the page short.
    let mut captures = app.hub.captures(before, Capture::KEEP_MAX.unwrap_or(u32::MAX)).await?;
    captures.retain(|(_, capture)| may_see(&app, &sight, capture));
    captures.truncate(usize::try_from(limit + 1).unwrap_or(usize::MAX));
    Ok(Json(Listed::page(captures, limit, |(at, capture)| (*at, capture.key()), |(_, capture)| capture)))
}

/// One request as it came.
#[utoipa::path(get, path = "/api/v1/captures/{id}",
    responses((status = 200, body = Capture)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<Capture> {
    let sight = app.hub.sight(&caller);
    let found = app.hub.captured(&id).await?.filter(|capture| may_see(&app, &sight, capture));
    Ok(Json(found.ok_or(WebError::NotFound("capture"))?))
}

/// Whether none of the devices at the address that was found in a request is another's.
fn may_see(app: &App, sight: &Sight, capture: &Capture) -> bool {
    let Some(address) = &capture.device else { return true };
    let families = app.family_names();
    let mut found = families.iter().filter_map(|family| app.hub.device_by_address(family, address));
    found.all(|device| sight.sees(&device.names.id))
}
