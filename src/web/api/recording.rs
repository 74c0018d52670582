//! Whether what devices of a family say is kept: look, pause, resume.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Answer;
use crate::core::Recording;
use crate::model::FamilyName;
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name};

/// What became of a wish to pause or resume.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TurnedRecording)]
pub(crate) struct Turned {
    #[serde(flatten)]
    pub(crate) recording: Recording,
    /// Whether it was so already.
    unchanged: bool,
}

/// Whether what devices say is kept, by family.
#[utoipa::path(get, path = "/api/v1/recording",
    responses((status = 200, body = Listed<Recording>)))]
pub(crate) async fn list(State(app): State<App>) -> Json<Listed<Recording>> {
    Json(Listed::whole(app.hub.recordings()))
}

/// Stops keeping what devices of a family say.
#[utoipa::path(post, path = "/api/v1/recording/{family}/pause",
    responses((status = 200, body = Turned), refused::Conflict))]
pub(crate) async fn pause(State(app): State<App>, Name(family): Name, By(caller): By) -> Answer<Turned> {
    turn(&app, &family, false, &caller.by()).await.map(Json)
}

/// Keeps what devices of a family say again.
#[utoipa::path(post, path = "/api/v1/recording/{family}/resume",
    responses((status = 200, body = Turned), refused::Conflict))]
pub(crate) async fn resume(State(app): State<App>, Name(family): Name, By(caller): By) -> Answer<Turned> {
    turn(&app, &family, true, &caller.by()).await.map(Json)
}

/// Pauses or resumes one family's recording.
pub(crate) async fn turn(app: &App, family: &str, on: bool, by: &str) -> Result<Turned, WebError> {
    let family = FamilyName::new(family);
    if app.family(&family).is_none() {
        return Err(WebError::NotFound("family"));
    }
    if !app.hub.recordings().iter().any(|known| known.family == family) {
        let message = format!(
            "devices of the family {family} are told that their messages are stored: recording them cannot be paused"
        );
        return Err(WebError::Hub(crate::core::HubError::Conflict { field: "family", message }));
    }
    let (recording, changed) = app.hub.record(&family, on, by).await?;
    Ok(Turned { recording, unchanged: !changed })
}
