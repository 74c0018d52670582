//! Commands to start from, editable by the owner.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Answer;
use crate::family::{Family, Template, templates};
use crate::model::FamilyName;
use crate::web::App;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Params};

/// A template in a list.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TemplateItem)]
pub(crate) struct Item {
    family: FamilyName,
    /// What people call it.
    name: String,
    /// The verb.
    cmd: String,
    /// The payload, as text.
    payload: String,
    /// Whether it stands in the owner's list, not in the settings.
    own: bool,
}

/// A whole list in place of the one before; `items` null goes back to that of the settings.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TemplatesPut)]
pub(crate) struct Put {
    family: Option<FamilyName>,
    items: Option<Vec<Written>>,
}

/// A template as it is written; the payload may be JSON or the text of it.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TemplateWritten)]
struct Written {
    name: String,
    cmd: String,
    #[schema(value_type = serde_json::Value)]
    payload: Box<serde_json::value::RawValue>,
}

/// Commands to start from.
#[utoipa::path(get, path = "/api/v1/templates",
    params(("family" = Option<String>, Query, description = "of this dialect")), responses((status = 200, body = Listed<Item>)))]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<Item>> {
    let wanted = params.text("family").map(FamilyName::new);
    let mut items = Vec::new();
    for name in app.family_names().into_iter().filter(|name| wanted.as_ref().is_none_or(|want| want == name))
    {
        items.extend(of(&app, &name).await?);
    }
    Ok(Json(Listed::whole(items)))
}

/// Replaces the list of commands to start from.
#[utoipa::path(put, path = "/api/v1/templates",
    request_body = Put,
    responses((status = 200, body = Listed<Item>), refused::Conflict))]
pub(crate) async fn put(State(app): State<App>, Body(put): Body<Put>) -> Answer<Listed<Item>> {
    let names = app.family_names();
    let name = match (put.family, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only.clone(),
        (None, _) => return Err(WebError::field("family", "family is missing: whose commands are these?")),
    };
    let family = known(&app, &name)?;
    let items = put.items.map(|items| items.into_iter().map(Written::template).collect());
    templates::keep(&app.hub, family, items).await?;
    Ok(Json(Listed::whole(of(&app, &name).await?)))
}

impl Written {
    fn template(self) -> Template {
        // A text holds the JSON; anything else is the JSON.
        let payload = match serde_json::from_str(self.payload.get()) {
            Ok(Value::String(text)) => text,
            Ok(_) | Err(_) => self.payload.get().to_owned(),
        };
        Template { name: self.name, cmd: self.cmd, payload }
    }
}

async fn of(app: &App, name: &FamilyName) -> Result<Vec<Item>, WebError> {
    let (items, own) = templates::list(&app.hub, known(app, name)?).await?;
    let item = |template: Template| Item {
        family: name.clone(),
        name: template.name,
        cmd: template.cmd,
        payload: template.payload,
        own,
    };
    Ok(items.into_iter().map(item).collect())
}

fn known<'a>(app: &'a App, name: &FamilyName) -> Result<&'a dyn Family, WebError> {
    let names = || app.family_names().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let family = app.family(name).map(AsRef::as_ref);
    family.ok_or_else(|| WebError::field("family", format!("family is one of {}", names())))
}
