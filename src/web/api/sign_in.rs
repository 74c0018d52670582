//! Signing in and out.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::core::Pair;
use crate::web::App;
use crate::web::auth::{self, From};
use crate::web::code::refused;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::params::Body;

/// The body of a sign-in; empty when HTTP Basic says it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Login {
    #[serde(alias = "name")]
    username: Option<String>,
    #[schema(value_type = Option<String>, format = "password")]
    password: Option<SecretString>,
}

/// What a sign-in gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    access_token: String,
    refresh_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds for which the access token is good.
    expires_in: u64,
    /// Seconds for which the refresh token is good.
    refresh_expires_in: u64,
}

impl std::convert::From<Pair> for SignedIn {
    fn from(pair: Pair) -> Self {
        Self {
            access_token: pair.access.expose_secret().to_owned(),
            refresh_token: pair.refresh.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: pair.access_life.as_secs(),
            refresh_expires_in: pair.refresh_life.as_secs(),
        }
    }
}

/// Signs a person in, by JSON or by HTTP Basic with an empty body.
///
/// A wrong name and a wrong password get the same answer after the same time. The access token lets its holder in; the
/// refresh token gets the next pair, once.
#[utoipa::path(post, path = "/api/v1/auth/login", request_body = Login,
    responses((status = 200, body = SignedIn), refused::BadCredentials, refused::TooMany))]
pub(crate) async fn login(
    State(app): State<App>,
    From(visitor): From,
    noting: Noting,
    headers: HeaderMap,
    Body(body): Body<Login>,
) -> Answer<SignedIn> {
    let (name, password) = match (body.username, body.password) {
        (Some(name), Some(password)) => (name, password),
        (None, None) => {
            auth::basic(&headers).ok_or_else(|| WebError::field("username", "username is missing"))?
        }
        (None, Some(_)) => return Err(WebError::field("username", "username is missing")),
        (Some(_), None) => return Err(WebError::field("password", "password is missing")),
    };
    noting.who(&name);
    let (_, pair) = app.hub.sign_in(&name, &password, &visitor).await?;
    Ok(Json(pair.into()))
}

/// The body of a renewal; empty when the refresh token is the bearer's.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Renew {
    #[schema(value_type = Option<String>)]
    refresh_token: Option<SecretString>,
}

/// Gives the next pair for a refresh token, and ends that token.
///
/// It is taken from the body, else from `Authorization: Bearer`. A refresh token that is shown a second time ends all of
/// its sign-in, for one of the two who have it has stolen it.
#[utoipa::path(post, path = "/api/v1/auth/refresh", request_body = Renew,
    responses((status = 200, body = SignedIn), refused::RefreshExpired, refused::RefreshReused))]
pub(crate) async fn refresh(
    State(app): State<App>,
    From(visitor): From,
    headers: HeaderMap,
    Body(body): Body<Renew>,
) -> Answer<SignedIn> {
    let token = body.refresh_token.or_else(|| auth::bearer(&headers));
    let token = token.ok_or_else(|| WebError::field("refresh_token", "refresh_token is missing"))?;
    Ok(Json(app.hub.renew(&token, &visitor).await?.into()))
}

/// Ends the session of the caller. For an API token it does nothing: revoke it.
#[utoipa::path(post, path = "/api/v1/auth/logout", responses((status = 204, description = "done")))]
pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<StatusCode, WebError> {
    if let Some(secret) = auth::secret(&headers) {
        app.hub.logout(secret.expose_secret()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
