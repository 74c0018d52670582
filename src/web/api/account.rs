//! One's own account: who one is, the password, and the sessions.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, people};
use crate::core::{AccountFault, Caller, How, HubError, Visitor};
use crate::model::{DeviceId, Role, Sees, Session, Timestamp, User, UserId};
use crate::web::App;
use crate::web::auth::{By, From};
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// Who the caller is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    id: String,
    name: String,
    /// What the caller may do: what the user may, or less for a token.
    role: Role,
    /// Which devices beside the own: `house` or `own`.
    sees: Sees,
    created: Timestamp,
    /// The caller's session, when it has one.
    session: Option<String>,
    /// The caller's API token, when it is one.
    token: Option<String>,
    /// The only devices that the token is for; `null` is all that the user sees.
    devices: Option<Vec<DeviceId>>,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewPassword {
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) old_password: Option<SecretString>,
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) password: Option<SecretString>,
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) password_confirmation: Option<SecretString>,
}

/// A sign-in that goes on.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionShape {
    id: String,
    /// Whose.
    user: String,
    /// Whether a script renews it; else it is a browser's.
    renewable: bool,
    created: Timestamp,
    /// To the minute.
    last_used: Timestamp,
    /// When it ends unless it is renewed.
    expires: Timestamp,
    /// The address that it was used from last.
    peer: String,
    /// What the program calls itself.
    user_agent: String,
    /// Whether this call was made with it.
    current: bool,
}

/// Who calls, and what the caller may do.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me)))]
pub(crate) async fn me(By(caller): By) -> Json<Me> {
    let session = caller.session().map(str::to_owned);
    let token = match &caller.how {
        How::Token { id, .. } => Some(id.clone()),
        How::Session { .. } | How::Local => None,
    };
    Json(Me {
        id: caller.user.id.as_str().to_owned(),
        name: caller.user.name,
        role: caller.role,
        sees: caller.user.sees,
        created: caller.user.created,
        session,
        token,
        devices: caller.devices.map(|devices| devices.to_vec()),
    })
}

/// Changes the caller's own password; all other sessions of the caller end, API tokens stay.
#[utoipa::path(patch, path = "/api/v1/me/password", request_body = NewPassword,
    responses((status = 204, description = "done"), refused::BadCredentials, refused::PasswordLength, refused::PasswordMismatch,
        refused::ScopeTooSmall, refused::TooMany))]
pub(crate) async fn password(
    State(app): State<App>,
    By(caller): By,
    From(visitor): From,
    Body(new): Body<NewPassword>,
) -> Result<StatusCode, WebError> {
    change(&app, &caller, &visitor, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the caller's own password.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    visitor: &Visitor,
    new: NewPassword,
) -> Result<(), WebError> {
    unbounded(caller)?;
    let missing = |field: &str| WebError::field(field, format!("{field} is missing"));
    let old = new.old_password.ok_or_else(|| missing("old_password"))?;
    let password = new.password.ok_or_else(|| missing("password"))?;
    let again = new.password_confirmation.ok_or_else(|| missing("password_confirmation"))?;
    if password.expose_secret() != again.expose_secret() {
        return Err(HubError::from(AccountFault::PasswordMismatch).into());
    }
    Ok(app.hub.change_password(&caller.user, &old, password, visitor.peer, caller.session()).await?)
}

/// The caller's sessions, the one used last first; an administrator may ask for another user's.
#[utoipa::path(get, path = "/api/v1/sessions",
    params(("user" = Option<String>, Query, description = "another user, by id or name; for administrators")),
    responses((status = 200, body = Listed<SessionShape>), refused::NotFound))]
pub(crate) async fn sessions(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<SessionShape>> {
    let user = whose(&app, &caller, &params).await?;
    let sessions = app.hub.sessions(Some(&user)).await?;
    Ok(Json(Listed::whole(sessions.into_iter().map(|session| shape(session, &caller)).collect())))
}

/// Ends one session: one of the caller's, or any for an administrator.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", responses((status = 204, description = "done"), refused::ScopeTooSmall))]
pub(crate) async fn end_session(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
) -> Result<StatusCode, WebError> {
    end(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session that the caller may end.
pub(crate) async fn end(app: &App, caller: &Caller, id: &str) -> Result<(), WebError> {
    unbounded(caller)?;
    if !app.hub.sessions(caller.own_only()).await?.iter().any(|session| session.id == id) {
        return Err(WebError::NotFound("session"));
    }
    Ok(app.hub.end_session(id).await?)
}

/// Signs the caller out everywhere: ends all sessions, this one too. API tokens stay.
#[utoipa::path(delete, path = "/api/v1/sessions",
    params(("user" = Option<String>, Query, description = "another user, by id or name; for administrators")),
    responses((status = 204, description = "done"), refused::NotFound, refused::ScopeTooSmall))]
pub(crate) async fn end_sessions(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Result<StatusCode, WebError> {
    unbounded(&caller)?;
    let user = whose(&app, &caller, &params).await?;
    app.hub.end_sessions(&user, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a token of a smaller scope than its user's.
pub(crate) fn unbounded(caller: &Caller) -> Result<(), WebError> {
    if caller.is_unbounded() { Ok(()) } else { Err(HubError::from(AccountFault::ScopeTooSmall).into()) }
}

/// Of whom a call speaks: the caller, or for an administrator whoever is named.
async fn whose(app: &App, caller: &Caller, params: &Params) -> Result<UserId, WebError> {
    Ok(match params.text("user") {
        Some(text) => people::named(app, caller, text).await?.id,
        None => caller.user.id.clone(),
    })
}

fn shape(session: Session, caller: &Caller) -> SessionShape {
    SessionShape {
        current: caller.session() == Some(session.id.as_str()),
        id: session.id,
        user: session.user.as_str().to_owned(),
        renewable: session.refresh.is_some(),
        created: session.created,
        last_used: session.last_used,
        expires: session.expires,
        peer: session.origin.peer,
        user_agent: session.origin.agent,
    }
}

/// The user that a text means, as far as the caller may know: the caller itself, or for an administrator anybody.
pub(super) fn known_to(caller: &Caller, user: User) -> Result<User, WebError> {
    let may = user.id == caller.user.id || caller.role == Role::Admin;
    if may { Ok(user) } else { Err(WebError::NotFound("user")) }
}
