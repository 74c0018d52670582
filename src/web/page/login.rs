//! Signing in and out with a browser.

use askama::Template;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::typed::{Typed, Wrong};
use super::{Frame, Page, Sent, refused, render, secure};
use crate::core::{HubError, Newcomer, Opened, RegistrationPolicy};
use crate::http::query;
use crate::web::App;
use crate::web::auth::{self, COOKIE, From};
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "login.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the template asks")]
struct LoginPage {
    frame: Frame,
    next: String,
    name: String,
    /// Whether somebody came to make an account.
    making: bool,
    /// Whether accounts can be made.
    registers: bool,
    /// Whether that takes an invitation.
    invited: bool,
    /// Whether the password of the first start waits for its first use.
    first: bool,
    username: String,
    invite: String,
    wrong: Wrong,
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct SignIn {
    #[serde(default)]
    name: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

pub(crate) async fn form(State(app): State<App>, params: Params) -> Page {
    let next = local(params.text("next").unwrap_or_default()).to_owned();
    render(&LoginPage { next, ..LoginPage::of(&app, false).await })
}

/// The same page, for whoever wants an account.
pub(crate) async fn newcomer(State(app): State<App>) -> Page {
    render(&LoginPage::of(&app, true).await)
}

/// Makes an account, and signs it in.
pub(crate) async fn register(
    State(app): State<App>,
    From(visitor): From,
    noting: Noting,
    Sent(typed): Sent<Typed>,
) -> Page {
    let username = typed.text("username").to_owned();
    noting.who(&username);
    let password: SecretString = typed.raw("password").to_owned().into();
    let made = async {
        if username.is_empty() {
            return Err(WebError::field("username", "a user name is missing"));
        }
        let newcomer = Newcomer {
            username: username.clone(),
            password: password.clone(),
            confirmation: typed.raw("password_confirmation").to_owned().into(),
            invite: typed.some("invite").map(SecretString::from),
        };
        app.hub.register(newcomer, visitor.peer).await?;
        Ok(app.hub.login(&username, &password, &visitor).await?)
    };
    match made.await {
        Ok(opened) => Ok(enter(&app, &opened, "/")),
        Err(error) => {
            let invite = typed.text("invite").to_owned();
            let page = LoginPage::of(&app, true).await;
            refused(&error, |wrong| LoginPage { username, invite, wrong, ..page })
        }
    }
}

pub(crate) async fn submit(
    State(app): State<App>,
    From(visitor): From,
    noting: Noting,
    Sent(sent): Sent<SignIn>,
) -> Page {
    let next = local(&sent.next).to_owned();
    noting.who(&sent.name);
    let opened = match app.hub.login(&sent.name, &sent.password, &visitor).await {
        Ok(opened) => opened,
        Err(error @ (HubError::Unauthorized | HubError::TooMany { .. })) => {
            let page = LoginPage::of(&app, false).await;
            return refused(&error.into(), |wrong| LoginPage { next, name: sent.name, wrong, ..page });
        }
        Err(error) => return Err(error.into()),
    };
    Ok(enter(&app, &opened, &next))
}

/// Gives a browser its session, and leads on.
fn enter(app: &App, opened: &Opened, next: &str) -> Response {
    let life = app.hub.settings().session_ttl.as_secs();
    let secret = opened.secret.expose_secret();
    let cookie = format!("{COOKIE}={secret}; Path=/; Max-Age={life}; Secure; HttpOnly; SameSite=Lax");
    let mut response = Redirect::to(next).into_response();
    set_cookie(&mut response, &cookie);
    response
}

impl LoginPage {
    async fn of(app: &App, making: bool) -> Self {
        let policy = app.hub.settings().registration;
        Self {
            frame: Frame::outside(if making { "Create account" } else { "Sign in" }),
            next: "/".to_owned(),
            name: String::new(),
            making,
            registers: policy != RegistrationPolicy::Closed,
            invited: policy == RegistrationPolicy::Invite,
            first: app.hub.awaits_first_entry().await.unwrap_or_default(),
            username: String::new(),
            invite: String::new(),
            wrong: Wrong::default(),
        }
    }
}

pub(crate) async fn leave(State(app): State<App>, headers: HeaderMap) -> Page {
    if let Some(secret) = auth::secret(&headers) {
        app.hub.logout(secret.expose_secret()).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"));
    Ok(response)
}

/// Sends somebody who is not signed in to the form, and back afterwards if it was a page to look at.
pub(crate) fn lead_to(request: &Request) -> Response {
    let back = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let to = match *request.method() {
        Method::GET | Method::HEAD => format!("/login?next={}", query::escape(back)),
        _ => "/login".to_owned(),
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    secure(&mut response);
    response
}

fn set_cookie(response: &mut Response, cookie: &str) {
    // A session's secret is URL-safe text, so this holds for every cookie of ours.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

/// A path on this server; anything else means the first page, so that no link leads through us elsewhere.
pub(super) fn local(next: &str) -> &str {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && next.starts_with('/') && !next.starts_with("//") { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(local("/devices/1?a=b"), "/devices/1?a=b");
        for next in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"] {
            assert_eq!(local(next), "/", "{next:?}");
        }
    }
}
