//! A file that is uploaded by a form, without a script: it goes piece by piece where the API's uploads go.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect};
use http::header;

use super::published::page;
use super::typed::Typed;
use super::{Page, refused};
use crate::core::{About, HubError, Upload};
use crate::web::App;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::multipart::{Multipart, Part};
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
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok());
    let limit_bytes = app.hub.settings().file_bytes_max;
    if length
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| length > limit_bytes + AROUND_BYTES)
    {
        return Err(HubError::TooLarge { limit_bytes }.into());
    }
    let Some(mut form) = Multipart::of(&head.headers, body) else {
        return Err(WebError::Unreadable("a file comes as multipart/form-data".to_owned()));
    };
    let mut upload = None;
    let mut parts = 0;
    while let Some(Part { name, file }) = form.part().await? {
        parts += 1;
        if parts > PARTS_MAX {
            return Err(WebError::Unreadable(format!("the form has more than {PARTS_MAX} fields")));
        }
        match file {
            Some(_) if name != "file" || upload.is_some() => {
                return Err(WebError::field("file", "one file at a time"));
            }
            Some(file) => upload = Some(filled(app, noting, &mut form, &file, typed).await?),
            None => {
                let text = form.text(&name).await?;
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

/// Begins a file with what was typed before it, and takes its bytes.
async fn filled(
    app: &App,
    noting: &Noting,
    form: &mut Multipart,
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
    while let Some(bytes) = form.piece().await? {
        upload.write(bytes).await?;
    }
    Ok(upload)
}

/// Fields of the form, at most.
const PARTS_MAX: usize = 16;
/// So much stands around the file in a form, at most: with more it is refused by what was read.
const AROUND_BYTES: u64 = 64 * 1024;
