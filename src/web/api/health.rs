//! Is it alive, and can it take a device's message.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;

use crate::core::{HubError, StoreError};
use crate::web::App;

pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({"status": "live"}))
}

pub(crate) async fn ready(State(app): State<App>) -> Response {
    let reason = match app.hub.ready().await {
        Ok(()) => return Json(json!({"status": "ready"})).into_response(),
        Err(HubError::Busy) => "the store is busy: too many writes are waiting",
        Err(HubError::Store(StoreError::Full(_))) => "the disk that holds the store is full",
        Err(HubError::Store(StoreError::ReadOnly(_))) => "the store cannot be written",
        Err(error) => {
            tracing::warn!(%error, "not ready");
            "the store does not work; the server's log has the cause"
        }
    };
    let why = json!({"status": "not_ready", "reasons": [reason]});
    (StatusCode::SERVICE_UNAVAILABLE, Json(why)).into_response()
}
