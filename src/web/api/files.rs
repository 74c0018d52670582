//! Files that devices may download: list, upload, withdraw.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::Answer;
use crate::core::{About, HubError, Published, Upload};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::code::refused;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

/// A file, and whether its bytes are there to be downloaded.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = File)]
pub(crate) struct FileShape {
    #[serde(flatten)]
    file: Published,
    available: bool,
}

/// A file after its upload.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UploadedFile)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    file: Published,
    replaced: bool,
}

/// Files that devices may download, the newest first.
#[utoipa::path(get, path = "/api/v1/files",
    params(Paged), responses((status = 200, body = Listed<FileShape>)))]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<FileShape>> {
    let limit = params.limit()?;
    let files = app.hub.files(params.cursor()?, limit + 1).await?;
    let found = app.hub.files_available(&files.iter().map(|(_, file)| file).collect::<Vec<_>>()).await;
    let mut found = found.into_iter();
    let cursor = |(at, file): &(Timestamp, Published)| (*at, file.name.as_str().to_owned());
    let shape = |(_, file)| FileShape { file, available: found.next().unwrap_or(false) };
    Ok(Json(Listed::page(files, limit, cursor, shape)))
}

/// One file.
#[utoipa::path(get, path = "/api/v1/files/{name}",
    responses((status = 200, body = FileShape)))]
pub(crate) async fn show(State(app): State<App>, Name(name): Name) -> Answer<FileShape> {
    let file = app.hub.file(&name).await?.ok_or(WebError::NotFound("file"))?;
    let available = app.hub.files_available(&[&file]).await == [true];
    Ok(Json(FileShape { file, available }))
}

/// Withdraws a file.
#[utoipa::path(delete, path = "/api/v1/files/{name}",
    responses((status = 204, description = "it is withdrawn"), refused::Disk, refused::Conflict))]
pub(crate) async fn withdraw(State(app): State<App>, Name(name): Name) -> Result<StatusCode, WebError> {
    app.hub.withdraw_file(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the body as the file's bytes, piece by piece.
#[utoipa::path(put, path = "/api/v1/files/{name}",
    params(
        ("label" = Option<String>, Query, description = "which version it is"),
        ("target" = Option<String>, Query, description = "the model of device it is made for"),
    ),
    request_body(content = Option<Vec<u8>>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "it replaced another", body = Uploaded),
        (status = 201, description = "it is new", body = Uploaded),
        refused::Conflict, refused::Disk
    ))]
pub(crate) async fn publish(
    State(app): State<App>,
    Name(name): Name,
    params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>), WebError> {
    let (head, mut body) = request.into_parts();
    let upload = begin(&app, &name, &params, &head.headers).await?;
    let (file, replaced) = fill(upload, &mut body).await?;
    let status = if replaced { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Uploaded { file, replaced })))
}

/// The same, for clients that know no `PUT`.
#[utoipa::path(post, path = "/api/v1/files/{name}",
    params(
        ("label" = Option<String>, Query, description = "which version it is"),
        ("target" = Option<String>, Query, description = "the model of device it is made for"),
    ),
    request_body(content = Option<Vec<u8>>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "it replaced another", body = Uploaded),
        (status = 201, description = "it is new", body = Uploaded),
        refused::Conflict, refused::Disk
    ))]
pub(crate) async fn publish_too(
    app: State<App>,
    name: Name,
    params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>), WebError> {
    publish(app, name, params, request).await
}

/// All that can be refused before a byte of the file is there.
async fn begin(app: &App, name: &str, params: &Params, headers: &HeaderMap) -> Result<Upload, WebError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("multipart/")) {
        let message = "send the file's bytes as the body, not a form: curl -T FILE URL";
        return Err(WebError::Unreadable(message.to_owned()));
    }
    let limit_bytes = app.hub.settings().file_bytes_max;
    let length = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    if length.is_some_and(|length: u64| length > limit_bytes) {
        return Err(HubError::TooLarge { limit_bytes }.into());
    }
    let about = About::new(params.text("label"), params.text("target"))?;
    let mut upload = app.hub.begin_file(name).await?;
    upload.describe(about);
    Ok(upload)
}

async fn fill(mut upload: Upload, body: &mut Body) -> Result<(Published, bool), WebError> {
    while let Some(bytes) = next(body).await? {
        upload.write(bytes).await?;
    }
    Ok(upload.publish().await?)
}

/// The next bytes of a body; `None` at its end.
pub(super) async fn next(body: &mut Body) -> Result<Option<Bytes>, WebError> {
    loop {
        let frame = match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                return Err(WebError::Unreadable(format!("the file did not arrive whole: {error}")));
            }
        };
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
}
