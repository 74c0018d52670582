//! The ledger: what was said, and the exact bytes.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;

use super::Answer;
use crate::core::MessageFilter;
use crate::model::{Direction, MessageRecord, Seq, Verdict};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};
use crate::web::shape::MessageShape;

pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<MessageShape>> {
    let device = params.text("device").map(|text| app.hub.find_device(text)).transpose()?;
    let limit = params.limit()?;
    let verdicts = "ok, bad_crc, no_crc, malformed, duplicate, none";
    let messages = app
        .hub
        .messages(MessageFilter {
            device: device.map(|device| device.names.id),
            verdict: params.word("verdict", Verdict::parse, verdicts)?,
            direction: params.word("direction", Direction::parse, "in, out")?,
            from: params.time("from")?,
            to: params.time("to")?,
            before: params.cursor::<Seq>()?,
            limit: limit + 1,
        })
        .await?;
    Ok(Json(Listed::page(messages, limit, |message| message.seq, MessageShape::from)))
}

pub(crate) async fn show(State(app): State<App>, Name(seq): Name) -> Answer<MessageShape> {
    Ok(Json(one(&app, &seq).await?.into()))
}

pub(crate) async fn raw(State(app): State<App>, Name(seq): Name) -> Result<Response, WebError> {
    let message = one(&app, &seq).await?;
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

async fn one(app: &App, seq: &str) -> Result<MessageRecord, WebError> {
    let missing = WebError::NotFound("message");
    let Ok(seq) = seq.parse() else { return Err(missing) };
    app.hub.message(Seq(seq)).await?.ok_or(missing)
}
