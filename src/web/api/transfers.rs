//! Files on their way to devices: send, look at, withdraw.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Answer, device_for, may};
use crate::core::{Caller, HubError, Level, Shipment};
use crate::family::Delivery;
use crate::model::{Device, DeviceId, DeviceRef, Timestamp, Transfer, TransferId, TransferState};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// What is to be sent to a device.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TransferAsk)]
pub(crate) struct Send {
    file: Option<String>,
    name: Option<String>,
}

/// A file on its way to a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferShape {
    id: TransferId,
    device: DeviceRef,
    file: String,
    name: String,
    size: u64,
    sha256: String,
    md5: String,
    crc16: String,
    state: TransferState,
    percent: u8,
    taken_bytes: u64,
    over: bool,
    reason: String,
    restarts: u32,
    by: String,
    created: Timestamp,
    changed: Timestamp,
}

impl TransferShape {
    /// A transfer as it is now.
    fn new(app: &App, transfer: Transfer) -> Self {
        let (percent, taken_bytes, over) = (transfer.percent(), transfer.taken_bytes(), transfer.is_over());
        // The device may have another name by now.
        let device = app.hub.device(&transfer.device.id).map(|device| device.names);
        Self {
            id: transfer.id,
            device: device.unwrap_or(transfer.device),
            file: transfer.parcel.file,
            name: transfer.parcel.name,
            size: transfer.parcel.size,
            sha256: transfer.parcel.sha256,
            md5: transfer.parcel.md5,
            crc16: transfer.parcel.crc16,
            state: transfer.state,
            percent,
            taken_bytes,
            over,
            reason: transfer.reason,
            restarts: transfer.restarts,
            by: transfer.by,
            created: transfer.created,
            changed: transfer.changed,
        }
    }
}

/// Files on their way to devices, the newest first.
#[utoipa::path(get, path = "/api/v1/transfers",
    params(Paged), responses((status = 200, body = Listed<TransferShape>)))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<TransferShape>> {
    page(&app, &caller, None, &params).await
}

/// Files on their way to a device, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/transfers",
    params(Paged), responses((status = 200, body = Listed<TransferShape>)))]
pub(crate) async fn list_of(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Answer<Listed<TransferShape>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    page(&app, &caller, Some(&device.names.id), &params).await
}

async fn page(
    app: &App,
    caller: &Caller,
    of: Option<&DeviceId>,
    params: &Params,
) -> Answer<Listed<TransferShape>> {
    let sight = app.hub.sight(caller);
    let limit = params.limit()?;
    let transfers = app.hub.transfers_seen(&sight, of, params.cursor()?, limit + 1).await?;
    let cursor = |(at, transfer): &(Timestamp, Transfer)| (*at, transfer.id.clone());
    Ok(Json(Listed::page(transfers, limit, cursor, |(_, transfer)| TransferShape::new(app, transfer))))
}

/// Sends a published file to a device.
#[utoipa::path(post, path = "/api/v1/devices/{id}/transfers",
    request_body = Send,
    responses((status = 201, body = TransferShape), refused::Conflict))]
pub(crate) async fn send(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(send): Body<Send>,
) -> Result<(StatusCode, Json<TransferShape>), WebError> {
    let device = device_for(&app, &caller, &id, Level::Edit)?;
    let file = send.file.ok_or_else(|| WebError::field("file", "file is missing"))?;
    let transfer = ship(&app, device, file, send.name, caller.by()).await?;
    Ok((StatusCode::CREATED, Json(TransferShape::new(&app, transfer))))
}

/// Asks for a published file to be sent, if the device's dialect can.
pub(crate) async fn ship(
    app: &App,
    device: Device,
    file: String,
    name: Option<String>,
    by: String,
) -> Result<Transfer, WebError> {
    let name = name.unwrap_or_else(|| file.clone());
    let published = app.hub.file(&file).await?;
    let published =
        published.ok_or_else(|| WebError::field("file", format!("no file {file} is published")))?;
    let piece_bytes = piece_bytes(app, &device, &name, published.size)?;
    Ok(app.hub.ship(Shipment { device, file, name, piece_bytes, by }).await?)
}

/// What the device's dialect says about a file of this name and length.
fn piece_bytes(app: &App, device: &Device, name: &str, size: u64) -> Result<u32, WebError> {
    let family = app.family(&device.names.family).ok_or(WebError::NotFound("family"))?;
    let parent = device.parent.as_ref().and_then(|id| app.hub.device(id));
    let delivery = Delivery {
        address: device.names.address.clone(),
        parent: parent.map(|parent| parent.names.address),
        name: name.to_owned(),
        size,
    };
    family
        .pieces(&delivery)
        .map_err(|invalid| HubError::Invalid { field: invalid.field, message: invalid.message }.into())
}

/// One file on its way.
#[utoipa::path(get, path = "/api/v1/transfers/{id}",
    responses((status = 200, body = TransferShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<TransferShape> {
    let transfer = transfer_for(&app, &caller, &id, Level::View).await?;
    Ok(Json(TransferShape::new(&app, transfer)))
}

/// Gives a transfer up.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/abort",
    responses((status = 200, body = TransferShape), refused::Conflict))]
pub(crate) async fn abort(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<TransferShape> {
    let transfer = transfer_for(&app, &caller, &id, Level::Edit).await?;
    let transfer = app.hub.abort_transfer(&transfer.id, &caller.by()).await?;
    Ok(Json(TransferShape::new(&app, transfer)))
}

/// The transfer with an id, for a caller who may do so much with its device.
pub(crate) async fn transfer_for(
    app: &App,
    caller: &Caller,
    id: &str,
    need: Level,
) -> Result<Transfer, WebError> {
    let transfer = app.hub.transfer(&TransferId::new(id)).await?.ok_or(WebError::NotFound("transfer"))?;
    may(app, caller, &transfer.device.id, need, "transfer")?;
    Ok(transfer)
}
