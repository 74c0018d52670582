//! What the forms of the settings do. Each leads back to the page, and one that is not taken comes back filled in.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{GaugeFields, refuse};
use crate::core::{Caller, GroupEdit, Level, Share};
use crate::family::Facts;
use crate::model::{Device, GroupId};
use crate::web::App;
use crate::web::api;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::page::typed::Typed;
use crate::web::page::{Page, Sent};
use crate::web::params::Name;

/// One field with a text.
#[derive(Deserialize)]
pub(crate) struct Text {
    #[serde(default)]
    text: String,
}

/// A new name.
#[derive(Deserialize)]
pub(crate) struct Rename {
    name: String,
}

/// A share.
#[derive(Deserialize)]
pub(crate) struct Sharing {
    #[serde(default)]
    user: String,
    #[serde(default)]
    level: String,
}

/// Which group, and whether the device is to be in it.
#[derive(Deserialize)]
pub(crate) struct Grouping {
    #[serde(default)]
    group: String,
    #[serde(default)]
    leave: String,
}

pub(crate) async fn rename(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(rename): Sent<Rename>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    if rename.name.trim() == device.names.name {
        return Ok(back(&id, "unchanged"));
    }
    let renamed = app.hub.rename(&device.names.id, &rename.name).await;
    end(&app, &caller, &id, "rename", renamed.map(|_| "renamed").map_err(WebError::from)).await
}

pub(crate) async fn config(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    let before = app.facts(&device).await?.get("config").and_then(Json::as_object).cloned();
    let done = match wishes(&typed, &before.unwrap_or_default()) {
        Ok(wishes) => configure(&app, &device, &wishes).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(back(&id, "configured")),
        Err(error) => super::refuse_config(&app, &caller, &id, &typed, &error).await,
    }
}

async fn configure(app: &App, device: &Device, wishes: &[(&'static str, Json)]) -> Result<(), WebError> {
    let family = app.family(&device.names.family).ok_or(WebError::NotFound("family"))?;
    for (name, wish) in wishes {
        if !family.wish(&app.hub, device, name, wish).await? {
            return Err(WebError::field(name, "devices of this family have none"));
        }
    }
    Ok(())
}

/// What a form asks for: the gauge's own fields, or a type and JSON.
fn wishes(typed: &Typed, before: &Facts) -> Result<Vec<(&'static str, Json)>, WebError> {
    if typed.has("minVal") {
        let config = GaugeFields::read(typed).config(before);
        let config = config.map_err(|(field, message)| WebError::field(&field, message))?;
        return Ok(vec![("config", Json::Object(config))]);
    }
    let mut wishes = Vec::new();
    if typed.has("config") {
        let config = match typed.text("config") {
            "" => Json::Null,
            json => serde_json::from_str(json)
                .map_err(|error| WebError::field("config", format!("this is not JSON: {error}")))?,
        };
        wishes.push(("config", config));
    }
    if typed.has("type") {
        // The type first, unless what is to be forgotten would not suit it.
        let place = usize::from(wishes.iter().any(|(_, config)| config.is_null()));
        wishes.insert(place, ("type", typed.text("type").into()));
    }
    Ok(wishes)
}

pub(crate) async fn tag(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(Text { text }): Sent<Text>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    let tags: Vec<String> =
        text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
    let tagged = app.hub.tag_device(&device.names.id, &tags).await;
    end(&app, &caller, &id, "tag", tagged.map(|_| "tagged").map_err(WebError::from)).await
}

pub(crate) async fn group(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(wish): Sent<Grouping>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Edit)?;
    let group = GroupId::new(&wish.group);
    if app.hub.sight(&caller).group_level(&group) < Level::Own {
        return Err(WebError::NotFound("group").into());
    }
    let own = vec![device.names.id.clone()];
    let (add, remove) = if wish.leave.is_empty() { (own, Vec::new()) } else { (Vec::new(), own) };
    let edited = app.hub.edit_group(&group, GroupEdit { name: None, add, remove }, &caller.by()).await;
    end(&app, &caller, &id, "group", edited.map(|_| "grouped").map_err(WebError::from)).await
}

pub(crate) async fn share(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(wish): Sent<Sharing>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let level = if wish.level == "editor" { Share::Editor } else { Share::Viewer };
    let shared = api::access::share_with(&app, &caller, &device, wish.user.trim(), level).await;
    end(&app, &caller, &id, "share", shared.map(|()| "shared")).await
}

pub(crate) async fn unshare(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(wish): Sent<Sharing>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let user = app.hub.find_user(&wish.user).await?;
    app.hub.share_device(&device.names.id, &user, None, &caller.by()).await?;
    Ok(back(&id, "unshared"))
}

pub(crate) async fn transfer(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(Text { text }): Sent<Text>,
) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    let to = Some(text.trim()).filter(|text| !text.is_empty());
    if let Err(error) = api::access::give_to(&app, &caller, &device, to).await {
        return refuse(&app, &caller, &id, "transfer", &error).await;
    }
    // Whoever gives a device away may see it no longer.
    let sees = app.hub.sight(&caller).sees(&device.names.id);
    Ok(if sees { back(&id, "given") } else { Redirect::to("/").into_response() })
}

pub(crate) async fn forget(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::Own)?;
    app.hub.forget(&device.names.id).await?;
    tracing::info!(device = %device.names.address, by = %caller.by(), "the device is forgotten");
    Ok(Redirect::to("/").into_response())
}

async fn end(
    app: &App,
    caller: &Caller,
    id: &str,
    form: &'static str,
    done: Result<&'static str, WebError>,
) -> Page {
    match done {
        Ok(word) => Ok(back(id, word)),
        Err(error) => refuse(app, caller, id, form, &error).await,
    }
}

/// Back to the page, which says what was done.
pub(super) fn back(id: &str, word: &str) -> axum::response::Response {
    Redirect::to(&format!("/devices/{id}/settings?done={word}")).into_response()
}
