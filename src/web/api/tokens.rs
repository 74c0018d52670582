//! API tokens: everybody's own; all of them for administrators.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::unbounded;
use super::{Answer, people};
use crate::core::{Caller, How, TokenOrder};
use crate::model::{DeviceId, Role, Token, User};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params, lasts};
use crate::web::shape::TokenShape;

/// A token to be.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewToken)]
pub(crate) struct Create {
    /// What to call it.
    pub(crate) name: Option<String>,
    /// What it may do: at most what its user may; else `viewer`.
    pub(crate) role: Option<Role>,
    /// Whose it is, by id or name; else the caller's. For administrators.
    pub(crate) user: Option<String>,
    /// The only devices it is for, by id; else all that its user sees.
    pub(crate) devices: Option<Vec<DeviceId>>,
    /// How long it lasts; else until it is revoked.
    #[schema(maximum = 315_360_000)]
    pub(crate) expires_in_s: Option<u64>,
}

/// A new token; its secret is told here and never again.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedToken)]
pub(crate) struct Created {
    #[serde(flatten)]
    about: TokenShape,
    token: String,
}

/// The caller's tokens, without their secrets; an administrator sees everybody's.
#[utoipa::path(get, path = "/api/v1/tokens",
    params(("user" = Option<String>, Query, description = "one user's, by id or name")),
    responses((status = 200, body = Listed<TokenShape>), refused::NotFound))]
pub(crate) async fn tokens(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<TokenShape>> {
    let user = match params.text("user") {
        Some(text) => Some(people::named(&app, &caller, text).await?.id),
        None => caller.own_only().cloned(),
    };
    let tokens = app.hub.tokens(user.as_ref()).await?;
    Ok(Json(Listed::whole(tokens.into_iter().map(TokenShape::from).collect())))
}

/// Makes a token for the caller, or for anybody by an administrator. Its secret is told once.
#[utoipa::path(post, path = "/api/v1/tokens", request_body = Create,
    responses((status = 201, body = Created), refused::NotFound, refused::Conflict, refused::ScopeTooSmall))]
pub(crate) async fn create_token(
    State(app): State<App>,
    By(caller): By,
    Body(create): Body<Create>,
) -> Result<(StatusCode, Json<Created>), WebError> {
    let (token, secret) = make(&app, &caller, create).await?;
    let created = Created { about: token.into(), token: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Makes a token; its secret is told once.
pub(crate) async fn make(
    app: &App,
    caller: &Caller,
    create: Create,
) -> Result<(Token, SecretString), WebError> {
    unbounded(caller)?;
    let name = create.name.ok_or_else(|| WebError::field("name", "name is missing"))?;
    let owner = match &create.user {
        Some(text) => people::named(app, caller, text).await?,
        None => owner(app, caller).await?,
    };
    let sight = app.hub.sight(caller);
    for device in create.devices.iter().flatten() {
        if app.hub.device(device).is_none() || !sight.sees(device) {
            return Err(WebError::field("devices", format!("there is no device {}", device.as_str())));
        }
    }
    let order = TokenOrder {
        name,
        role: create.role.unwrap_or(Role::Viewer),
        devices: create.devices,
        life: lasts(create.expires_in_s)?,
    };
    Ok(app.hub.order_token(&owner.id, order).await?)
}

/// Ends a token at once: one of the caller's, or any for an administrator.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", responses((status = 204, description = "done"), refused::ScopeTooSmall))]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
) -> Result<StatusCode, WebError> {
    revoke(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a token that the caller may end.
pub(crate) async fn revoke(app: &App, caller: &Caller, id: &str) -> Result<(), WebError> {
    unbounded(caller)?;
    if !app.hub.tokens(caller.own_only()).await?.iter().any(|token| token.id == id) {
        return Err(WebError::NotFound("token"));
    }
    Ok(app.hub.revoke_token(id).await?)
}

/// Whose a token is when its maker does not say: the maker's; made at the control socket, where nobody has
/// a name, the oldest administrator's.
async fn owner(app: &App, caller: &Caller) -> Result<User, WebError> {
    match caller.how {
        How::Session { .. } | How::Token { .. } => Ok(caller.user.clone()),
        How::Local => {
            let users = app.hub.users().await?;
            let admins = users.into_iter().filter(|user| user.role == Role::Admin);
            admins.min_by_key(|user| user.created).ok_or(WebError::NotFound("user"))
        }
    }
}
