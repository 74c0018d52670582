//! Users and API tokens, for administrators.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::core::{Caller, How};
use crate::model::{Role, Sees, User, UserId};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name};
use crate::web::shape::{TokenShape, UserShape};

/// A user to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = UserAdd)]
pub(crate) struct Add {
    #[serde(alias = "username")]
    name: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    role: Option<Role>,
    sees: Option<Sees>,
}

/// A change of a user.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = UserEdit)]
pub(crate) struct Edit {
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
    role: Option<Role>,
    sees: Option<Sees>,
}

/// A token to be.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TokenMake)]
pub(crate) struct Create {
    name: Option<String>,
    role: Option<Role>,
    user: Option<String>,
    expires_in_s: Option<u64>,
}

/// A new token; its secret is told here and never again.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MadeToken)]
pub(crate) struct Created {
    #[serde(flatten)]
    about: TokenShape,
    token: String,
}

/// Everybody who may sign in.
#[utoipa::path(get, path = "/api/v1/users",
    responses((status = 200, body = Listed<UserShape>)))]
pub(crate) async fn users(State(app): State<App>) -> Answer<Listed<UserShape>> {
    let users = app.hub.users().await?;
    Ok(Json(Listed::whole(users.into_iter().map(UserShape::from).collect())))
}

/// Adds a user.
#[utoipa::path(post, path = "/api/v1/users",
    request_body = Add, responses((status = 201, body = UserShape), refused::NameTaken))]
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

/// Changes a user's role or password.
#[utoipa::path(patch, path = "/api/v1/users/{id}",
    request_body = Edit, responses((status = 200, body = UserShape), refused::Conflict))]
pub(crate) async fn edit_user(
    State(app): State<App>,
    Name(id): Name,
    Body(edit): Body<Edit>,
) -> Answer<UserShape> {
    let user = user(&app, &id).await?;
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
    Ok(Json(User { role, sees, ..user }.into()))
}

/// Removes a user with all sessions and tokens.
#[utoipa::path(delete, path = "/api/v1/users/{id}",
    responses((status = 204, description = "the user is removed"), refused::Conflict))]
pub(crate) async fn remove_user(State(app): State<App>, Name(id): Name) -> Result<StatusCode, WebError> {
    app.hub.remove_user(&user(&app, &id).await?.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// API tokens, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens",
    responses((status = 200, body = Listed<TokenShape>)))]
pub(crate) async fn tokens(State(app): State<App>) -> Answer<Listed<TokenShape>> {
    let tokens = app.hub.tokens(None).await?;
    Ok(Json(Listed::whole(tokens.into_iter().map(TokenShape::from).collect())))
}

/// Makes an API token, told once.
#[utoipa::path(post, path = "/api/v1/tokens",
    request_body = Create, responses((status = 201, body = Created), refused::NotFound))]
pub(crate) async fn create_token(
    State(app): State<App>,
    By(caller): By,
    Body(create): Body<Create>,
) -> Result<(StatusCode, Json<Created>), WebError> {
    let name = create.name.ok_or_else(|| WebError::field("name", "name is missing"))?;
    let owner = match &create.user {
        Some(text) => app.hub.find_user(text).await?,
        None => owner(&app, caller).await?,
    };
    let role = create.role.unwrap_or(Role::Viewer);
    let life = create.expires_in_s.map(Duration::from_secs);
    let (token, secret) = app.hub.create_token(&owner.id, &name, role, life).await?;
    let created = Created { about: token.into(), token: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Ends an API token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}",
    responses((status = 204, description = "it is ended")))]
pub(crate) async fn revoke_token(State(app): State<App>, Name(id): Name) -> Result<StatusCode, WebError> {
    let known = app.hub.tokens(None).await?.into_iter().any(|token| token.id == id);
    if !known {
        return Err(WebError::NotFound("token"));
    }
    app.hub.revoke_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn user(app: &App, id: &str) -> Result<User, WebError> {
    let users = app.hub.users().await?;
    users.into_iter().find(|user| user.id == UserId::new(id)).ok_or(WebError::NotFound("user"))
}

/// Whose a token is when its maker does not say: the maker's; made at the control socket, where nobody has
/// a name, the oldest administrator's.
async fn owner(app: &App, caller: Caller) -> Result<User, WebError> {
    match caller.how {
        How::Session { .. } | How::Token { .. } => Ok(caller.user),
        How::Local => {
            let users = app.hub.users().await?;
            let admins = users.into_iter().filter(|user| user.role == Role::Admin);
            admins.min_by_key(|user| user.created).ok_or(WebError::NotFound("user"))
        }
    }
}
