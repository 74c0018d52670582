//! The registry.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::{Whose, owner_of_new};
use super::enrolment::{self, Base};
use super::groups::narrowed;
use super::{Answer, device_for, secrets};
use crate::core::{Caller, DeviceFilter, Level};
use crate::family::{Enrolment, Facts};
use crate::model::{DeviceId, DeviceState, FamilyName};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::deed::Noting;
use crate::web::describe::params::Paged;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};
use crate::web::shape::DeviceShape;

/// A device made by hand. Of a family that gives tokens, it needs a name; of others, an address.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = DeviceMake)]
pub(crate) struct Make {
    family: Option<FamilyName>,
    address: Option<String>,
    name: Option<String>,
    /// Of a family that gives tokens: `null` makes it the house's; else it is its maker's.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner: Whose,
    /// What the device's dialect shall know of it, such as `type` and `config`.
    #[serde(flatten)]
    #[schema(ignore)]
    wishes: Facts,
}

/// A device changed by hand.
#[derive(Deserialize, ToSchema)]
#[schema(as = DeviceEdit)]
pub(crate) struct Edit {
    name: Option<String>,
    /// All its tags, in place of those that it has.
    tags: Option<Vec<String>>,
    /// What the device's dialect shall see to, such as `wanted_port`.
    #[serde(flatten)]
    #[schema(ignore)]
    wishes: Facts,
}

/// The device that was made; of a dialect that gives tokens, with its token.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the two answers of one call")]
pub(crate) enum CreatedDevice {
    WithToken(Box<enrolment::Made>),
    Plain(Box<DeviceShape>),
}

/// What a query asks of the registry, with one device more than fits the page.
pub(crate) fn filter(params: &Params) -> Result<(DeviceFilter, u32), WebError> {
    let limit = params.limit()?;
    let filter = DeviceFilter {
        q: params.text("q").map(str::to_owned),
        family: params.text("family").map(FamilyName::new),
        state: params.word("state", DeviceState::parse, "active, held, blocked")?,
        after: params.cursor::<(String, DeviceId)>()?,
        limit: limit + 1,
    };
    Ok((filter, limit))
}

/// Devices, by name.
#[utoipa::path(get, path = "/api/v1/devices",
    params(
        ("q" = Option<String>, Query, description = "a part of the name, the address or the id"),
        ("family" = Option<String>, Query, description = "the dialect", example = "cwm"),
        ("state" = Option<DeviceState>, Query, description = "whether they are let in"),
        ("tag" = Option<String>, Query, description = "with this tag; several times: with each of them"),
        ("group" = Option<String>, Query, description = "in this group, by its id or name"),
        Paged,
    ),
    responses((status = 200, body = Listed<DeviceShape>)))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<DeviceShape>> {
    let sight = app.hub.sight(&caller);
    let (filter, limit) = filter(&params)?;
    let devices = app.hub.devices_seen(&sight, filter, narrowed(&app, &caller, &params)?).await?;
    Ok(Json(Listed::page(
        devices,
        limit,
        |device| (device.names.name.clone(), device.names.id.clone()),
        |device| DeviceShape::new(&app.hub, &sight, device),
    )))
}

/// Makes a device.
#[utoipa::path(post, path = "/api/v1/devices",
    request_body = Make,
    responses(
        (status = 201, body = CreatedDevice),
        refused::NameTaken, refused::Conflict, refused::NotFound, refused::HouseOnly, refused::TokenScope
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    Base(base): Base,
    By(caller): By,
    noting: Noting,
    Body(make): Body<Make>,
) -> Result<Response, WebError> {
    let family = match (make.family, &make.address) {
        (Some(family), _) => family,
        (None, Some(_)) => return Err(WebError::field("family", "family is missing")),
        (None, None) => FamilyName::new(TOKEN_FAMILY),
    };
    if app.family(&family).is_some_and(|dialect| dialect.has_tokens()) {
        let name = make.name.ok_or_else(|| WebError::field("name", "name is missing"))?;
        noting.target(&name);
        let owner = owner_of_new(&app, &caller, make.owner).await?;
        let wanted = Enrolment { name, address: make.address, owner, by: caller.by(), wishes: make.wishes };
        let told = enrolment::make(&app, &family, &caller, &wanted, base.as_deref()).await?;
        return Ok((StatusCode::CREATED, Json(told)).into_response());
    }
    if matches!(make.owner, Whose::User(_)) {
        return Err(WebError::field(
            "owner",
            "what calls by an address is the house's: give it away when it is made",
        ));
    }
    let address = make.address.ok_or_else(|| WebError::field("address", "address is missing"))?;
    noting.target(&address);
    let device = make_one(&app, &caller, &family, &address, make.name.as_deref()).await?;
    noting.device(&device.names.id);
    Ok((StatusCode::CREATED, Json(DeviceShape::new(&app.hub, &app.hub.sight(&caller), device)))
        .into_response())
}

/// Makes a device of a dialect that this server speaks.
pub(crate) async fn make_one(
    app: &App,
    caller: &Caller,
    family: &FamilyName,
    address: &str,
    name: Option<&str>,
) -> Result<crate::model::Device, WebError> {
    let Some(dialect) = app.family(family) else {
        let names: Vec<_> = app.family_names().iter().map(ToString::to_string).collect();
        return Err(WebError::field("family", format!("family is one of {}", names.join(", "))));
    };
    if dialect.has_tokens() {
        let way = "its token is told once: make it with `homeport devices add`, or POST /api/v1/devices";
        return Err(WebError::field("family", way));
    }
    // What calls by an address is the house's.
    if !app.hub.sight(caller).house() {
        return Err(WebError::House);
    }
    Ok(app.hub.create(family, &dialect.address(address), name).await?)
}

/// One device, with what its dialect knows of it.
#[utoipa::path(get, path = "/api/v1/devices/{id}",
    responses((status = 200, body = DeviceShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<DeviceShape> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let certificate = app.hub.certificate(&device.names.id).await?;
    let (key, issued) = secrets::of(&app, &device).await?;
    let tokens = secrets::tokens(&app, &device);
    let facts = app.facts(&device).await?;
    let shape = DeviceShape::new(&app.hub, &app.hub.sight(&caller), device);
    let shape = shape.with_facts(facts).with_tokens(tokens);
    Ok(Json(shape.with_certificate(certificate).with_secrets(key, issued)))
}

/// Renames a device, or changes what its dialect knows of it.
///
/// The same name again is no change: the answer then says `"unchanged": true`.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", request_body = Edit,
    responses((status = 200, body = DeviceShape), refused::NameTaken, refused::Conflict))]
pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(edit): Body<Edit>,
) -> Answer<serde_json::Value> {
    let before = device_for(&app, &caller, &id, Level::Edit)?;
    let mut granted = 0;
    if let Some(family) = app.family(&before.names.family) {
        for (name, wish) in &edit.wishes {
            // Names that a call does not know are ignored.
            granted += u32::from(family.wish(&app.hub, &before, name, wish).await?);
        }
    }
    if let Some(tags) = &edit.tags {
        granted += u32::from(app.hub.tag_device(&before.names.id, tags).await?);
    }
    let name = edit.name.as_deref().map_or(before.names.name.as_str(), str::trim);
    if edit.name.is_none() && edit.tags.is_none() && granted == 0 {
        return Err(WebError::field("name", "name is missing: it is what can be changed"));
    }
    let unchanged = name == before.names.name && granted == 0;
    let device = if name == before.names.name {
        before.clone()
    } else {
        app.hub.rename(&before.names.id, name).await?
    };
    let facts = app.facts(&device).await?;
    let mut shape =
        serde_json::to_value(DeviceShape::new(&app.hub, &app.hub.sight(&caller), device).with_facts(facts))
            .map_err(|error| WebError::Unreadable(error.to_string()))?;
    if let (true, Some(object)) = (unchanged, shape.as_object_mut()) {
        object.insert("unchanged".to_owned(), true.into());
    }
    Ok(Json(shape))
}

/// Forgets a device with its values and open commands; the ledger stays.
#[utoipa::path(delete, path = "/api/v1/devices/{id}",
    responses((status = 204, description = "it is forgotten"), refused::Conflict))]
pub(crate) async fn forget(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    app.hub.forget(&device.names.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a device in; what was held of it becomes its history.
#[utoipa::path(post, path = "/api/v1/devices/{id}/adopt",
    responses((status = 200, body = DeviceShape), refused::Conflict))]
pub(crate) async fn adopt(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<DeviceShape> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    let device = app.hub.adopt(&device.names.id).await?;
    Ok(Json(DeviceShape::new(&app.hub, &app.hub.sight(&caller), device)))
}

/// Keeps a device out.
#[utoipa::path(post, path = "/api/v1/devices/{id}/block",
    responses((status = 200, body = DeviceShape), refused::Conflict))]
pub(crate) async fn block(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<DeviceShape> {
    let device = device_for(&app, &caller, &id, Level::Own)?;
    let device = app.hub.block(&device.names.id).await?;
    Ok(Json(DeviceShape::new(&app.hub, &app.hub.sight(&caller), device)))
}

/// Of a device that is made with nothing but a name.
const TOKEN_FAMILY: &str = "token";
