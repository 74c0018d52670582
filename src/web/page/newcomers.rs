//! New devices: those that called and are held, with what they said; a person lets them in or keeps them out.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};

use super::bytes::Bytes;
use super::moment::Moment;
use super::typed::{Typed, Wrong};
use super::values::{Shown, telling};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, HubError, Level, MessageFilter, Sight, picture};
use crate::model::{Datum, Device, DeviceId, DeviceState, MessageRecord};
use crate::web::App;
use crate::web::api;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "new.html")]
struct NewPage {
    frame: Frame,
    done: Option<String>,
    wrong: Wrong,
    lines: Vec<Newcomer>,
    /// Devices that wait behind those.
    more: usize,
}

/// A device that waits.
struct Newcomer {
    device: Device,
    parent: Option<String>,
    first: Moment,
    last: Option<Moment>,
    values: Vec<Shown>,
    more_values: usize,
    said: Vec<Said>,
}

/// One of its messages.
struct Said {
    at: Moment,
    message: MessageRecord,
    bytes: Bytes,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Adopt,
    Block,
}

impl Decision {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "adopt" => Some(Self::Adopt),
            "block" => Some(Self::Block),
            _ => None,
        }
    }

    /// What the page says when it is done.
    const fn word(self) -> &'static str {
        match self {
            Self::Adopt => "adopted",
            Self::Block => "blocked",
        }
    }
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let count: usize = params.text("count").and_then(|count| count.parse().ok()).unwrap_or(1);
    let who = if count == 1 { "1 device is".to_owned() } else { format!("{count} devices are") };
    let done = match params.text("done") {
        Some("adopted") => {
            Some(format!("{who} adopted. What was held of it is its history now, and it gets commands."))
        }
        Some("blocked") => Some(format!("{who} blocked. What it says is refused from now on.")),
        Some(_) | None => None,
    };
    render(&NewPage { done, ..page(&app, &caller).await? })
}

/// Decides about one device (`one=adopt ID`), or about those that are chosen (`do=adopt`, `device=ID` for each).
pub(crate) async fn decide(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let (decision, ids) = match decided(&typed) {
        Ok(decided) => decided,
        Err(error) => {
            let page = page(&app, &caller).await?;
            return refused(&error, |wrong| NewPage { wrong, ..page });
        }
    };
    let mut devices = Vec::with_capacity(ids.len());
    for id in ids {
        devices.push(api::device_for(&app, &caller, id, Level::Own)?);
    }
    for device in &devices {
        match decision {
            Decision::Adopt => app.hub.adopt(&device.names.id).await?,
            Decision::Block => app.hub.block(&device.names.id).await?,
        };
    }
    let path = format!("/new?done={}&count={}", decision.word(), devices.len());
    Ok(Redirect::to(&path).into_response())
}

/// What was decided, and about which devices.
fn decided(typed: &Typed) -> Result<(Decision, Vec<&str>), WebError> {
    let unknown = || WebError::field("do", "press Adopt or Block");
    if let Some((word, id)) = typed.text("one").split_once(' ') {
        return Ok((Decision::parse(word).ok_or_else(unknown)?, vec![id]));
    }
    let decision = Decision::parse(typed.text("do")).ok_or_else(unknown)?;
    let chosen: Vec<&str> = typed.all("device").collect();
    if chosen.is_empty() {
        return Err(WebError::field("device", "choose the devices first: none has a tick"));
    }
    Ok((decision, chosen))
}

async fn page(app: &App, caller: &Caller) -> Result<NewPage, WebError> {
    let sight = app.hub.sight(caller);
    let mut held: Vec<Device> = app.hub.devices_now();
    held.retain(|device| device.state == DeviceState::Held && sight.sees(&device.names.id));
    held.sort_by(|one, other| (other.last_seen, &one.names.id).cmp(&(one.last_seen, &other.names.id)));
    let more = held.len().saturating_sub(SHOWN);
    held.truncate(SHOWN);
    let frame = Frame::of(app, caller, Place::New, "New devices").await;
    Ok(NewPage { frame, done: None, wrong: Wrong::default(), lines: lines(app, &sight, held).await?, more })
}

async fn lines(app: &App, sight: &Sight, held: Vec<Device>) -> Result<Vec<Newcomer>, HubError> {
    let ids = held.iter().map(|device| device.names.id.clone()).collect();
    let mut latest: HashMap<DeviceId, Vec<Datum>> = app.hub.latest_each(ids).await?;
    let mut lines = Vec::with_capacity(held.len());
    for device in held {
        let id = device.names.id.clone();
        let filter =
            MessageFilter { device: Some(id.clone()), limit: MESSAGES_SHOWN, ..MessageFilter::default() };
        let messages = app.hub.messages(filter).await?;
        let chosen = app.meanings(&device.names);
        let values = telling(&chosen, picture(latest.remove(&id).unwrap_or_default()));
        let said = |message: MessageRecord| Said {
            at: Moment::ago(message.at),
            bytes: Bytes::of(&message.raw),
            message,
        };
        lines.push(Newcomer {
            parent: app.parent(sight, &device).map(|parent| parent.names.name),
            first: Moment::ago(device.created),
            last: device.last_seen.map(Moment::ago),
            values: values.iter().take(VALUES_SHOWN).map(|datum| Shown::new(&chosen, datum)).collect(),
            more_values: values.len().saturating_sub(VALUES_SHOWN),
            said: messages.into_iter().map(said).collect(),
            device,
        });
    }
    Ok(lines)
}

/// Devices on the page.
const SHOWN: usize = 50;
/// Of each, so many messages and values.
const MESSAGES_SHOWN: u32 = 3;
const VALUES_SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_button_or_many_ticks_decide() {
        let fields = |pairs: &[(&str, &str)]| {
            let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
            Typed::new(pairs.iter().map(pair).collect())
        };
        let one = fields(&[("device", "b"), ("one", "block a")]);
        assert_eq!(decided(&one).unwrap(), (Decision::Block, vec!["a"]), "ticks do not count then");
        let many = fields(&[("device", "a"), ("device", "b"), ("do", "adopt")]);
        assert_eq!(decided(&many).unwrap(), (Decision::Adopt, vec!["a", "b"]));
        for wrong in [
            &[("do", "adopt")][..],
            &[("device", "a")],
            &[("do", "forget"), ("device", "a")],
            &[("one", "x a")],
        ] {
            assert!(decided(&fields(wrong)).is_err(), "{wrong:?}");
        }
    }
}
