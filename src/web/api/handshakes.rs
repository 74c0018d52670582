//! TLS handshakes that failed, each with what to do about it.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::core::{HandshakeNote, Kept as _};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::describe::params::Paged;
use crate::web::params::{Listed, Params};

/// TLS handshakes that failed, each with what to do about it.
#[utoipa::path(get, path = "/api/v1/handshakes",
    params(Paged), responses((status = 200, body = Listed<HandshakeNote>)))]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<HandshakeNote>> {
    let limit = params.limit()?;
    let before = params.cursor::<(Timestamp, String)>()?;
    let notes = app.hub.handshakes(before, limit + 1).await?;
    Ok(Json(Listed::page(notes, limit, |(at, note)| (*at, note.key()), |(_, note)| note)))
}
