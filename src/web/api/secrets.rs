//! What a device proves itself with: its key and its certificate.

use axum::Json;
use axum::extract::State;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::{Answer, device};
use crate::core::{DeviceKey, Material};
use crate::model::{Device, Fingerprint, KeySpelling, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Body, Name};

/// A key of somebody's choice; without one a key is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    key: Option<String>,
}

/// The new key, told once.
#[derive(Serialize)]
pub(crate) struct Rotated {
    device: String,
    key: String,
}

/// Certificates that count no longer.
#[derive(Serialize)]
pub(crate) struct Ended {
    device: String,
    revoked: Vec<Fingerprint>,
}

/// What is told of a device's key: never the key.
#[derive(Debug, Serialize)]
pub(crate) struct KeyShape {
    since: Timestamp,
    /// The spelling under which an HMAC held.
    held: Option<KeySpelling>,
}

/// What is told of the certificate that was issued to a device.
#[derive(Debug, Serialize)]
pub(crate) struct IssuedShape {
    fingerprint: Fingerprint,
    issued: Timestamp,
    not_after: Timestamp,
    /// Whether its private key is kept here, to be handed out again.
    key_kept: bool,
}

impl From<&DeviceKey> for KeyShape {
    fn from(key: &DeviceKey) -> Self {
        Self { since: key.since, held: key.held }
    }
}

impl From<Material> for IssuedShape {
    fn from(material: Material) -> Self {
        Self {
            fingerprint: material.fingerprint,
            issued: material.issued,
            not_after: material.not_after,
            key_kept: material.key_pem.is_some(),
        }
    }
}

/// What is told of both.
pub(crate) async fn of(
    app: &App,
    device: &Device,
) -> Result<(Option<KeyShape>, Option<IssuedShape>), WebError> {
    let key = app.hub.key_of(&device.names.id).as_deref().map(KeyShape::from);
    let issued = app.hub.material(&device.names.id).await?.map(IssuedShape::from);
    Ok((key, issued))
}

pub(crate) async fn rotate(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(choice): Body<Choice>,
) -> Answer<Rotated> {
    let device = device(&app, &id)?;
    let key = app.hub.rotate_key(&device.names.id, choice.key.as_deref()).await?;
    tracing::info!(device = %device.names.address, by = %caller.by(), "the device has a new key");
    Ok(Json(Rotated { device: id, key: key.expose_secret().to_owned() }))
}

pub(crate) async fn revoke(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<Ended> {
    let device = device(&app, &id)?;
    let by = caller.by();
    let revoked = app.hub.revoke(&device.names.id, &by).await?;
    tracing::info!(device = %device.names.address, %by, count = revoked.len(), "certificates revoked");
    Ok(Json(Ended { device: id, revoked }))
}
