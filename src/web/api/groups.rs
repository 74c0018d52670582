//! Groups: sets of devices with a name, which may be shared as a whole.

use std::collections::HashSet;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::access::{Grant, ShareShape, Whose, is_caller, owner_of_new};
use crate::core::{Caller, Group, GroupEdit, Level, Person, Sight};
use crate::model::{DeviceId, DeviceRef, GroupId, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// A group as the caller sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupShape {
    id: GroupId,
    name: String,
    /// `null` is the house.
    owner: Option<Person>,
    /// What the caller may do with it.
    access: Level,
    created: Timestamp,
    /// How many of its devices the caller sees.
    size: usize,
    /// Those devices, by name; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<DeviceRef>>,
    /// With whom it is shared; only for whom it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<Vec<ShareShape>>,
}

/// A group to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewGroup)]
pub(crate) struct Make {
    #[schema(value_type = String, required)]
    name: Option<String>,
    #[serde(default)]
    devices: Vec<String>,
    /// `null` makes it the house's.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner: Whose,
}

/// A change of a group.
#[derive(Deserialize, ToSchema)]
#[schema(as = GroupEdit)]
pub(crate) struct Edit {
    name: Option<String>,
    /// All that is to be in it, of what the caller sees.
    devices: Option<Vec<String>>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// The groups that the caller sees, by name.
#[utoipa::path(get, path = "/api/v1/groups",
    params(Paged), responses((status = 200, body = Listed<GroupShape>)))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<GroupShape>> {
    let sight = app.hub.sight(&caller);
    let limit = params.limit()?;
    let after = params.cursor::<(String, GroupId)>()?;
    let mut groups = sight.groups();
    groups.retain(|group| after.as_ref().is_none_or(|(name, id)| (&group.name, &group.id) > (name, id)));
    groups.truncate(usize::try_from(limit + 1).unwrap_or(usize::MAX));
    let cursor = |group: &Group| (group.name.clone(), group.id.clone());
    Ok(Json(Listed::page(groups, limit, cursor, |group| shape(&app, &sight, &group, false))))
}

/// Makes a group.
#[utoipa::path(post, path = "/api/v1/groups",
    request_body = Make,
    responses((status = 201, body = GroupShape), refused::NameTaken, refused::Conflict, refused::NotFound,
        refused::TokenScope))]
pub(crate) async fn create(
    State(app): State<App>,
    By(caller): By,
    Body(make): Body<Make>,
) -> Result<(StatusCode, Json<GroupShape>), WebError> {
    let name = make.name.ok_or_else(|| WebError::field("name", "name is missing"))?;
    let owner = owner_of_new(&app, &caller, make.owner).await?;
    let sight = app.hub.sight(&caller);
    let devices = seen(&app, &sight, "devices", &make.devices)?;
    let group = app.hub.make_group(&name, owner.as_ref(), devices, &caller.by()).await?;
    Ok((StatusCode::CREATED, Json(shape(&app, &sight, &group, true))))
}

/// One group with its devices.
#[utoipa::path(get, path = "/api/v1/groups/{id}",
    responses((status = 200, body = GroupShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<GroupShape> {
    let sight = app.hub.sight(&caller);
    let group = group_for(&sight, &id, Level::View)?;
    Ok(Json(shape(&app, &sight, &group, true)))
}

/// Changes a group's name and what is in it.
#[utoipa::path(patch, path = "/api/v1/groups/{id}",
    request_body = Edit,
    responses((status = 200, body = GroupShape), refused::NameTaken))]
pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(edit): Body<Edit>,
) -> Answer<GroupShape> {
    let sight = app.hub.sight(&caller);
    // What is put into it is seen by whom it is shared with.
    let group = group_for(&sight, &id, Level::Own)?;
    let mut add = seen(&app, &sight, "add", &edit.add)?;
    let mut remove = seen(&app, &sight, "remove", &edit.remove)?;
    if let Some(devices) = &edit.devices {
        let wanted = seen(&app, &sight, "devices", devices)?;
        // What the caller does not see stays as it is.
        let here = group.devices.iter().filter(|device| sight.sees(device));
        remove.extend(here.filter(|device| !wanted.contains(device)).cloned());
        add.extend(wanted);
    }
    if edit.name.is_none() && edit.devices.is_none() && add.is_empty() && remove.is_empty() {
        return Err(WebError::field("name", "nothing to change: give name, devices, add or remove"));
    }
    let edit = GroupEdit { name: edit.name, add, remove };
    let group = app.hub.edit_group(&group.id, edit, &caller.by()).await?;
    Ok(Json(shape(&app, &sight, &group, true)))
}

/// Removes a group; its devices stay.
#[utoipa::path(delete, path = "/api/v1/groups/{id}",
    responses((status = 204, description = "it is gone")))]
pub(crate) async fn remove(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let group = group_for(&app.hub.sight(&caller), &id, Level::Own)?;
    app.hub.remove_group(&group.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shares a group's devices, those that are its owner's, with a user (name or id).
#[utoipa::path(put, path = "/api/v1/groups/{id}/shares/{user}",
    request_body = Grant,
    responses((status = 200, body = GroupShape), refused::Conflict))]
pub(crate) async fn share(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    By(caller): By,
    Body(grant): Body<Grant>,
) -> Answer<GroupShape> {
    let Path((id, user)) = path.map_err(|_| WebError::NotFound("page"))?;
    let sight = app.hub.sight(&caller);
    let group = group_for(&sight, &id, Level::Own)?;
    let level = grant.level.ok_or_else(|| WebError::field("level", "level is viewer or editor"))?;
    let user = app.hub.find_user(&user).await?;
    if group.owner.as_ref().is_some_and(|owner| owner.id == user.id) {
        return Err(WebError::field("user", "the group is this user's own"));
    }
    app.hub.share_group(&group.id, &user, Some(level), &caller.by()).await?;
    let group = group_for(&sight, &id, Level::Own)?;
    Ok(Json(shape(&app, &sight, &group, true)))
}

/// Ends a share. Whoever a group is shared with may do so too.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/shares/{user}",
    responses((status = 204, description = "it is shared no longer")))]
pub(crate) async fn unshare(
    State(app): State<App>,
    path: Result<Path<(String, String)>, PathRejection>,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let Path((id, user)) = path.map_err(|_| WebError::NotFound("page"))?;
    let need = if is_caller(&caller, &user) { Level::View } else { Level::Own };
    let group = group_for(&app.hub.sight(&caller), &id, need)?;
    let user = app.hub.find_user(&user).await?;
    if !app.hub.share_group(&group.id, &user, None, &caller.by()).await? {
        return Err(WebError::NotFound("share"));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The group with an id, for a caller who may do so much with it. One that the caller does not see is not there.
fn group_for(sight: &Sight, id: &str, need: Level) -> Result<Group, WebError> {
    let missing = || WebError::NotFound("group");
    match sight.group_level(&GroupId::new(id)) {
        Level::Nothing => Err(missing()),
        level if level < need => Err(WebError::Level(need)),
        Level::View | Level::Edit | Level::Own => sight.find_group(id).ok_or_else(missing),
    }
}

/// The devices that the caller sees in the groups and with the tags that a query names, if it names any: in all of them.
pub(crate) fn narrowed(
    app: &App,
    caller: &Caller,
    params: &Params,
) -> Result<Option<HashSet<DeviceId>>, WebError> {
    let mut among: Option<HashSet<DeviceId>> = None;
    let mut narrow = |devices: HashSet<DeviceId>| match &mut among {
        Some(among) => among.retain(|device| devices.contains(device)),
        None => among = Some(devices),
    };
    for tag in params.texts("tag") {
        narrow(app.hub.tagged(tag));
    }
    for text in params.texts("group") {
        let group = app.hub.sight(caller).find_group(text);
        narrow(group.ok_or_else(|| WebError::field("group", "there is no such group"))?.devices);
    }
    Ok(among)
}

/// Devices by id, address or name; each must be one that the caller sees.
fn seen(app: &App, sight: &Sight, field: &str, texts: &[String]) -> Result<Vec<DeviceId>, WebError> {
    let mut devices = Vec::with_capacity(texts.len());
    for text in texts {
        let device = app.hub.find_seen(sight, text);
        let device = device.map_err(|error| WebError::field(field, format!("`{text}`: {error}")))?;
        devices.push(device.names.id);
    }
    Ok(devices)
}

fn shape(app: &App, sight: &Sight, group: &Group, whole: bool) -> GroupShape {
    let seen = group.devices.iter().filter(|device| sight.sees(device));
    let mut devices: Vec<_> = seen.filter_map(|id| app.hub.device(id)).map(|device| device.names).collect();
    devices.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let access = sight.group_level(&group.id);
    let mut shares: Vec<_> =
        group.shares.values().map(|(user, level)| ShareShape { user: user.clone(), level: *level }).collect();
    shares.sort_by(|one, other| one.user.name.cmp(&other.user.name));
    GroupShape {
        id: group.id.clone(),
        name: group.name.clone(),
        owner: group.owner.clone(),
        access,
        created: group.created,
        size: devices.len(),
        devices: whole.then_some(devices),
        shares: (access >= Level::Own).then_some(shares),
    }
}
