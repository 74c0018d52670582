//! Files on their way to a device, as its page shows them, and what its forms do to them.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;

use super::moment::Moment;
use super::{Page, Sent};
use crate::core::Level;
use crate::model::{DeviceId, Transfer};
use crate::web::App;
use crate::web::api::{self, transfers};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Name;

/// Transfers that the page shows.
const SHOWN: u32 = 5;
/// Files that are offered for sending.
const FILES_SHOWN: u32 = 200;

/// A transfer in a line.
pub(super) struct TransferLine {
    pub(super) transfer: Transfer,
    pub(super) percent: u8,
    pub(super) changed: Moment,
    pub(super) can_abort: bool,
}

/// A file that is to be sent, as the form says it.
#[derive(Deserialize)]
pub(crate) struct Send {
    file: String,
    #[serde(default)]
    name: String,
}

/// The transfers to a device that moved last.
pub(super) async fn lines(app: &App, device: &DeviceId) -> Result<Vec<TransferLine>, WebError> {
    let transfers = app.hub.transfers(Some(device), None, SHOWN).await?;
    let line = |transfer: Transfer| TransferLine {
        percent: transfer.percent(),
        changed: Moment::ago(transfer.changed),
        can_abort: !transfer.is_over(),
        transfer,
    };
    Ok(transfers.into_iter().map(|(_, transfer)| line(transfer)).collect())
}

/// The names of published files.
pub(super) async fn files(app: &App) -> Result<Vec<String>, WebError> {
    let files = app.hub.files(None, FILES_SHOWN).await?;
    let mut names: Vec<_> = files.into_iter().map(|(_, file)| file.name.as_str().to_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

pub(crate) async fn send(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(send): Sent<Send>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    let name = Some(send.name.trim().to_owned()).filter(|name| !name.is_empty());
    let transfer = transfers::ship(&app, device, send.file, name, caller.by()).await?;
    Ok(to_device(&transfer))
}

pub(crate) async fn abort(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let transfer = transfers::transfer_for(&app, &caller, &id, Level::Edit).await?;
    let transfer = app.hub.abort_transfer(&transfer.id, &caller.by()).await?;
    Ok(to_device(&transfer))
}

fn to_device(transfer: &Transfer) -> axum::response::Response {
    Redirect::to(&format!("/devices/{}/commands#transfers", transfer.device.id)).into_response()
}
