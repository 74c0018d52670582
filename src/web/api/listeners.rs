//! Listeners: look at, open, close.

use axum::Json;
use axum::extract::State;

use super::Answer;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name};
use crate::web::{App, ListenerNote, ListenerTurned};

pub(crate) async fn list(State(app): State<App>) -> Json<Listed<ListenerNote>> {
    Json(Listed::whole(all(&app)))
}

pub(crate) async fn open(State(app): State<App>, Name(name): Name, By(caller): By) -> Answer<ListenerTurned> {
    turn(&app, &name, true, &caller.by()).await.map(Json)
}

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
