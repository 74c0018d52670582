//! Listeners: look at, open, close.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name};
use crate::web::{App, ListenerNote, ListenerTurned};

/// The listeners of this server.
#[utoipa::path(get, path = "/api/v1/listeners",
    responses((status = 200, body = Listed<ListenerNote>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<Listed<ListenerNote>> {
    Json(Listed::whole(all(&app)))
}

/// Opens a listener.
#[utoipa::path(post, path = "/api/v1/listeners/{name}/open",
    responses((status = 200, body = ListenerTurned), refused::Conflict))]
pub(crate) async fn open(State(app): State<App>, Name(name): Name, By(caller): By) -> Answer<ListenerTurned> {
    turn(&app, &name, true, &caller.by()).await.map(Json)
}

/// Closes a listener with its connections.
#[utoipa::path(post, path = "/api/v1/listeners/{name}/close",
    responses((status = 200, body = ListenerTurned), refused::Conflict))]
pub(crate) async fn close(
    State(app): State<App>,
    Name(name): Name,
    By(caller): By,
) -> Answer<ListenerTurned> {
    turn(&app, &name, false, &caller.by()).await.map(Json)
}

/// Every listener of this server.
pub(crate) fn all(app: &App) -> Vec<ListenerNote> {
    app.listeners.as_ref().map(|listeners| listeners.list()).unwrap_or_default()
}

/// Opens or closes one.
pub(crate) async fn turn(app: &App, name: &str, open: bool, by: &str) -> Result<ListenerTurned, WebError> {
    let listeners = app.listeners.as_ref().ok_or(WebError::NotFound("listener"))?;
    Ok(listeners.turn(name, open, by).await?)
}
