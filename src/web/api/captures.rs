//! Requests of devices as they came.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::core::{Capture, Kept as _};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<Capture>> {
    let limit = params.limit()?;
    let before = params.cursor::<(Timestamp, String)>()?;
    let captures = app.hub.captures(before, limit + 1).await?;
    Ok(Json(Listed::page(captures, limit, |(at, capture)| (*at, capture.key()), |(_, capture)| capture)))
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name) -> Answer<Capture> {
    Ok(Json(app.hub.captured(&id).await?.ok_or(WebError::NotFound("capture"))?))
}
