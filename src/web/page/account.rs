//! One's own account: the password, where one is signed in, and the API tokens.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use secrecy::ExposeSecret as _;

use super::credentials::{self, SessionLine, TokenLine};
use super::typed::{Choice, Typed, Wrong, spans};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::Caller;
use crate::model::{Device, DeviceId, Role, Sees};
use crate::web::App;
use crate::web::api::account::{self, NewPassword};
use crate::web::api::tokens;
use crate::web::auth::{By, From};
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    name: String,
    role: &'static str,
    sees: &'static str,
    sessions: Vec<SessionLine>,
    tokens: Vec<TokenLine>,
    /// A new token's name and its secret, told once.
    secret: Option<(String, String)>,
    roles: Vec<Choice>,
    lives: Vec<Choice>,
    devices: Vec<Choice>,
    typed: Typed,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let mut page = page(&app, &caller, Typed::default()).await?;
    page.done = params.text("done").and_then(done);
    render(&page)
}

pub(crate) async fn password(
    State(app): State<App>,
    By(caller): By,
    From(visitor): From,
    Sent(typed): Sent<Typed>,
) -> Page {
    let secret =
        |name: &str| Some(typed.raw(name)).filter(|text| !text.is_empty()).map(|text| text.to_owned().into());
    let new = NewPassword {
        old_password: secret("old_password"),
        password: secret("password"),
        password_confirmation: secret("password_confirmation"),
    };
    match account::change(&app, &caller, &visitor, new).await {
        Ok(()) => Ok(to("password")),
        Err(error) => refuse(&app, &caller, Typed::default(), &error).await,
    }
}

pub(crate) async fn end_session(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    account::end(&app, &caller, &id).await?;
    Ok(to("session"))
}

pub(crate) async fn end_sessions(State(app): State<App>, By(caller): By) -> Page {
    account::unbounded(&caller)?;
    app.hub.end_sessions(&caller.user.id, None).await?;
    Ok(Redirect::to("/login").into_response())
}

pub(crate) async fn make_token(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let made = async {
        let some = typed.text("scope") == "some";
        let devices: Vec<_> = typed.all("device").filter(|_| some).map(DeviceId::new).collect();
        if some && devices.is_empty() {
            return Err(WebError::field("devices", "choose the devices that the token is for"));
        }
        let create = tokens::Create {
            name: Some(typed.text("name").to_owned()),
            role: Role::parse(typed.text("role")),
            devices: Some(devices).filter(|devices| !devices.is_empty()),
            expires_in_s: typed.whole("expires_in_s")?,
            user: None,
        };
        tokens::make(&app, &caller, create).await
    };
    match made.await {
        Ok((token, secret)) => {
            let mut page = page(&app, &caller, Typed::default()).await?;
            page.secret = Some((token.name, secret.expose_secret().to_owned()));
            render(&page)
        }
        Err(error) => refuse(&app, &caller, typed, &error).await,
    }
}

pub(crate) async fn revoke_token(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    tokens::revoke(&app, &caller, &id).await?;
    Ok(to("token"))
}

async fn refuse(app: &App, caller: &Caller, typed: Typed, error: &WebError) -> Page {
    let page = page(app, caller, typed).await?;
    refused(error, |wrong| AccountPage { wrong, ..page })
}

async fn page(app: &App, caller: &Caller, typed: Typed) -> Result<AccountPage, WebError> {
    let devices = app.devices_by_name(&app.hub.sight(caller)).into_iter();
    let device = |device: Device| {
        let chosen = typed.all("device").any(|id| id == device.names.id.as_str());
        Choice::new(device.names.id.to_string(), device.names.name, chosen)
    };
    let life = if typed.is_empty() { Some(LIVES_S[1]) } else { typed.whole("expires_in_s").ok().flatten() };
    Ok(AccountPage {
        frame: Frame::of(app, caller, Place::Account, "Account").await,
        done: None,
        wrong: Wrong::default(),
        name: caller.user.name.clone(),
        role: credentials::role_name(caller.user.role),
        sees: match caller.user.sees {
            _ if caller.user.role == Role::Admin => "every device",
            Sees::House => "the house's devices, one's own, and those shared",
            Sees::Own => "one's own devices, and those shared",
        },
        sessions: credentials::sessions(app, caller, &caller.user.id).await?,
        tokens: credentials::tokens(app, &caller.user.id).await?,
        secret: None,
        roles: credentials::roles(caller.user.role, Role::parse(typed.text("role")).unwrap_or(Role::Viewer)),
        lives: spans("until it is revoked", &LIVES_S, life),
        devices: devices.take(DEVICES_MAX).map(device).collect(),
        typed,
    })
}

fn to(done: &str) -> Response {
    Redirect::to(&format!("/account?done={done}")).into_response()
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "password" => "The password is changed. You are signed out everywhere else; API tokens stay.",
        "session" => "That sign-in is ended.",
        "token" => "The token is revoked: it lets nobody in any more.",
        _ => return None,
    })
}

/// How long a token may last: a day, a month, 90 days, a year.
const LIVES_S: [u64; 4] = [86_400, 30 * 86_400, 90 * 86_400, 365 * 86_400];
/// Devices that the form offers.
const DEVICES_MAX: usize = 500;
