//! What was sent to receivers and what became of it; what was given up can be tried again.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};

use super::moment::Moment;
use super::receivers::reached;
use super::typed::{Choice, Wrong};
use super::{Frame, Page, Place, refused, render};
use crate::core::{Delivery, DeliveryState, Webhook};
use crate::web::App;
use crate::web::api::webhooks;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    states: Vec<Choice>,
    filtered: bool,
    lines: Vec<DeliveryLine>,
    /// The list is cut.
    more: bool,
}

/// One message, as a person reads it.
pub(super) struct DeliveryLine {
    pub(super) id: String,
    pub(super) to: String,
    pub(super) event: String,
    pub(super) text: String,
    pub(super) state: &'static str,
    pub(super) tag: &'static str,
    pub(super) dead: bool,
    pub(super) delivered: bool,
    pub(super) made: Moment,
    pub(super) attempts: u32,
    pub(super) due: Option<Moment>,
    pub(super) tries: Vec<TryLine>,
    /// What the newest try brought.
    pub(super) last: String,
}

/// One try.
pub(super) struct TryLine {
    pub(super) at: Moment,
    pub(super) took_ms: u64,
    pub(super) status: String,
    pub(super) note: String,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let mut page = page(&app, &caller, &params).await?;
    page.done = (params.text("done") == Some("again")).then_some("It is tried again now.");
    render(&page)
}

pub(crate) async fn retry(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    match app.hub.delivery_again(&id).await {
        Ok(_) => Ok(Redirect::to("/deliveries?done=again").into_response()),
        Err(error) => {
            let page = page(&app, &caller, &params).await?;
            refused(&error.into(), |wrong| DeliveriesPage { wrong, ..page })
        }
    }
}

async fn page(app: &App, caller: &crate::core::Caller, params: &Params) -> Result<DeliveriesPage, WebError> {
    let wanted = params.text("state").and_then(DeliveryState::parse);
    let fits = |one: &Delivery| wanted.is_none_or(|state| one.state == state);
    let mut found = webhooks::all_deliveries(app, fits, SHOWN_MAX + 1).await?;
    let more = found.len() > SHOWN_MAX;
    found.truncate(SHOWN_MAX);
    let hooks = app.hub.webhooks().await?;
    let state = |state: DeliveryState| Choice::new(state.as_str(), state_name(state), wanted == Some(state));
    let states = [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Dead].map(state);
    Ok(DeliveriesPage {
        frame: Frame::of(app, caller, Place::Alerts, "Deliveries").await,
        done: None,
        wrong: Wrong::default(),
        states: states.into(),
        filtered: wanted.is_some(),
        lines: found.into_iter().map(|one| DeliveryLine::new(one, &hooks)).collect(),
        more,
    })
}

impl DeliveryLine {
    pub(super) fn new(one: Delivery, hooks: &[Webhook]) -> Self {
        let line = |one: &crate::core::Try| TryLine {
            at: Moment::at(one.at),
            took_ms: one.took_ms,
            status: one.status.map(|status| status.to_string()).unwrap_or_default(),
            note: one.note.clone(),
        };
        let last = one.tries.last().map(|last| match last.status {
            Some(status) => format!("{status} {}", last.note),
            None => last.note.clone(),
        });
        Self {
            to: reached(&one.channel, hooks, "the webhook"),
            state: state_name(one.state),
            tag: match one.state {
                DeliveryState::Waiting => "queued",
                DeliveryState::Delivered => "delivered",
                DeliveryState::Dead => "dead",
            },
            dead: one.state == DeliveryState::Dead,
            delivered: one.state == DeliveryState::Delivered,
            made: Moment::at(one.made),
            attempts: one.attempts,
            due: (one.state == DeliveryState::Waiting).then(|| Moment::ago(one.due)),
            tries: one.tries.iter().map(line).collect(),
            last: last.unwrap_or_default(),
            id: one.id,
            event: one.event,
            text: one.text,
        }
    }
}

const fn state_name(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "given up",
    }
}

/// Messages that are shown, the newest.
const SHOWN_MAX: usize = 100;
