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
use crate::web::error::WebError;
use crate::web::params::Body;

/// The body of a sign-in; empty when HTTP Basic says it.
#[derive(Deserialize)]
pub(crate) struct Login {
    #[serde(alias = "name")]
    username: Option<String>,
    password: Option<SecretString>,
}

/// What a sign-in gives.
#[derive(Serialize)]
pub(crate) struct Access {
    #[serde(rename = "access_token")]
    secret: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Who the caller is.
#[derive(Serialize)]
pub(crate) struct Me {
    id: String,
    name: String,
    role: Role,
}

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

pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, WebError> {
    if let Some(secret) = auth::secret(&headers) {
        app.hub.logout(secret.expose_secret()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn me(By(caller): By) -> Json<Me> {
    Json(Me { id: caller.user.id.as_str().to_owned(), name: caller.user.name, role: caller.role })
}
