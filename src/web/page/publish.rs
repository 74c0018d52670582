//! A file that is uploaded by a form, without a script: it goes piece by piece where the API's uploads go.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect};
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header;
use multer::{Field, Multipart};

use super::published::page;
use super::typed::Typed;
use super::{Page, refused};
use crate::core::{About, HubError, Upload};
use crate::web::App;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::params::Params;

pub(crate) async fn upload(
    State(app): State<App>,
    By(caller): By,
    noting: Noting,
    params: Params,
    request: Request,
) -> Page {
    let mut pairs = Vec::new();
    match taken(&app, &noting, request, &mut pairs).await {
        Ok(replaced) => {
            let word = if replaced { "replaced" } else { "uploaded" };
            Ok(Redirect::to(&format!("/published?done={word}")).into_response())
        }
        Err(error) => {
            let page = page(&app, &caller, &params).await?;
            let typed = Typed::new(pairs);
            refused(&error, |wrong| page.again(wrong.or_about("file"), typed))
        }
    }
}

/// Takes the form; says whether the file replaces one of its name. What was typed is left in `typed`.
async fn taken(
    app: &App,
    noting: &Noting,
    request: Request,
    typed: &mut Vec<(String, String)>,
) -> Result<bool, WebError> {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|text| text.to_str().ok());
    let length = header(header::CONTENT_LENGTH);
    let limit_bytes = app.hub.settings().file_bytes_max;
    if length
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| length > limit_bytes + AROUND_BYTES)
    {
        return Err(HubError::TooLarge { limit_bytes }.into());
    }
    let Some(boundary) = header(header::CONTENT_TYPE).and_then(|kind| multer::parse_boundary(kind).ok())
    else {
        return Err(WebError::Unreadable("a file comes as multipart/form-data".to_owned()));
    };
    let mut form = Multipart::new(one_at_a_time(body), boundary);
    let mut upload = None;
    let mut parts = 0;
    while let Some(mut field) = form.next_field().await.map_err(|error| cut(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        parts += 1;
        if parts > PARTS_MAX {
            return Err(WebError::Unreadable(format!("the form has more than {PARTS_MAX} fields")));
        }
        match file {
            Some(_) if name != "file" || upload.is_some() => {
                return Err(WebError::field("file", "one file at a time"));
            }
            Some(file) => upload = Some(filled(app, noting, &mut field, &file, typed).await?),
            None => {
                let text = text(&mut field, &name).await?;
                if upload.is_some() && !text.trim().is_empty() {
                    return Err(WebError::field(&name, "this stands before the file in the form"));
                }
                typed.push((name, text));
            }
        }
    }
    let upload = upload.ok_or_else(|| WebError::field("file", "choose a file"))?;
    Ok(upload.publish().await?.1)
}

/// The pieces of a body with a rest between them: the reader of forms takes what is there for as long as more is, and would hold
/// whatever comes faster than a disk writes. It also takes a form for cut off that comes whole after a first look at nothing,
/// with its end behind it in the same moment: so the end rests, too.
fn one_at_a_time(body: Body) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    stream::unfold((body.into_data_stream(), false), async |(mut pieces, rest)| {
        if rest {
            tokio::task::yield_now().await;
        }
        Some((pieces.next().await?, (pieces, true)))
    })
}

/// Begins a file with what was typed before it, and takes its bytes.
async fn filled(
    app: &App,
    noting: &Noting,
    field: &mut Field<'_>,
    file: &str,
    typed: &[(String, String)],
) -> Result<Upload, WebError> {
    let typed = Typed::new(typed.to_vec());
    // Some browsers tell the folder, too.
    let file = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = typed.some("name").unwrap_or_else(|| file.to_owned());
    if name.is_empty() {
        return Err(WebError::field("file", "choose a file"));
    }
    noting.target(&name);
    let about = About::new(Some(typed.text("label")), Some(typed.text("target")))?;
    let mut upload = app.hub.begin_file(&name).await?;
    upload.describe(about);
    while let Some(bytes) = field.chunk().await.map_err(|error| cut(&error))? {
        upload.write(bytes).await?;
    }
    Ok(upload)
}

/// What a short field says.
async fn text(field: &mut Field<'_>, name: &str) -> Result<String, WebError> {
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(|error| cut(&error))? {
        text.extend_from_slice(&bytes);
        if text.len() > TEXT_BYTES_MAX {
            return Err(WebError::field(name, format!("this has {TEXT_BYTES_MAX} bytes at most")));
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn cut(error: &multer::Error) -> WebError {
    WebError::Unreadable(format!("the form did not arrive whole: {error}"))
}

/// A field that is no file, at most.
const TEXT_BYTES_MAX: usize = 1024;
/// Fields of the form, at most.
const PARTS_MAX: usize = 16;
/// So much stands around the file in a form, at most: with more it is refused by what was read.
const AROUND_BYTES: u64 = 64 * 1024;
