//! The list of devices.

use askama::Template;
use axum::extract::State;

use super::moment::Moment;
use super::{Frame, Page, Place, render, status};
use crate::core::{DeviceFilter, HubError, Presence};
use crate::http::query;
use crate::model::{Device, DeviceId, FamilyName};
use crate::web::App;
use crate::web::api;
use crate::web::auth::By;
use crate::web::params::{Listed, Params};

/// A line of the list.
struct Line {
    device: Device,
    presence: Presence,
    seen: Option<Moment>,
    parent: Option<String>,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    frame: Frame,
    notes: Vec<String>,
    q: String,
    state: String,
    lines: Vec<Line>,
    more: Option<String>,
    families: Vec<String>,
}

pub(crate) async fn list(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let sight = app.hub.sight(&caller);
    let params = params.filled();
    let (filter, limit): (DeviceFilter, u32) = api::devices::filter(&params)?;
    let devices: Result<Vec<Device>, HubError> =
        app.hub.devices_seen(&sight, filter, api::groups::narrowed(&app, &caller, &params)?).await;
    let cursor =
        |device: &Device| -> (String, DeviceId) { (device.names.name.clone(), device.names.id.clone()) };
    let line = |device: Device| Line {
        presence: app.hub.presence(&device),
        seen: device.last_seen.map(Moment::ago),
        parent: device
            .parent
            .as_ref()
            .filter(|id| sight.sees(id))
            .and_then(|id| app.hub.device(id))
            .map(|parent| parent.names.name),
        device,
    };
    let (lines, next) = Listed::page(devices?, limit, cursor, line).into_parts();
    let [q, state] = ["q", "state"].map(|name| params.text(name).unwrap_or_default().to_owned());
    let more =
        next.map(|next| format!("/?q={}&state={}&cursor={next}", query::escape(&q), query::escape(&state)));
    // A device with a token is made where the token can be told.
    let named = |name: &FamilyName| app.family(name).is_some_and(|family| !family.has_tokens());
    // What calls by an address is the house's.
    let named = |name: &&FamilyName| sight.house() && named(name);
    let families = app.family_names().iter().filter(named).map(ToString::to_string).collect();
    let (frame, notes) =
        (Frame::of(&app, &caller, Place::Dashboard, "Dashboard").await, status::notes(&app, &sight));
    render(&DevicesPage { frame, notes, q, state, lines, more, families })
}
