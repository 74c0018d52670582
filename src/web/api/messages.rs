//! The ledger: what was said, and the exact bytes.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;

use super::Answer;
use crate::core::{Caller, MessageFilter, Seen};
use crate::model::{Direction, MessageRecord, Seq, Verdict};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::{Paged, Span};
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};
use crate::web::shape::MessageShape;

/// What was said, the newest first.
#[utoipa::path(get, path = "/api/v1/messages",
    params(
        ("device" = Option<String>, Query, description = "of this device: id, address or name"),
        ("verdict" = Option<Verdict>, Query, description = "what its check found"),
        ("direction" = Option<Direction>, Query, description = "which way it went"),
        Span, Paged,
    ),
    responses((status = 200, body = Listed<MessageShape>), refused::NotFound, refused::Conflict))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<MessageShape>> {
    let sight = app.hub.sight(&caller);
    let device = params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose()?;
    let limit = params.limit()?;
    let (from, to) = params.span()?;
    let verdicts = "ok, bad_crc, no_crc, malformed, duplicate, none";
    let filter = MessageFilter {
        device: device.map(|device| device.names.id),
        verdict: params.word("verdict", Verdict::parse, verdicts)?,
        direction: params.word("direction", Direction::parse, "in, out")?,
        from,
        to,
        before: params.cursor::<Seq>()?,
        limit: limit + 1,
    };
    let Seen { items, resume } = app.hub.messages_seen(&sight, filter).await?;
    let listed = Listed::page(items, limit, |message| message.seq, MessageShape::from);
    Ok(Json(listed.or_resume(resume)))
}

/// One message.
#[utoipa::path(get, path = "/api/v1/messages/{seq}",
    responses((status = 200, body = MessageShape)))]
pub(crate) async fn show(State(app): State<App>, Name(seq): Name, By(caller): By) -> Answer<MessageShape> {
    Ok(Json(one(&app, &caller, &seq).await?.into()))
}

/// A message's exact bytes.
#[utoipa::path(get, path = "/api/v1/messages/{seq}/raw",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), refused::Gone))]
pub(crate) async fn raw(
    State(app): State<App>,
    Name(seq): Name,
    By(caller): By,
) -> Result<Response, WebError> {
    let message = one(&app, &caller, &seq).await?;
    if message.pruned {
        return Err(WebError::Gone(
            "the message's bytes were removed, as the settings under [retention] say",
        ));
    }
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        // A device's bytes are never to be taken for a page.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, "attachment"),
    ];
    Ok((headers, message.raw).into_response())
}

async fn one(app: &App, caller: &Caller, seq: &str) -> Result<MessageRecord, WebError> {
    let missing = || WebError::NotFound("message");
    let message = app.hub.message(Seq(seq.parse().map_err(|_| missing())?)).await?.ok_or_else(missing)?;
    let device = message.device.as_ref().map(|device| &device.id);
    if !app.hub.sight(caller).sees_of(device) {
        return Err(missing());
    }
    Ok(message)
}
