//! Users, for administrators.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, account};
use crate::core::Caller;
use crate::model::{Role, Sees, User, UserId};
use crate::web::App;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};
use crate::web::shape::UserShape;

/// A user to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewUser)]
pub(crate) struct Add {
    #[serde(alias = "username")]
    name: Option<String>,
    #[schema(value_type = Option<String>, format = "password")]
    password: Option<SecretString>,
    role: Option<Role>,
    sees: Option<Sees>,
}

/// A change of a user.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = UserEdit)]
pub(crate) struct Edit {
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) password: Option<SecretString>,
    pub(crate) role: Option<Role>,
    pub(crate) sees: Option<Sees>,
}

/// Everybody who may sign in, by name.
#[utoipa::path(get, path = "/api/v1/users", responses((status = 200, body = Listed<UserShape>)))]
pub(crate) async fn users(State(app): State<App>) -> Answer<Listed<UserShape>> {
    let users = app.hub.users().await?;
    Ok(Json(Listed::whole(users.into_iter().map(UserShape::from).collect())))
}

/// Adds a user: a name of 3 to 64 letters, digits, dots, underscores or hyphens, a password of 8 to 128 characters.
#[utoipa::path(post, path = "/api/v1/users", request_body = Add,
    responses((status = 201, body = UserShape), refused::NameTaken))]
pub(crate) async fn add_user(
    State(app): State<App>,
    Body(add): Body<Add>,
) -> Result<(StatusCode, Json<UserShape>), WebError> {
    let name = add.name.ok_or_else(|| WebError::field("name", "name is missing"))?;
    let password = add.password.ok_or_else(|| WebError::field("password", "password is missing"))?;
    let (role, sees) = (add.role.unwrap_or(Role::Viewer), add.sees.unwrap_or(Sees::House));
    let user = app.hub.add_user_who(&name, password, role, sees).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Changes what a user may do and sees, or sets a password, which ends the user's sessions.
#[utoipa::path(patch, path = "/api/v1/users/{id}", request_body = Edit,
    responses((status = 200, body = UserShape), refused::Conflict))]
pub(crate) async fn edit_user(
    State(app): State<App>,
    Name(id): Name,
    Body(edit): Body<Edit>,
) -> Answer<UserShape> {
    Ok(Json(change(&app, &id, edit).await?.into()))
}

/// Changes a user.
pub(crate) async fn change(app: &App, id: &str, edit: Edit) -> Result<User, WebError> {
    let user = user(app, id).await?;
    if edit.role.is_none() && edit.sees.is_none() && edit.password.is_none() {
        return Err(WebError::field("role", "nothing to change: give role, sees or password"));
    }
    if let Some(role) = edit.role {
        app.hub.set_role(&user.id, role).await?;
    }
    if let Some(sees) = edit.sees {
        app.hub.set_sees(&user.id, sees).await?;
    }
    if let Some(password) = edit.password {
        app.hub.passwd(&user.id, password).await?;
    }
    let (role, sees) = (edit.role.unwrap_or(user.role), edit.sees.unwrap_or(user.sees));
    Ok(User { role, sees, ..user })
}

/// Removes a user with all sessions and tokens. The user's devices become the house's, or another user's.
#[utoipa::path(delete, path = "/api/v1/users/{id}",
    params(("devices_to" = Option<String>, Query, description = "whose the devices become: a user, by name or id")),
    responses((status = 204, description = "the user is removed"), refused::Conflict, refused::NameTaken))]
pub(crate) async fn remove_user(
    State(app): State<App>,
    Name(id): Name,
    params: Params,
) -> Result<StatusCode, WebError> {
    take_away(&app, &id, params.text("devices_to")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user; the devices become another's, or the house's.
pub(crate) async fn take_away(app: &App, id: &str, devices_to: Option<&str>) -> Result<(), WebError> {
    let user = user(app, id).await?;
    let to = match devices_to {
        Some(text) => Some(app.hub.find_user(text).await?),
        None => None,
    };
    if to.as_ref().is_some_and(|to| to.id == user.id) {
        return Err(WebError::field("devices_to", "this is the user who is to be removed"));
    }
    Ok(app.hub.remove_user_to(&user.id, to.as_ref()).await?)
}

/// The user that a text means, by id or name, as far as the caller may know of it.
pub(super) async fn named(app: &App, caller: &Caller, text: &str) -> Result<User, WebError> {
    account::known_to(caller, app.hub.find_user(text).await?)
}

/// The user with an id.
pub(crate) async fn user(app: &App, id: &str) -> Result<User, WebError> {
    let users = app.hub.users().await?;
    users.into_iter().find(|user| user.id == UserId::new(id)).ok_or(WebError::NotFound("user"))
}
