//! Files that devices may download: list, upload, withdraw.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::Answer;
use crate::core::{HubError, Published};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

/// A file, and whether its bytes are there to be downloaded.
#[derive(Serialize)]
pub(crate) struct FileShape {
    #[serde(flatten)]
    file: Published,
    available: bool,
}

/// A file after its upload.
#[derive(Serialize)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    file: Published,
    replaced: bool,
}

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<FileShape>> {
    let limit = params.limit()?;
    let files = app.hub.files(params.cursor()?, limit + 1).await?;
    let found = app.hub.files_available(&files.iter().map(|(_, file)| file).collect::<Vec<_>>()).await;
    let mut found = found.into_iter();
    let cursor = |(at, file): &(Timestamp, Published)| (*at, file.name.as_str().to_owned());
    let shape = |(_, file)| FileShape { file, available: found.next().unwrap_or(false) };
    Ok(Json(Listed::page(files, limit, cursor, shape)))
}

pub(crate) async fn show(State(app): State<App>, Name(name): Name) -> Answer<FileShape> {
    let file = app.hub.file(&name).await?.ok_or(WebError::NotFound("file"))?;
    let available = app.hub.files_available(&[&file]).await == [true];
    Ok(Json(FileShape { file, available }))
}

pub(crate) async fn withdraw(State(app): State<App>, Name(name): Name) -> Result<StatusCode, WebError> {
    app.hub.withdraw_file(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the body as the file's bytes, piece by piece.
pub(crate) async fn publish(
    State(app): State<App>,
    Name(name): Name,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>), WebError> {
    let (head, mut body) = request.into_parts();
    match take(&app, &name, &head.headers, &mut body).await {
        Ok(uploaded) => {
            let status = if uploaded.replaced { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, Json(uploaded)))
        }
        Err(error) => {
            // Who asked first has sent nothing yet and sends nothing now.
            if !head.headers.contains_key(header::EXPECT) {
                drain(body).await;
            }
            Err(error)
        }
    }
}

async fn take(app: &App, name: &str, headers: &HeaderMap, body: &mut Body) -> Result<Uploaded, WebError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("multipart/")) {
        let message = "send the file's bytes as the body, not a form: curl -T FILE URL";
        return Err(WebError::Unreadable(message.to_owned()));
    }
    let mut upload = app.hub.begin_file(name).await?;
    let limit_bytes = app.hub.settings().file_bytes_max;
    if text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok()).is_some_and(|n: u64| n > limit_bytes) {
        return Err(HubError::TooLarge { limit_bytes }.into());
    }
    while let Some(bytes) = next(body).await? {
        upload.write(bytes).await?;
    }
    let (file, replaced) = upload.publish().await?;
    Ok(Uploaded { file, replaced })
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, WebError> {
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

/// Reads some more of a body that is not wanted: a sender that is still writing when the connection closes would
/// lose the answer.
async fn drain(mut body: Body) {
    let mut left = DRAIN_MAX_BYTES;
    while let Ok(Some(bytes)) = next(&mut body).await {
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            return;
        }
    }
}

const DRAIN_MAX_BYTES: usize = 16 * 1024 * 1024;
