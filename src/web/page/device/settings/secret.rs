//! Tokens and keys of a device: a new one, which is told once, and the end of old ones.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::change::back;
use super::{Frame, refuse};
use crate::core::Level;
use crate::model::DeviceRef;
use crate::web::App;
use crate::web::api::enrolment::Told;
use crate::web::api::{self, secrets};
use crate::web::auth::By;
use crate::web::page::add::reach::Reach;
use crate::web::page::add::snippets::{self, Snippet};
use crate::web::page::{Page, Place, Sent, render};
use crate::web::params::Name;

/// A new token or key, told once.
#[derive(Template)]
#[template(path = "device/secret.html")]
struct SecretPage {
    frame: Frame,
    device: DeviceRef,
    /// Whether it is a key: then there is nothing to paste.
    key: bool,
    token: String,
    qr_svg: Option<String>,
    snippets: Vec<Snippet>,
    root: bool,
    gauge: bool,
    /// How long those before it stay good, in words.
    grace: &'static str,
}

/// How long the tokens before it stay good.
#[derive(Deserialize)]
pub(crate) struct Grace {
    #[serde(default)]
    grace_s: String,
}

/// Which token is to end; without one all are.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    token: String,
}

pub(crate) async fn rotate(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    reach: Reach,
    Sent(wish): Sent<Grace>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let (names, by) = (device.names.clone(), caller.by());
    let key = secrets::tokens(&app, &device).is_none();
    let (word, grace) = GRACES.iter().find(|(word, _)| *word == wish.grace_s).copied().unwrap_or(GRACES[0]);
    let made = if key {
        app.hub.rotate_key(&names.id, None).await
    } else {
        let grace = Duration::from_secs(word.parse().unwrap_or_default());
        app.hub.rotate_device_token(&names.id, grace, &by).await
    };
    let secret = match made {
        Ok(secret) => secret,
        Err(error) => return refuse(&app, &caller, &id, "rotate", &error.into()).await,
    };
    tracing::info!(device = %names.address, %by, "the device has a new secret");
    let base = reach.https().or_else(|| reach.http());
    let (token, qr_svg) = if key {
        (secret.expose_secret().to_owned(), None)
    } else {
        Told::new(&secret, base.as_deref()).into_parts()
    };
    let facts = app.facts(&device).await?;
    let frame = Frame::of(&app, &caller, Place::Elsewhere, format!("New secret of {}", names.name)).await;
    render(&SecretPage {
        frame,
        key,
        snippets: if key { Vec::new() } else { snippets::of(&reach, &token, "data") },
        token,
        qr_svg,
        root: reach.root && reach.https_port.is_some(),
        gauge: facts.get("type").is_some_and(|kind| kind == "gauge"),
        grace,
        device: names,
    })
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(which): Sent<Which>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let token = Some(which.token.as_str()).filter(|token| !token.is_empty());
    match secrets::end(&app, &caller, &device, token).await {
        Ok(_) => Ok(back(&id, "revoked")),
        Err(error) => refuse(&app, &caller, &id, "revoke", &error).await,
    }
}

/// How long tokens that are replaced stay good, in seconds and in words.
const GRACES: [(&str, &str); 4] =
    [("0", "at once"), ("3600", "in an hour"), ("86400", "in a day"), ("604800", "in a week")];
