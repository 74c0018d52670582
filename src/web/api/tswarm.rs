//! Tswarm nodes: logins, decisions about nodes, holding them awake, and calls that were turned away.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Answer;
use crate::core::{Caller, Level, Sight};
use crate::family::{Added, Decision, HoldNote, NewNode, NodeNote, Swarm};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, Params};

/// Which nodes are to stay awake, and how long.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = HoldWish)]
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

/// The nodes.
#[utoipa::path(get, path = "/api/v1/tswarm/nodes",
    responses((status = 200, body = Listed<NodeNote>)))]
pub(crate) async fn nodes(State(app): State<App>, By(caller): By) -> Answer<Listed<NodeNote>> {
    let sight = app.hub.sight(&caller);
    let mut nodes = swarm(&app)?.nodes(&app.hub).await?;
    nodes.retain(|node| sight.sees_of(node.id.as_ref()));
    Ok(Json(Listed::whole(nodes)))
}

/// Makes a login; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tswarm/nodes",
    request_body = NewNode,
    responses((status = 201, body = Added), refused::NotFound, refused::Conflict))]
pub(crate) async fn add(
    State(app): State<App>,
    By(caller): By,
    Body(wish): Body<NewNode>,
) -> Result<(StatusCode, Json<Added>), WebError> {
    let login = wish.login.iter().chain(&wish.node).next();
    let named: Vec<_> = wish.node.iter().chain(&wish.also).map(|name| name.trim()).collect();
    for other in others_notes(&app, &app.hub.sight(&caller), Level::Own).await? {
        let is_named = named.iter().any(|name| name.eq_ignore_ascii_case(&other.node));
        let has_login = login.is_some_and(|name| other.logins.iter().any(|login| login == name.trim()));
        if is_named || has_login {
            return Err(WebError::NotFound("node"));
        }
    }
    let added = swarm(&app)?.add(&app.hub, &wish, &caller.by()).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Lets a node's uploads count again.
#[utoipa::path(post, path = "/api/v1/tswarm/nodes/{node}/enable",
    responses((status = 200, body = NodeNote), refused::Conflict))]
pub(crate) async fn enable(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &caller, &node, Decision::Enable).await
}

/// Answers a node as if all were well, and stores nothing of it.
#[utoipa::path(post, path = "/api/v1/tswarm/nodes/{node}/disable",
    responses((status = 200, body = NodeNote), refused::Conflict))]
pub(crate) async fn disable(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &caller, &node, Decision::Disable).await
}

/// Makes a node a stranger whose login counts no longer.
#[utoipa::path(post, path = "/api/v1/tswarm/nodes/{node}/revoke",
    responses((status = 200, body = NodeNote), refused::Conflict))]
pub(crate) async fn revoke(State(app): State<App>, Name(node): Name, By(caller): By) -> Answer<NodeNote> {
    decide(&app, &caller, &node, Decision::Revoke).await
}

/// Which nodes are held awake.
#[utoipa::path(get, path = "/api/v1/tswarm/holds",
    responses((status = 200, body = Listed<HoldNote>)))]
pub(crate) async fn holds(State(app): State<App>, By(caller): By) -> Answer<Listed<HoldNote>> {
    let others = others(&app, &app.hub.sight(&caller), Level::View).await?;
    let mut holds = swarm(&app)?.holds(&app.hub).await?;
    holds.retain(|hold| !concerns(hold, &others));
    Ok(Json(Listed::whole(holds)))
}

/// Holds nodes awake.
#[utoipa::path(post, path = "/api/v1/tswarm/holds",
    request_body(content = Wish, example = json!({"all": true, "for_s": 600})),
    responses((status = 201, body = HoldNote), refused::NotFound, refused::Conflict))]
pub(crate) async fn hold(
    State(app): State<App>,
    By(caller): By,
    Body(mut wish): Body<Wish>,
) -> Result<(StatusCode, Json<HoldNote>), WebError> {
    if wish.all != wish.nodes.is_empty() {
        return Err(WebError::field("nodes", "name the nodes, or say `\"all\": true`: one of the two"));
    }
    let lasts = Duration::from_secs(wish.for_s);
    let others = others(&app, &app.hub.sight(&caller), Level::Edit).await?;
    let is_others = |node: &str| others.iter().any(|other| other.eq_ignore_ascii_case(node));
    if wish.nodes.iter().any(|node| is_others(node)) {
        return Err(WebError::NotFound("node"));
    }
    if wish.all && !others.is_empty() {
        // All that the caller may do so with.
        let nodes = swarm(&app)?.nodes(&app.hub).await?.into_iter().map(|node| node.node);
        wish.nodes = nodes.filter(|node| !is_others(node)).collect();
        if wish.nodes.is_empty() {
            return Err(WebError::NotFound("node"));
        }
    }
    let hold = swarm(&app)?.hold(&app.hub, &wish.nodes, lasts, &caller.by()).await?;
    Ok((StatusCode::CREATED, Json(hold)))
}

/// Lets nodes sleep again.
#[utoipa::path(delete, path = "/api/v1/tswarm/holds/{id}",
    responses((status = 200, body = HoldNote)))]
pub(crate) async fn release(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<HoldNote> {
    let others = others(&app, &app.hub.sight(&caller), Level::Edit).await?;
    let holds = swarm(&app)?.holds(&app.hub).await?;
    if holds.iter().any(|hold| hold.id == id && concerns(hold, &others)) {
        return Err(WebError::NotFound("hold"));
    }
    Ok(Json(swarm(&app)?.release(&app.hub, &id).await?))
}

/// Whether a hold names a node of these. One for all is everybody's.
fn concerns(hold: &HoldNote, others: &[String]) -> bool {
    hold.nodes.iter().any(|node| others.iter().any(|other| other.eq_ignore_ascii_case(node)))
}

/// Calls that were turned away, the last ones first.
#[utoipa::path(get, path = "/api/v1/tswarm/rejected",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 1000)), responses((status = 200, body = Listed<serde_json::Value>)))]
pub(crate) async fn rejected(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<serde_json::Value>> {
    let limit = params.limit()?;
    let others = others(&app, &app.hub.sight(&caller), Level::View).await?;
    let is_others = |call: &serde_json::Value| {
        let node = call.get("node").and_then(serde_json::Value::as_str).unwrap_or_default();
        others.iter().any(|other| other.eq_ignore_ascii_case(node))
    };
    let mut calls = swarm(&app)?.rejected(&app.hub, limit).await?;
    calls.retain(|call| !is_others(call));
    Ok(Json(Listed::whole(calls)))
}

async fn decide(app: &App, caller: &Caller, node: &str, decision: Decision) -> Answer<NodeNote> {
    let swarm = swarm(app)?;
    let others = others(app, &app.hub.sight(caller), Level::Own).await?;
    if others.iter().any(|other| other.eq_ignore_ascii_case(node)) {
        return Err(WebError::NotFound("node"));
    }
    Ok(Json(swarm.decide(&app.hub, node, decision, &caller.by()).await?))
}

/// Names of nodes with which a caller may not do so much: they are others'.
async fn others(app: &App, sight: &Sight, need: Level) -> Result<Vec<String>, WebError> {
    Ok(others_notes(app, sight, need).await?.into_iter().map(|node| node.node).collect())
}

async fn others_notes(app: &App, sight: &Sight, need: Level) -> Result<Vec<NodeNote>, WebError> {
    if sight.whole() {
        return Ok(Vec::new());
    }
    let mut nodes = swarm(app)?.nodes(&app.hub).await?;
    nodes.retain(|node| node.id.as_ref().is_some_and(|id| sight.level(id) < need));
    Ok(nodes)
}

/// The dialect that has such nodes.
fn swarm(app: &App) -> Result<&dyn Swarm, WebError> {
    app.families.iter().find_map(|family| family.swarm()).ok_or(WebError::NotFound("family"))
}
