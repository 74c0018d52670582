//! `/metrics`, for Prometheus and its like.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;

use crate::web::App;
use crate::web::error::WebError;

/// Everything that is counted, in Prometheus' text form.
pub(crate) async fn show(State(app): State<App>) -> Result<Response, WebError> {
    let Some(metrics) = &app.metrics else { return Err(WebError::NotFound("page")) };
    let text = metrics().await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
