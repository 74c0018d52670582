//! Style, scripts and icon, built into the program.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};

use crate::web::error::WebError;
use crate::web::params::Name;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Browsers keep them and ask whether they are still right: after an update no page meets an old script.
pub(crate) async fn serve(Name(name): Name, headers: HeaderMap) -> Response {
    let (kind, text) = match name.as_str() {
        "homeport.css" => ("text/css; charset=utf-8", include_str!("../assets/homeport.css")),
        "shell.mjs" => (SCRIPT, include_str!("../assets/shell.mjs")),
        "command.mjs" => (SCRIPT, include_str!("../assets/command.mjs")),
        "bell.mjs" => (SCRIPT, include_str!("../assets/bell.mjs")),
        "alerts.mjs" => (SCRIPT, include_str!("../assets/alerts.mjs")),
        "rule.mjs" => (SCRIPT, include_str!("../assets/rule.mjs")),
        "register.mjs" => (SCRIPT, include_str!("../assets/register.mjs")),
        "choose.mjs" => (SCRIPT, include_str!("../assets/choose.mjs")),
        "stream.mjs" => (SCRIPT, include_str!("../assets/stream.mjs")),
        "live.mjs" => (SCRIPT, include_str!("../assets/live.mjs")),
        "upload.mjs" => (SCRIPT, include_str!("../assets/upload.mjs")),
        "plot.mjs" => (SCRIPT, include_str!("../assets/plot.mjs")),
        "draw.mjs" => (SCRIPT, include_str!("../assets/draw.mjs")),
        "scale.mjs" => (SCRIPT, include_str!("../assets/scale.mjs")),
        "gauge.mjs" => (SCRIPT, include_str!("../assets/gauge.mjs")),
        "dial.mjs" => (SCRIPT, include_str!("../assets/dial.mjs")),
        "editor.mjs" => (SCRIPT, include_str!("../assets/editor.mjs")),
        "rename.mjs" => (SCRIPT, include_str!("../assets/rename.mjs")),
        "secret.mjs" => (SCRIPT, include_str!("../assets/secret.mjs")),
        "demo.mjs" => (SCRIPT, include_str!("../assets/demo.mjs")),
        "icon.svg" => ("image/svg+xml", include_str!("../assets/icon.svg")),
        _ => return WebError::NotFound("asset").into_response(),
    };
    let tag = format!("\"{:x}\"", crc::Crc::<u64>::new(&crc::CRC_64_XZ).checksum(text.as_bytes()));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let kept = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let about = [(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (about, kept, text).into_response()
}
