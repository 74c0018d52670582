//! Whose a device is, and with whom it is shared.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Answer, device_for};
use crate::core::{Caller, How, Level, Person, Share};
use crate::model::{Device, GroupId, User};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Name};

/// Who may do what with a device.
#[derive(Serialize, ToSchema)]
#[schema(as = Access)]
pub(crate) struct AccessShape {
    /// `null` is the house.
    owner: Option<Person>,
    /// What the caller may do: `view`, `edit`, `own`, or `nothing` (after giving it away).
    access: Level,
    /// With whom it is shared; only for whom it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<Vec<ShareShape>>,
    /// The groups by which it is shared beside; only for whom it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupName>>,
}

/// One share.
#[derive(Serialize, ToSchema)]
#[schema(as = Shared)]
pub(crate) struct ShareShape {
    pub(crate) user: Person,
    pub(crate) level: Share,
}

#[derive(Serialize, ToSchema)]
struct GroupName {
    id: GroupId,
    name: String,
}

/// What it is shared for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Grant {
    #[schema(value_type = Share, required)]
    pub(crate) level: Option<Share>,
}

/// To whom it goes; `null` is the house.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Give {
    #[serde(default)]
    #[schema(value_type = Option<String>, required)]
    to: Whose,
}

/// Whose something is to be: a member that is `null` is another than one that is missing.
#[derive(Debug, Default)]
pub(crate) enum Whose {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// `null`.
    House,
    /// A user's, by name or id.
    User(String),
}

impl<'de> Deserialize<'de> for Whose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map_or(Self::House, Self::User))
    }
}

/// Whose a device is, and with whom it is shared.
#[utoipa::path(get, path = "/api/v1/devices/{id}/access",
    responses((status = 200, body = AccessShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<AccessShape> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    Ok(Json(shape(&app, &caller, &device)))
}

/// Shares a device with a user (name or id), or changes what it is shared for.
#[utoipa::path(put, path = "/api/v1/devices/{id}/shares/{user}",
    request_body = Grant,
    responses((status = 200, body = AccessShape), refused::Conflict))]
pub(crate) async fn share(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    By(caller): By,
    Body(grant): Body<Grant>,
) -> Answer<AccessShape> {
    let Path((id, user)) = path.map_err(|_| WebError::NotFound("page"))?;
    let device = device_for(&app, &caller, &id, Level::Own)?;
    let level = grant.level.ok_or_else(|| WebError::field("level", "level is viewer or editor"))?;
    share_with(&app, &caller, &device, &user, level).await?;
    Ok(Json(shape(&app, &caller, &device)))
}

/// Shares a device of the caller's own with a user.
pub(crate) async fn share_with(
    app: &App,
    caller: &Caller,
    device: &Device,
    user: &str,
    level: Share,
) -> Result<(), WebError> {
    let user = app.hub.find_user(user).await?;
    if app.hub.owner(&device.names.id).is_some_and(|owner| owner.id == user.id) {
        return Err(WebError::field("user", "the device is this user's own"));
    }
    app.hub.share_device(&device.names.id, &user, Some(level), &caller.by()).await?;
    Ok(())
}

/// Ends a share. Whoever a device is shared with may do so too.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/shares/{user}",
    responses((status = 204, description = "it is shared no longer")))]
pub(crate) async fn unshare(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let Path((id, user)) = path.map_err(|_| WebError::NotFound("page"))?;
    let need = if is_caller(&caller, &user) { Level::View } else { Level::Own };
    let device = device_for(&app, &caller, &id, need)?;
    let user = app.hub.find_user(&user).await?;
    if !app.hub.share_device(&device.names.id, &user, None, &caller.by()).await? {
        return Err(WebError::NotFound("share"));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a device to another user, or to the house. Its shares end.
#[utoipa::path(post, path = "/api/v1/devices/{id}/transfer",
    request_body = Give,
    responses((status = 200, body = AccessShape), refused::NameTaken))]
pub(crate) async fn give(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(give): Body<Give>,
) -> Answer<AccessShape> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    let to = match give.to {
        Whose::Unsaid => return Err(WebError::field("to", "to is missing: a user, or null for the house")),
        Whose::House => None,
        Whose::User(text) => Some(text),
    };
    give_to(&app, &caller, &device, to.as_deref()).await?;
    Ok(Json(shape(&app, &caller, &device)))
}

/// Gives a device of the caller's own to another user, or to the house.
pub(crate) async fn give_to(
    app: &App,
    caller: &Caller,
    device: &Device,
    to: Option<&str>,
) -> Result<(), WebError> {
    let to = match to {
        Some(text) => Some(app.hub.find_user(text).await?),
        None => None,
    };
    app.hub.give_device(&device.names.id, to.as_ref(), &caller.by()).await?;
    tracing::info!(device = %device.names.address, by = %caller.by(), to = to.as_ref().map_or("the house", |to| &to.name),
        "the device has another owner");
    Ok(())
}

fn shape(app: &App, caller: &Caller, device: &Device) -> AccessShape {
    let level = app.hub.sight(caller).level(&device.names.id);
    let access = app.hub.access(&device.names.id);
    let own = level >= Level::Own;
    let shares = access.shares.into_iter().map(|(user, level)| ShareShape { user, level });
    let groups = access.groups.into_iter().map(|(id, name)| GroupName { id, name });
    AccessShape {
        owner: access.owner,
        access: level,
        shares: own.then(|| shares.collect()),
        groups: own.then(|| groups.collect()),
    }
}

/// Whether a text names who calls.
pub(crate) fn is_caller(caller: &Caller, text: &str) -> bool {
    caller.user.id.as_str() == text || caller.user.name.eq_ignore_ascii_case(text)
}

/// Whose something is to be that a person makes: what was `said`, else the maker's; what is made at the control socket is
/// the house's.
pub(crate) async fn owner_of_new(app: &App, caller: &Caller, said: Whose) -> Result<Option<User>, WebError> {
    if caller.devices.is_some() {
        return Err(WebError::TokenScope);
    }
    let person = match caller.how {
        How::Local => None,
        How::Session { .. } | How::Token { .. } => Some(&caller.user),
    };
    match said {
        Whose::Unsaid => Ok(person.cloned()),
        Whose::House if app.hub.sight(caller).house() => Ok(None),
        Whose::House => Err(WebError::House),
        Whose::User(text) if person.is_some() && is_caller(caller, &text) => Ok(person.cloned()),
        Whose::User(text) if app.hub.sight(caller).whole() => Ok(Some(app.hub.find_user(&text).await?)),
        Whose::User(_) => Err(WebError::field("owner", "owner is you, or null for the house")),
    }
}
