//! The JSON API, a file per resource (`interface.md §4`).

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod backup;
mod buckets;
pub(crate) mod calibration;
pub(crate) mod calls;
pub(crate) mod captures;
pub(crate) mod commands;
pub(crate) mod data;
pub(crate) mod days;
pub(crate) mod demo;
pub(crate) mod devices;
pub(crate) mod dictionaries;
pub(crate) mod enrolment;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod groups;
pub(crate) mod handshakes;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod listeners;
pub(crate) mod mail;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod people;
pub(crate) mod picture;
pub(crate) mod recording;
pub(crate) mod registration;
pub(crate) mod rule_preview;
pub(crate) mod rules;
pub(crate) mod schedules;
pub(crate) mod secrets;
pub(crate) mod sign_in;
pub(crate) mod stream;
pub(crate) mod templates;
pub(crate) mod timeline;
pub(crate) mod tokens;
pub(crate) mod transfers;
pub(crate) mod tswarm;
pub(crate) mod webhooks;

use super::App;
use super::error::WebError;
use crate::core::{Caller, Level};
use crate::model::{Device, DeviceId};

/// A JSON answer or an error's.
pub(crate) type Answer<T> = Result<axum::Json<T>, WebError>;

/// The device with an id, whoever asks.
fn device(app: &App, id: &str) -> Result<Device, WebError> {
    app.hub.device(&DeviceId::new(id)).ok_or(WebError::NotFound("device"))
}

/// The device with an id, for a caller who may do so much with it. One that the caller does not see is not there.
pub(crate) fn device_for(app: &App, caller: &Caller, id: &str, need: Level) -> Result<Device, WebError> {
    let device = device(app, id)?;
    may(app, caller, &device.names.id, need, "device")?;
    Ok(device)
}

/// Whether a caller may do so much with what is a device's; `what` is not there for one who does not see the device.
pub(crate) fn may(
    app: &App,
    caller: &Caller,
    device: &DeviceId,
    need: Level,
    what: &'static str,
) -> Result<(), WebError> {
    match app.hub.sight(caller).level(device) {
        Level::Nothing => Err(WebError::NotFound(what)),
        level if level < need => Err(WebError::Level(need)),
        Level::View | Level::Edit | Level::Own => Ok(()),
    }
}
