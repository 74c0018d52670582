//! Is it alive, and can it take a device's message.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Answer;
use crate::core::{HubError, StoreError};
use crate::web::error::WebError;
use crate::web::{App, CertificateDays};

pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({"status": "live"}))
}

/// How the server is, in numbers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServerStatus {
    pub(crate) version: &'static str,
    /// Whether it can take a device's message.
    pub(crate) ready: bool,
    /// Why it cannot.
    pub(crate) reason: Option<&'static str>,
    /// How large the store is.
    pub(crate) store_bytes: i64,
    /// Entries of the ledger.
    pub(crate) ledger_entries: i64,
    /// Commands that wait.
    pub(crate) commands_queued: i64,
    /// Commands that are on their way or were taken, and are not answered.
    pub(crate) commands_under_way: i64,
    pub(crate) devices: usize,
    pub(crate) devices_online: usize,
    pub(crate) certificates: Vec<CertificateDays>,
}

/// How the server is: its store, its queue, its certificates.
#[utoipa::path(get, path = "/api/v1/server", responses((status = 200, body = ServerStatus)))]
pub(crate) async fn server(State(app): State<App>) -> Answer<ServerStatus> {
    status(&app).await.map(Json)
}

/// How the server is.
pub(crate) async fn status(app: &App) -> Result<ServerStatus, WebError> {
    let stats = app.hub.stats().await?;
    let (counts, online) = app.hub.device_counts();
    let reason = unready(app).await;
    let certificates = match app.certificates.clone() {
        Some(look) => tokio::task::spawn_blocking(move || look()).await.unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(ServerStatus {
        version: env!("CARGO_PKG_VERSION"),
        ready: reason.is_none(),
        reason,
        store_bytes: app.hub.store_bytes().await?,
        ledger_entries: stats.messages,
        commands_queued: stats.queued,
        commands_under_way: stats.sent + stats.accepted,
        devices: counts.into_values().sum(),
        devices_online: online,
        certificates,
    })
}

pub(crate) async fn ready(State(app): State<App>) -> Response {
    let Some(reason) = unready(&app).await else {
        return Json(json!({"status": "ready"})).into_response();
    };
    let why = json!({"status": "not_ready", "reasons": [reason]});
    (StatusCode::SERVICE_UNAVAILABLE, Json(why)).into_response()
}

/// Why no message can be taken, if so.
async fn unready(app: &App) -> Option<&'static str> {
    Some(match app.hub.ready().await {
        Ok(()) => return None,
        Err(HubError::Busy) => "the store is busy: too many writes are waiting",
        Err(HubError::Store(StoreError::Full(_))) => "the disk that holds the store is full",
        Err(HubError::Store(StoreError::ReadOnly(_))) => "the store cannot be written",
        Err(error) => {
            tracing::warn!(%error, "not ready");
            "the store does not work; the server's log has the cause"
        }
    })
}
