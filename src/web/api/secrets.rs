//! What a device proves itself with: its key, its certificate, its tokens.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::device_for;
use super::enrolment::{Base, Told};
use crate::core::{Caller, DeviceKey, DeviceToken, Level, Material};
use crate::model::{Device, Fingerprint, KeySpelling, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Name};

/// A key of somebody's choice; without one a key is made. Of a device with tokens: how long those that it has stay good.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = KeyChoice)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    key: Option<String>,
    grace_s: Option<u64>,
}

/// Which token is to end; without one all are.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TokenChoice)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    token: Option<String>,
}

/// The new key, told once.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RotatedKey)]
pub(crate) struct Rotated {
    device: String,
    key: String,
}

/// The new key, or the new token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the two answers of one call")]
pub(crate) enum NewSecret {
    Key(Rotated),
    Token(Told),
}

/// Certificates that count no longer.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EndedCertificates)]
pub(crate) struct Ended {
    device: String,
    revoked: Vec<Fingerprint>,
}

/// What is told of a device's key: never the key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct KeyShape {
    since: Timestamp,
    /// The spelling under which an HMAC held.
    held: Option<KeySpelling>,
}

/// What is told of the certificate that was issued to a device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
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

/// The tokens of a device; `None` of one whose dialect gives none.
pub(crate) fn tokens(app: &App, device: &Device) -> Option<Vec<DeviceToken>> {
    has_tokens(app, device).then(|| app.hub.device_tokens(&device.names.id))
}

fn has_tokens(app: &App, device: &Device) -> bool {
    app.family(&device.names.family).is_some_and(|family| family.has_tokens())
}

/// Gives a device a new key or token, told once.
#[utoipa::path(post, path = "/api/v1/devices/{id}/rotate",
    request_body = Option<Choice>,
    responses((status = 200, body = NewSecret), refused::Conflict))]
pub(crate) async fn rotate(
    State(app): State<App>,
    Name(id): Name,
    Base(base): Base,
    By(caller): By,
    Body(choice): Body<Choice>,
) -> Result<Response, WebError> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    if !has_tokens(&app, &device) {
        if choice.grace_s.is_some() {
            return Err(WebError::field("grace_s", "only a token has a grace: a key is replaced at once"));
        }
        let key = app.hub.rotate_key(&device.names.id, choice.key.as_deref()).await?;
        tracing::info!(device = %device.names.address, by = %caller.by(), "the device has a new key");
        return Ok(Json(Rotated { device: id, key: key.expose_secret().to_owned() }).into_response());
    }
    if choice.key.is_some() {
        return Err(WebError::field("key", "a token is made here: nobody chooses it"));
    }
    let (by, grace) = (caller.by(), Duration::from_secs(choice.grace_s.unwrap_or_default()));
    let token = app.hub.rotate_device_token(&device.names.id, grace, &by).await?;
    tracing::info!(device = %device.names.address, %by, "the device has a new token");
    Ok(Json(Told::new(&token, base.as_deref())).into_response())
}

/// Ends a device's certificates or tokens.
#[utoipa::path(post, path = "/api/v1/devices/{id}/revoke",
    request_body = Option<Which>,
    responses(
        (status = 200, description = "the certificates that count no longer", body = Ended),
        (status = 204, description = "the tokens are ended"),
        refused::Conflict
    ))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(which): Body<Option<Which>>,
) -> Result<Response, WebError> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    let token = which.and_then(|which| which.token);
    match end(&app, &caller, &device, token.as_deref()).await? {
        Some(revoked) => Ok(Json(Ended { device: id, revoked }).into_response()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Ends a token of a device, or all that it has; of a device without tokens its certificates, which it gives.
pub(crate) async fn end(
    app: &App,
    caller: &Caller,
    device: &Device,
    token: Option<&str>,
) -> Result<Option<Vec<Fingerprint>>, WebError> {
    let by = caller.by();
    if !has_tokens(app, device) {
        let revoked = app.hub.revoke(&device.names.id, &by).await?;
        tracing::info!(device = %device.names.address, %by, count = revoked.len(), "certificates revoked");
        return Ok(Some(revoked));
    }
    let count = app.hub.revoke_device_tokens(&device.names.id, token, &by).await?;
    if count == 0 && token.is_some() {
        return Err(WebError::NotFound("token"));
    }
    tracing::info!(device = %device.names.address, %by, count, "tokens revoked");
    Ok(None)
}
