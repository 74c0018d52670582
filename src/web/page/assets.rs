//! Style, scripts and icon, built into the program.

use axum::response::{IntoResponse as _, Response};
use http::header;

use crate::web::error::WebError;
use crate::web::params::Name;

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) async fn serve(Name(name): Name) -> Response {
    let (kind, text) = match name.as_str() {
        "homeport.css" => ("text/css; charset=utf-8", include_str!("../assets/homeport.css")),
        "plot.mjs" => (SCRIPT, include_str!("../assets/plot.mjs")),
        "draw.mjs" => (SCRIPT, include_str!("../assets/draw.mjs")),
        "scale.mjs" => (SCRIPT, include_str!("../assets/scale.mjs")),
        "icon.svg" => ("image/svg+xml", include_str!("../assets/icon.svg")),
        _ => return WebError::NotFound("asset").into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
