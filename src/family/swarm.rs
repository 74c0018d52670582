//! What people do with a swarm of small nodes: logins, decisions about nodes, holding them awake, and what was turned
//! away. The seam between pages and a dialect that has such nodes.

use std::time::Duration;

use serde::Serialize;

use crate::core::{Hub, HubError};
use crate::http::BoxFuture;
use crate::model::{DeviceId, Timestamp};

/// What a dialect with such nodes can do.
pub trait Swarm: Send + Sync {
    /// Every node that is known or has a login, by name.
    fn nodes<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, Result<Vec<NodeNote>, HubError>>;

    /// Makes a login for a node, or for a crowd.
    ///
    /// # Errors
    /// `Invalid` names the member of `wish` at fault, `Conflict` when there is such a login.
    fn add<'a>(
        &'a self,
        hub: &'a Hub,
        wish: &'a NewNode,
        by: &'a str,
    ) -> BoxFuture<'a, Result<Added, HubError>>;

    /// Decides about a node.
    ///
    /// # Errors
    /// `NotFound` when nothing is known of it.
    fn decide<'a>(
        &'a self,
        hub: &'a Hub,
        node: &'a str,
        decision: Decision,
        by: &'a str,
    ) -> BoxFuture<'a, Result<NodeNote, HubError>>;

    /// Every hold that lasts.
    fn holds<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, Result<Vec<HoldNote>, HubError>>;

    /// Holds nodes awake from now on: these, or all when there are none.
    ///
    /// # Errors
    /// `Invalid` when `lasts` is nothing or too long, or a node is unknown.
    fn hold<'a>(
        &'a self,
        hub: &'a Hub,
        nodes: &'a [String],
        lasts: Duration,
        by: &'a str,
    ) -> BoxFuture<'a, Result<HoldNote, HubError>>;

    /// Ends a hold.
    ///
    /// # Errors
    /// `NotFound` when there is none of that id.
    fn release<'a>(&'a self, hub: &'a Hub, id: &'a str) -> BoxFuture<'a, Result<HoldNote, HubError>>;

    /// Calls that were turned away, the last ones first.
    fn rejected<'a>(
        &'a self,
        hub: &'a Hub,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<serde_json::Value>, HubError>>;
}

/// A node that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewNode {
    /// Its name; without one the login is for any node, as far as unknown devices are let in.
    pub node: Option<String>,
    /// What stands before the colon of HTTP Basic; the node's name when left out.
    pub login: Option<String>,
    /// More nodes that share the login.
    pub also: Vec<String>,
    /// A login of that name is given a new secret; the old one counts no longer.
    pub renew: bool,
    /// What the node's URL begins with: `http://192.168.1.10:8080`.
    pub base: Option<String>,
}

/// What was added. The secret is shown this once.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Added {
    /// The login.
    pub login: String,
    /// The nodes that it is for; empty is any.
    pub nodes: Vec<String>,
    /// The secret.
    pub secret: String,
    /// `config.json` of the node.
    pub config: serde_json::Value,
    /// What its owner should know.
    pub notes: Vec<String>,
}

/// What an owner decides about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its uploads count again.
    Enable,
    /// It is answered as if all were well, and nothing of it is stored.
    Disable,
    /// It is a stranger from now on, and its login counts no longer.
    Revoke,
}

/// A node as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NodeNote {
    /// Its name on the wire.
    pub node: String,
    /// Its device, once it has called.
    pub id: Option<DeviceId>,
    /// Its own logins.
    pub logins: Vec<String>,
    /// `new` until it calls, `active`, `held`, `blocked`, `disabled` or `revoked`.
    pub state: &'static str,
    /// Heard within the time that its rhythm allows.
    pub online: bool,
    /// Silent for longer than its rhythm explains.
    pub late: bool,
    /// When it was heard last.
    pub last_seen: Option<Timestamp>,
    /// Until when it is held awake.
    pub held_until: Option<Timestamp>,
    /// Since when it stays awake because it was told to.
    pub awake_since: Option<Timestamp>,
    /// Uploads since the start that were not stored, because it is disabled.
    pub dropped: u64,
}

/// A hold as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HoldNote {
    /// Its name.
    pub id: String,
    /// The nodes; empty is all.
    pub nodes: Vec<String>,
    /// From when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who wished it.
    pub by: String,
    /// How many of its nodes stay awake by now.
    pub stopped: usize,
    /// How many nodes it is for.
    pub of: usize,
    /// What comes after: nodes do not sleep again of their own accord.
    pub warning: &'static str,
}
