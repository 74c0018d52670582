//! What forms do to devices and commands. Each leads back to the page it came from.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;

use super::{Page, Sent};
use crate::core::Level;
use crate::model::{CommandRecord, DeviceId, FamilyName};
use crate::web::App;
use crate::web::api::{self, commands, devices};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Name;

/// A device made by hand.
#[derive(Deserialize)]
pub(crate) struct Make {
    family: FamilyName,
    address: String,
    #[serde(default)]
    name: String,
}

/// A command.
#[derive(Deserialize)]
pub(crate) struct Say {
    cmd: String,
    payload: String,
    #[serde(default)]
    expires_in_s: String,
}

pub(crate) async fn create(State(app): State<App>, By(caller): By, Sent(make): Sent<Make>) -> Page {
    let name = Some(make.name.trim()).filter(|name| !name.is_empty());
    let device = devices::make_one(&app, &caller, &make.family, make.address.trim(), name).await?;
    Ok(to_device(&device.names.id))
}

pub(crate) async fn adopt(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let device = app.hub.adopt(&device.names.id).await?;
    Ok(to_device(&device.names.id))
}

pub(crate) async fn block(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let device = app.hub.block(&device.names.id).await?;
    Ok(to_device(&device.names.id))
}

pub(crate) async fn queue(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(say): Sent<Say>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    let life = match say.expires_in_s.trim() {
        "" => None,
        text => Some(text.parse().map(Duration::from_secs).map_err(|_| {
            WebError::field("expires_in_s", "the time to expire is a whole number of seconds")
        })?),
    };
    let text = commands::text_for(&app, Some(&device), say.cmd, say.payload, None);
    let draft = commands::draft(&app, &device.names.family, &text)?;
    let mut order = draft.into_order(caller.by());
    order.expires_in = life.or(order.expires_in);
    commands::may_order(&app, &caller, &order)?;
    let command = app.hub.enqueue(order).await?;
    Ok(to_command(&command))
}

pub(crate) async fn cancel(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let command = commands::command_for(&app, &caller, &id, Level::Edit).await?;
    let command = app.hub.cancel(&command.id, &caller.by()).await?;
    Ok(to_command(&command))
}

fn to_device(id: &DeviceId) -> axum::response::Response {
    Redirect::to(&format!("/devices/{id}")).into_response()
}

fn to_command(command: &CommandRecord) -> axum::response::Response {
    let CommandRecord { id, device, .. } = command;
    Redirect::to(&format!("/devices/{}/commands#command-{id}", device.id)).into_response()
}
