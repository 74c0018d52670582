//! Tswarm nodes: logins, decisions about nodes, holding them awake, and calls that were turned away.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::family::{Added, Decision, HoldNote, NewNode, NodeNote, Swarm};
use crate::web::App;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// Which nodes are to stay awake, and how long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// All of them.
    #[serde(default)]
    all: bool,
    /// These.
    #[serde(default)]
    nodes: Vec<String>,
    /// Seconds.
    for_s: u64,
}

pub(crate) async fn nodes(State(app): State<App>) -> Answer<Listed<NodeNote>> {
    Ok(Json(Listed::whole(swarm(&app)?.nodes(&app.hub).await?)))
}

/// Makes a login; its secret is in this answer and nowhere else.
pub(crate) async fn add(
    State(app): State<App>,
    By(caller): By,
    Body(wish): Body<NewNode>,
) -> Result<(StatusCode, Json<Added>), WebError> {
    let added = swarm(&app)?.add(&app.hub, &wish, &caller.by()).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

pub(crate) async fn enable(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &node, Decision::Enable, &caller.by()).await
}

pub(crate) async fn disable(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &node, Decision::Disable, &caller.by()).await
}

pub(crate) async fn revoke(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &node, Decision::Revoke, &caller.by()).await
}

pub(crate) async fn holds(State(app): State<App>) -> Answer<Listed<HoldNote>> {
    Ok(Json(Listed::whole(swarm(&app)?.holds(&app.hub).await?)))
}

pub(crate) async fn hold(
    State(app): State<App>,
    By(caller): By,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<HoldNote>), WebError> {
    if wish.all != wish.nodes.is_empty() {
        return Err(WebError::field("nodes", "name the nodes, or say `\"all\": true`: one of the two"));
    }
    let lasts = Duration::from_secs(wish.for_s);
    let hold = swarm(&app)?.hold(&app.hub, &wish.nodes, lasts, &caller.by()).await?;
    Ok((StatusCode::CREATED, Json(hold)))
}

pub(crate) async fn release(State(app): State<App>, Name(id): Name) -> Answer<HoldNote> {
    Ok(Json(swarm(&app)?.release(&app.hub, &id).await?))
}

pub(crate) async fn rejected(State(app): State<App>, params: Params) -> Answer<Listed<serde_json::Value>> {
    let limit = params.limit()?;
    Ok(Json(Listed::whole(swarm(&app)?.rejected(&app.hub, limit).await?)))
}

async fn decide(app: &App, node: &str, decision: Decision, by: &str) -> Answer<NodeNote> {
    Ok(Json(swarm(app)?.decide(&app.hub, node, decision, by).await?))
}

/// The dialect that has such nodes.
fn swarm(app: &App) -> Result<&dyn Swarm, WebError> {
    app.families.iter().find_map(|family| family.swarm()).ok_or(WebError::NotFound("family"))
}
