//! The demo: look at, start, pause, stop.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Answer;
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::demo::{DemoKind, DemoNote, DemoTurned, DemoWish, period};
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name};

/// How fast a demo is to go.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[schema(as = DemoStart)]
pub(crate) struct Pace {
    /// Milliseconds between two messages, 50 to 60000; beyond it is held there. `null` leaves it as it is, at first 2000.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    period_ms: Value,
}

/// A demo that was started.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = StartedDemo)]
pub(crate) struct Started {
    #[serde(flatten)]
    pub(crate) turned: DemoTurned,
    /// What to know when the period is another than was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) adjusted: Option<String>,
}

/// The demos of this server.
#[utoipa::path(get, path = "/api/v1/demo", responses((status = 200, body = Listed<DemoNote>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<Listed<DemoNote>> {
    Json(Listed::whole(all(&app)))
}

/// Starts a demo, lets it go on, or changes its pace while it runs.
#[utoipa::path(post, path = "/api/v1/demo/{kind}/start",
    request_body(content = Pace, example = json!({"period_ms": 500})),
    responses((status = 200, body = Started), refused::Conflict))]
pub(crate) async fn start(
    State(app): State<App>,
    Name(kind): Name,
    By(caller): By,
    Body(pace): Body<Pace>,
) -> Answer<Started> {
    begin(&app, &kind, &pace.period_ms, &caller.by()).await.map(Json)
}

/// Pauses a demo: it goes on where it was.
#[utoipa::path(post, path = "/api/v1/demo/{kind}/pause",
    responses((status = 200, body = DemoTurned), refused::Conflict))]
pub(crate) async fn pause(State(app): State<App>, Name(kind): Name, By(caller): By) -> Answer<DemoTurned> {
    turn(&app, &kind, DemoWish::Pause, &caller.by()).await.map(Json)
}

/// Stops a demo. Its device stays, with what it said.
#[utoipa::path(post, path = "/api/v1/demo/{kind}/stop",
    responses((status = 200, body = DemoTurned), refused::Conflict))]
pub(crate) async fn stop(State(app): State<App>, Name(kind): Name, By(caller): By) -> Answer<DemoTurned> {
    turn(&app, &kind, DemoWish::Stop, &caller.by()).await.map(Json)
}

/// Every demo of this server.
pub(crate) fn all(app: &App) -> Vec<DemoNote> {
    app.demos.as_ref().map(|demos| demos.list()).unwrap_or_default()
}

/// Starts one at the pace that somebody typed.
pub(crate) async fn begin(app: &App, kind: &str, typed: &Value, by: &str) -> Result<Started, WebError> {
    let (period, adjusted) = period(typed);
    let turned = turn(app, kind, DemoWish::Start(period), by).await?;
    Ok(Started { turned, adjusted })
}

/// Does what somebody wants of one.
pub(crate) async fn turn(app: &App, kind: &str, wish: DemoWish, by: &str) -> Result<DemoTurned, WebError> {
    let (Some(demos), Some(kind)) = (app.demos.as_ref(), DemoKind::parse(kind)) else {
        return Err(WebError::NotFound("demo"));
    };
    Ok(demos.turn(kind, wish, by).await?)
}
