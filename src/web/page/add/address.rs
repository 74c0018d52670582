//! Devices that come by themselves and are known by an address: what must be set at their end, with this server's own names and
//! ports, and letting one in before it calls.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;

use super::reach::Reach;
use super::{Kind, Ways};
use crate::core::Caller;
use crate::model::FamilyName;
use crate::web::App;
use crate::web::api::devices;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::page::typed::Wrong;
use crate::web::page::{Frame, Page, Place, Sent, refused, render};
use crate::web::params::Name;

#[derive(Template)]
#[template(path = "add/address.html")]
struct Steps {
    frame: Frame,
    ways: Ways,
    kind: Kind,
    reach: Reach,
    /// What a module takes as its endpoint, the best first.
    endpoints: Vec<String>,
    address: String,
    name: String,
    /// What an address looks like.
    example: &'static str,
    called: &'static str,
    wrong: Wrong,
}

/// The form that lets one in beforehand.
#[derive(Deserialize)]
pub(crate) struct Make {
    address: String,
    #[serde(default)]
    name: String,
}

pub(crate) async fn show(State(app): State<App>, Name(kind): Name, By(caller): By, reach: Reach) -> Page {
    render(&page(&app, &caller, found(&kind)?, reach).await)
}

pub(crate) async fn make(
    State(app): State<App>,
    Name(kind): Name,
    By(caller): By,
    reach: Reach,
    noting: Noting,
    Sent(typed): Sent<Make>,
) -> Page {
    let kind = found(&kind)?;
    let (address, name) = (typed.address.trim(), typed.name.trim());
    noting.target(address);
    let family = FamilyName::new(kind.word());
    let wanted = Some(name).filter(|name| !name.is_empty());
    let made = if address.is_empty() {
        Err(WebError::field("address", "its address is missing"))
    } else {
        devices::make_one(&app, &caller, &family, address, wanted).await
    };
    match made {
        Ok(device) => {
            noting.device(&device.names.id);
            Ok(Redirect::to(&format!("/devices/{}", device.names.id)).into_response())
        }
        Err(error) => {
            let page = page(&app, &caller, kind, reach).await;
            let (address, name) = (typed.address, typed.name);
            refused(&error, |wrong| Steps { address, name, wrong, ..page })
        }
    }
}

async fn page(app: &App, caller: &Caller, kind: Kind, reach: Reach) -> Steps {
    let frame = Frame::of(app, caller, Place::Add, kind.name()).await;
    let (title, example) = match kind {
        Kind::Cwm => ("Its id, as printed on the module", "0002010203040506"),
        Kind::Sca11h => ("Its MAC address, as printed on it", "00:11:22:33:44:55"),
        Kind::Mcu | Kind::Gauge | Kind::Token | Kind::Tswarm => ("Its number (IoT_ID in the firmware)", "5"),
    };
    // A bare name or IPv4 address of at most 64 characters; a module knows no IPv6 (`cwm-oke.md §2`).
    let fits = |name: &&String| !name.contains(':') && name.len() <= 64;
    let mut endpoints: Vec<String> = reach.names.iter().filter(fits).cloned().collect();
    endpoints.sort_by_key(|name| *name != reach.secure);
    Steps {
        ways: Ways::of(&frame, Some(kind)),
        frame,
        kind,
        reach,
        endpoints,
        address: String::new(),
        name: String::new(),
        example,
        called: title,
        wrong: Wrong::default(),
    }
}

/// The kinds that are known by an address.
fn found(word: &str) -> Result<Kind, WebError> {
    let known = [Kind::Cwm, Kind::Sca11h, Kind::Mcu];
    known.into_iter().find(|kind| kind.word() == word).ok_or(WebError::NotFound("page"))
}
