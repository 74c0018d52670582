//! `/pullform`: the vendor's form with its three fields, behind a login (`cwm-oke.md §3.6`).

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::typed::Wrong;
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::Caller;
use crate::http::query;
use crate::model::{CommandRecord, FamilyName};
use crate::web::App;
use crate::web::api::commands;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::params::Params;

/// The dialect whose maker documents this form.
const FAMILY: &str = "cwm";

/// The three fields, named as in the vendor's instructions.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Fields {
    #[serde(default, rename = "_dst")]
    dst: String,
    #[serde(default, rename = "_cmd")]
    cmd: String,
    #[serde(default, rename = "_pld")]
    pld: String,
}

#[derive(Template)]
#[template(path = "pullform.html")]
struct PullForm {
    frame: Frame,
    fields: Fields,
    wrong: Wrong,
    queued: Option<Queued>,
    templates: Vec<Start>,
}

/// A command to start from, and the form filled in with it.
struct Start {
    template: crate::family::Template,
    link: String,
}

struct Queued {
    command: CommandRecord,
    bytes: String,
    warning: Option<String>,
}

pub(crate) async fn form(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let field = |name| params.text(name).unwrap_or_default().to_owned();
    let cmd = params.text("_cmd").unwrap_or("wr").to_owned();
    let fields = Fields { dst: field("_dst"), cmd, pld: field("_pld") };
    render(&page(&app, Frame::of(&app, &caller, Place::Commands, "Pull form").await, fields).await?)
}

pub(crate) async fn submit(
    State(app): State<App>,
    By(caller): By,
    noting: Noting,
    Sent(fields): Sent<Fields>,
) -> Page {
    let mut page =
        page(&app, Frame::of(&app, &caller, Place::Commands, "Pull form").await, fields.clone()).await?;
    noting.target(&fields.dst);
    match queue(&app, &caller, fields).await {
        Ok(queued) => {
            page.queued = Some(queued);
            render(&page)
        }
        Err(error) => refused(&error, |wrong| PullForm { wrong, ..page }),
    }
}

async fn queue(app: &App, caller: &Caller, fields: Fields) -> Result<Queued, WebError> {
    let dst = fields.dst.trim().to_owned();
    if dst.is_empty() {
        return Err(WebError::field(
            "_dst",
            "_dst is empty: it names the module, or the equipment and its module",
        ));
    }
    let text = commands::text_for(app, None, fields.cmd.trim().to_owned(), fields.pld, Some(vec![dst]));
    let draft = commands::draft(app, &FamilyName::new(FAMILY), &text)?;
    let warning = draft.warning.clone();
    let order = draft.into_order(caller.by());
    commands::may_order(app, caller, &order)?;
    let command = app.hub.enqueue(order).await?;
    let bytes = String::from_utf8_lossy(&command.bytes).into_owned();
    Ok(Queued { command, bytes, warning })
}

async fn page(app: &App, frame: Frame, fields: Fields) -> Result<PullForm, WebError> {
    let templates = app.templates(&FamilyName::new(FAMILY)).await?;
    let templates = templates.into_iter().map(|template| Start {
        link: format!(
            "/pullform?_cmd={}&_pld={}",
            query::escape(&template.cmd),
            query::escape(&template.payload)
        ),
        template,
    });
    Ok(PullForm { frame, fields, wrong: Wrong::default(), queued: None, templates: templates.collect() })
}
