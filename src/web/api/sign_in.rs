//! Signing in and out, and who one is.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::model::Role;
use crate::web::App;
use crate::web::auth::{self, By, From};
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::Body;

/// The body of a sign-in; empty when HTTP Basic says it.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Login)]
pub(crate) struct Login {
    #[serde(alias = "name")]
    username: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// What a sign-in gives.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Access)]
pub(crate) struct Access {
    #[serde(rename = "access_token")]
    secret: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Who the caller is.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Me)]
pub(crate) struct Me {
    id: String,
    name: String,
    role: Role,
}

/// Signs in, by a body or by HTTP Basic, and gives an access token.
#[utoipa::path(post, path = "/api/v1/auth/login",
    request_body = Option<Login>,
    responses((status = 200, body = Access), refused::BadCredentials, refused::TooMany))]
pub(crate) async fn login(
    State(app): State<App>,
    From(peer): From,
    headers: HeaderMap,
    Body(body): Body<Login>,
) -> Answer<Access> {
    let (name, password) = match (body.username, body.password) {
        (Some(name), Some(password)) => (name, password),
        (None, None) => {
            auth::basic(&headers).ok_or_else(|| WebError::field("username", "username is missing"))?
        }
        (None, Some(_)) => return Err(WebError::field("username", "username is missing")),
        (Some(_), None) => return Err(WebError::field("password", "password is missing")),
    };
    let life = app.hub.settings().access_ttl;
    let opened = app.hub.login_for(&name, &password, peer, life).await?;
    Ok(Json(Access {
        secret: opened.secret.expose_secret().to_owned(),
        token_type: "Bearer",
        expires_in: life.as_secs(),
    }))
}

/// Ends the session that the caller came with.
#[utoipa::path(post, path = "/api/v1/auth/logout",
    responses((status = 204, description = "it is ended")))]
pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, WebError> {
    if let Some(secret) = auth::secret(&headers) {
        app.hub.logout(secret.expose_secret()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/v1/me",
    responses((status = 200, body = Me)))]
pub(crate) async fn me(By(caller): By) -> Json<Me> {
    Json(Me { id: caller.user.id.as_str().to_owned(), name: caller.user.name, role: caller.role })
}
