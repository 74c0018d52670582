//! Tswarm nodes: a login is made, and the node's `config.json` shown with it, once.

use askama::Template;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::reach::Reach;
use super::{Kind, Ways};
use crate::core::Caller;
use crate::family::{Added, NewNode};
use crate::web::App;
use crate::web::api::tswarm;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::page::typed::Wrong;
use crate::web::page::{Frame, Page, Place, Sent, refused, render};
use crate::web::params::Body;

#[derive(Template)]
#[template(path = "add/tswarm.html")]
struct TswarmPage {
    frame: Frame,
    ways: Ways,
    reach: Reach,
    node: String,
    renew: bool,
    wrong: Wrong,
    added: Option<Told>,
}

/// What was made, told once.
struct Told {
    added: Added,
    /// `config.json`
    config: String,
}

/// The form.
#[derive(Deserialize)]
pub(crate) struct Make {
    node: String,
    #[serde(default)]
    renew: String,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, reach: Reach) -> Page {
    render(&page(&app, &caller, reach).await)
}

pub(crate) async fn make(
    State(app): State<App>,
    By(caller): By,
    reach: Reach,
    noting: Noting,
    Sent(make): Sent<Make>,
) -> Page {
    noting.target(make.node.trim());
    let wish = NewNode {
        node: Some(make.node.trim().to_owned()),
        renew: !make.renew.is_empty(),
        base: reach.http(),
        ..NewNode::default()
    };
    let mut page = page(&app, &caller, reach).await;
    match tswarm::add(State(app), By(caller), Body(wish)).await {
        Ok((_, Json(added))) => {
            let config = serde_json::to_string_pretty(&added.config).unwrap_or_default();
            page.added = Some(Told { added, config });
            render(&page)
        }
        Err(error) => {
            (page.node, page.renew) = (make.node, !make.renew.is_empty());
            refused(&error, |wrong| TswarmPage { wrong, ..page })
        }
    }
}

async fn page(app: &App, caller: &Caller, reach: Reach) -> TswarmPage {
    let frame = Frame::of(app, caller, Place::Add, Kind::Tswarm.name()).await;
    let ways = Ways::of(&frame, Some(Kind::Tswarm));
    TswarmPage { frame, ways, reach, node: String::new(), renew: false, wrong: Wrong::default(), added: None }
}
