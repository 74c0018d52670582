//! A copy of the whole store, for administrators.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, header};
use tokio_util::io::ReaderStream;

use crate::web::App;
use crate::web::code::refused;
use crate::web::error::WebError;

/// A copy of the whole store, checked.
#[utoipa::path(get, path = "/api/v1/backup",
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.sqlite3"), refused::Conflict))]
pub(crate) async fn download(State(app): State<App>) -> Result<Response, WebError> {
    let copy = app.hub.backup().await?;
    tracing::info!(entries = copy.entries, bytes = copy.bytes, "a backup was made and checked");
    let stamp = app.hub.now().civil_seconds().replace(['-', ':'], "");
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, copy.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"homeport-{stamp}Z.db\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (ENTRIES, copy.entries.to_string()),
    ];
    let file = tokio::fs::File::from_std(copy.file);
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, PIECE_BYTES))).into_response())
}

/// How many ledger entries the copy has.
const ENTRIES: HeaderName = HeaderName::from_static("homeport-entries");
const PIECE_BYTES: usize = 64 * 1024;
