//! Is it alive, and can it take a device's message.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;

use crate::web::App;

pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({"status": "live"}))
}

pub(crate) async fn ready(State(app): State<App>) -> Response {
    match app.hub.stats().await {
        Ok(_) => Json(json!({"status": "ready"})).into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let why = json!({"status": "not_ready", "reasons": ["the store cannot be read"]});
            (StatusCode::SERVICE_UNAVAILABLE, Json(why)).into_response()
        }
    }
}
