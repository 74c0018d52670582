//! Webhooks, and what became of messages about alerts.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::alert::{Address, read_roots};
use crate::core::{Caller, Delivered, Delivery, DeliveryState, Try, Webhook};
use crate::model::{Role, Rule, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Given, Listed, Name, Params, given};

/// A webhook as it is written. What is left out stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookEdit {
    /// What people call it: 1 to 64 characters.
    pub(crate) name: Option<String>,
    /// Where it is: `http://` or `https://`.
    pub(crate) url: Option<String>,
    /// Roots that vouch for it in place of the usual ones, PEM; `null` is the usual ones.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) ca: Given<String>,
    /// Whether it is told.
    pub(crate) enabled: Option<bool>,
}

/// A webhook; never its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookShape {
    id: String,
    name: String,
    /// Told to administrators: receivers put secrets into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What a rule's `channels` calls it.
    channel: String,
    /// Whether it has roots of its own.
    ca: bool,
    enabled: bool,
    by: String,
    changed: Timestamp,
}

/// A webhook with its secret, told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookMade {
    #[serde(flatten)]
    about: WebhookShape,
    /// What each message to it is signed with.
    secret: String,
}

/// A message, and what became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryShape {
    id: String,
    channel: String,
    alert: Option<String>,
    /// `firing`, `reminder`, `resolved` or `test`.
    event: String,
    text: String,
    state: DeliveryState,
    made: Timestamp,
    attempts: u32,
    /// When it is tried next.
    due: Option<Timestamp>,
    /// What the newest tries brought, the first first.
    tries: Vec<Try>,
}

/// Webhooks, without their secrets.
#[utoipa::path(get, path = "/api/v1/webhooks", responses((status = 200, body = Listed<WebhookShape>)))]
pub(crate) async fn list(State(app): State<App>, By(caller): By) -> Answer<Listed<WebhookShape>> {
    let hooks = app.hub.webhooks().await?;
    Ok(Json(Listed::whole(hooks.into_iter().map(|hook| shape(hook, caller.role)).collect())))
}

/// One webhook, without its secret.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", responses((status = 200, body = WebhookShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<WebhookShape> {
    Ok(Json(shape(known(&app, &id).await?, caller.role)))
}

/// Makes a webhook; its secret is told here and never again.
#[utoipa::path(post, path = "/api/v1/webhooks", request_body = WebhookEdit,
    responses((status = 201, body = WebhookMade), refused::Conflict))]
pub(crate) async fn create(
    State(app): State<App>,
    By(caller): By,
    Body(edit): Body<WebhookEdit>,
) -> Result<(StatusCode, Json<WebhookMade>), WebError> {
    let hook = make(&app, &caller, edit).await?;
    let secret = hook.secret.clone();
    Ok((StatusCode::CREATED, Json(WebhookMade { about: shape(hook, caller.role), secret })))
}

/// Makes a webhook.
pub(crate) async fn make(app: &App, caller: &Caller, edit: WebhookEdit) -> Result<Webhook, WebError> {
    if edit.url.is_none() {
        return Err(WebError::field("url", "url is missing"));
    }
    let fresh = Webhook {
        id: Rule::fresh_id(),
        name: "webhook".to_owned(),
        url: String::new(),
        secret: app.hub.webhook_secret()?.expose_secret().to_owned(),
        ca: None,
        enabled: true,
        by: caller.by(),
        changed: app.hub.now(),
    };
    Ok(app.hub.webhook_keep(edit.over(fresh)?).await?)
}

/// Changes a webhook.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", request_body = WebhookEdit,
    responses((status = 200, body = WebhookShape), refused::Conflict))]
pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(edit): Body<WebhookEdit>,
) -> Answer<WebhookShape> {
    Ok(Json(shape(change(&app, &id, edit).await?, caller.role)))
}

/// Changes a webhook.
pub(crate) async fn change(app: &App, id: &str, edit: WebhookEdit) -> Result<Webhook, WebError> {
    let before = known(app, id).await?;
    Ok(app.hub.webhook_keep(edit.over(before)?).await?)
}

/// Removes a webhook that no rule names.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", responses((status = 204), refused::Conflict))]
pub(crate) async fn remove(State(app): State<App>, Name(id): Name) -> Result<StatusCode, WebError> {
    take_away(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a webhook that no rule names.
pub(crate) async fn take_away(app: &App, id: &str) -> Result<(), WebError> {
    let hook = known(app, id).await?;
    let channel = channel(&hook.id);
    if let Some(rule) = app.hub.rules().await?.into_iter().find(|rule| rule.channels.contains(&channel)) {
        let message = format!("the rule {} tells it: take it out there first", rule.name);
        return Err(crate::core::HubError::conflict("", message).into());
    }
    Ok(app.hub.forget_kept::<Webhook>(&hook.id).await?)
}

/// Gives a webhook another secret, told here and never again.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", responses((status = 200, body = WebhookMade)))]
pub(crate) async fn rotate(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<WebhookMade> {
    let hook = renew(&app, &id).await?;
    let secret = hook.secret.clone();
    Ok(Json(WebhookMade { about: shape(hook, caller.role), secret }))
}

/// Gives a webhook another secret.
pub(crate) async fn renew(app: &App, id: &str) -> Result<Webhook, WebError> {
    let secret = app.hub.webhook_secret()?.expose_secret().to_owned();
    Ok(app.hub.webhook_keep(Webhook { secret, ..known(app, id).await? }).await?)
}

/// Sends a test to a webhook and says what the receiver answered.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", responses((status = 200, body = DeliveryShape)))]
pub(crate) async fn test(State(app): State<App>, Name(id): Name) -> Answer<DeliveryShape> {
    let hook = known(&app, &id).await?;
    Ok(Json(try_out(&app, &channel(&hook.id)).await?.into()))
}

/// Sends a test over a channel; what became of it is in the delivery.
pub(crate) async fn try_out(app: &App, channel: &str) -> Result<Delivery, WebError> {
    let post = app.post.as_ref().ok_or(WebError::NotFound("delivery"))?;
    Ok(Box::pin(post.test(channel)).await?)
}

/// What was sent to receivers and what became of it, the newest first.
#[utoipa::path(get, path = "/api/v1/deliveries",
    params(
        ("state" = Option<DeliveryState>, Query, description = "what became of them"),
        ("channel" = Option<String>, Query, description = "to whom: webhook:ID or mail:ADDRESS"),
        ("alert" = Option<String>, Query, description = "about which alert"),
    ),
    responses((status = 200, body = Listed<DeliveryShape>)))]
pub(crate) async fn deliveries(State(app): State<App>, params: Params) -> Answer<Listed<DeliveryShape>> {
    let state = params.word("state", DeliveryState::parse, "waiting, delivered, dead")?;
    let (channel, alert) = (params.text("channel"), params.text("alert"));
    let wanted = |one: &Delivery| {
        state.is_none_or(|state| one.state == state)
            && channel.is_none_or(|channel| one.channel == channel)
            && alert.is_none_or(|alert| one.alert.as_deref() == Some(alert))
    };
    let found = all_deliveries(&app, wanted, LISTED_MAX).await?;
    Ok(Json(Listed::whole(found.into_iter().map(DeliveryShape::from).collect())))
}

/// Deliveries that are wanted, the newest first.
pub(crate) async fn all_deliveries(
    app: &App,
    wanted: impl Fn(&Delivery) -> bool,
    most: usize,
) -> Result<Vec<Delivery>, WebError> {
    // One may come back between the two readings: then what became of it counts.
    let mut all = HashMap::new();
    app.hub.kept_each(|one: Delivery| drop(all.insert(one.id.clone(), one))).await?;
    app.hub.kept_each(|Delivered(one)| drop(all.insert(one.id.clone(), one))).await?;
    let mut found: Vec<_> = all.into_values().filter(wanted).collect();
    found.sort_by(|one, other| (other.made, other.nth, &other.id).cmp(&(one.made, one.nth, &one.id)));
    found.truncate(most);
    Ok(found)
}

/// One delivery, with each try.
#[utoipa::path(get, path = "/api/v1/deliveries/{id}", responses((status = 200, body = DeliveryShape)))]
pub(crate) async fn delivery(State(app): State<App>, Name(id): Name) -> Answer<DeliveryShape> {
    let found = app.hub.delivery(&id).await?.ok_or(WebError::NotFound("delivery"))?;
    Ok(Json(found.into()))
}

/// Sends a delivery again that was given up.
#[utoipa::path(post, path = "/api/v1/deliveries/{id}/retry",
    responses((status = 200, body = DeliveryShape), refused::Conflict))]
pub(crate) async fn retry(State(app): State<App>, Name(id): Name) -> Answer<DeliveryShape> {
    Ok(Json(app.hub.delivery_again(&id).await?.into()))
}

pub(crate) async fn known(app: &App, id: &str) -> Result<Webhook, WebError> {
    app.hub.kept::<Webhook>(id).await?.ok_or(WebError::NotFound("webhook"))
}

pub(crate) fn channel(id: &str) -> String {
    format!("webhook:{id}")
}

fn shape(hook: Webhook, role: Role) -> WebhookShape {
    WebhookShape {
        channel: channel(&hook.id),
        id: hook.id,
        name: hook.name,
        url: (role == Role::Admin).then_some(hook.url),
        ca: hook.ca.is_some(),
        enabled: hook.enabled,
        by: hook.by,
        changed: hook.changed,
    }
}

impl WebhookEdit {
    fn over(self, mut hook: Webhook) -> Result<Webhook, WebError> {
        if let Some(name) = self.name {
            let name = name.trim();
            if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
                return Err(WebError::field(
                    "name",
                    "a name has 1 to 64 characters, none a control character",
                ));
            }
            name.clone_into(&mut hook.name);
        }
        if let Some(url) = self.url {
            Address::parse(&url).map_err(|message| WebError::field("url", message))?;
            url.trim().clone_into(&mut hook.url);
        }
        if let Some(ca) = self.ca {
            if let Some(pem) = &ca {
                read_roots(pem.as_bytes()).map_err(|message| WebError::field("ca", message))?;
            }
            hook.ca = ca;
        }
        hook.enabled = self.enabled.unwrap_or(hook.enabled);
        Ok(hook)
    }
}

impl From<Delivery> for DeliveryShape {
    fn from(one: Delivery) -> Self {
        Self {
            due: (one.state == DeliveryState::Waiting).then_some(one.due),
            id: one.id,
            channel: one.channel,
            alert: one.alert,
            event: one.event,
            text: one.text,
            state: one.state,
            made: one.made,
            attempts: one.attempts,
            tries: one.tries,
        }
    }
}

/// Deliveries that are listed, the newest.
const LISTED_MAX: usize = 1000;
