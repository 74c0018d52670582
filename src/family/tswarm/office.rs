//! What people do with nodes: logins, decisions, holding them awake (`tswarm-node.md §8`).

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::holds::{Hold, Mark, Standing};
use super::logins::Login;
use super::rejected::Rejected;
use super::{Tswarm, card};
use crate::core::{DeviceFilter, Hub, HubError, random_key};
use crate::family::swarm::{Added, Decision, HoldNote, NewNode, NodeNote, Swarm};
use crate::http::BoxFuture;
use crate::model::{Device, DeviceState};

impl Swarm for Tswarm {
    fn nodes<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, Result<Vec<NodeNote>, HubError>> {
        Box::pin(self.notes(hub))
    }

    fn add<'a>(
        &'a self,
        hub: &'a Hub,
        wish: &'a NewNode,
        by: &'a str,
    ) -> BoxFuture<'a, Result<Added, HubError>> {
        Box::pin(self.added(hub, wish, by))
    }

    fn decide<'a>(
        &'a self,
        hub: &'a Hub,
        node: &'a str,
        decision: Decision,
        by: &'a str,
    ) -> BoxFuture<'a, Result<NodeNote, HubError>> {
        Box::pin(self.decided(hub, node, decision, by))
    }

    fn holds<'a>(&'a self, hub: &'a Hub) -> BoxFuture<'a, Result<Vec<HoldNote>, HubError>> {
        Box::pin(async move {
            let nodes = self.notes(hub).await?;
            let now = hub.now();
            let lasting = self.books.holds().into_iter().filter(|hold| hold.lasts(now));
            Ok(lasting.map(|hold| noted(hold, &nodes)).collect())
        })
    }

    fn hold<'a>(
        &'a self,
        hub: &'a Hub,
        nodes: &'a [String],
        lasts: Duration,
        by: &'a str,
    ) -> BoxFuture<'a, Result<HoldNote, HubError>> {
        Box::pin(self.held(hub, nodes, lasts, by))
    }

    fn release<'a>(&'a self, hub: &'a Hub, id: &'a str) -> BoxFuture<'a, Result<HoldNote, HubError>> {
        Box::pin(async move {
            let holds = self.books.opened(hub).await?.holds();
            let now = hub.now();
            let hold = holds.into_iter().find(|hold| hold.id == id && hold.lasts(now));
            let hold = hold.ok_or(HubError::NotFound("hold"))?;
            self.books.forget_hold(hub, id).await?;
            Ok(noted(hold, &self.notes(hub).await?))
        })
    }

    fn rejected<'a>(
        &'a self,
        hub: &'a Hub,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<serde_json::Value>, HubError>> {
        Box::pin(async move {
            self.rejections.keep(hub).await?;
            let found = hub.kept_all::<Rejected>(None, None, limit).await?;
            Ok(found.iter().map(|(_, call)| serde_json::to_value(call).unwrap_or_default()).collect())
        })
    }
}

impl Tswarm {
    /// Every node that is known or has a login, by name in small letters.
    async fn notes(&self, hub: &Hub) -> Result<Vec<NodeNote>, HubError> {
        let books = self.books.opened(hub).await?;
        let mut names: BTreeMap<String, (String, Option<Device>)> = BTreeMap::new();
        let logins = books.logins();
        for node in logins.iter().flat_map(|login| &login.nodes) {
            names.insert(node.to_lowercase(), (node.clone(), None));
        }
        let filter =
            DeviceFilter { family: Some(self.name.clone()), limit: NODES_MAX, ..DeviceFilter::default() };
        for device in hub.devices(filter).await? {
            let node = device.names.address.clone();
            names.insert(node.to_lowercase(), (node, Some(device)));
        }
        Ok(names.into_values().map(|(node, device)| self.note(hub, node, device, &logins)).collect())
    }

    fn note(
        &self,
        hub: &Hub,
        node: String,
        device: Option<Device>,
        logins: &[std::sync::Arc<Login>],
    ) -> NodeNote {
        let standing = self.books.standing(&node);
        let state = match (standing, device.as_ref().map(|device| device.state)) {
            (Some(standing), _) => standing.as_str(),
            (None, None) => "new",
            (None, Some(state)) => state.as_str(),
        };
        let presence = device.as_ref().map(|device| hub.presence(device));
        NodeNote {
            id: device.as_ref().map(|device| device.names.id.clone()),
            logins: logins.iter().filter(|one| one.names(&node)).map(|one| one.name.clone()).collect(),
            state,
            online: presence.is_some_and(|presence| presence.online),
            late: presence.is_some_and(|presence| presence.late),
            last_seen: device.and_then(|device| device.last_seen),
            held_until: self.books.held_until(&node, hub.now()),
            awake_since: self.books.stopped(&node),
            dropped: self.nodes.known(&node).map_or(0, |known| known.beside().dropped),
            node,
        }
    }

    async fn added(&self, hub: &Hub, wish: &NewNode, by: &str) -> Result<Added, HubError> {
        let nodes: Vec<String> =
            wish.node.iter().chain(&wish.also).map(|name| name.trim().to_owned()).collect();
        if let Some(fault) = nodes.iter().find_map(|name| card::fault(name)) {
            return Err(HubError::invalid("node", fault));
        }
        let login = wish.login.as_deref().or(nodes.first().map(String::as_str)).map(str::trim);
        let login =
            login.ok_or_else(|| HubError::invalid("login", "a login for any node needs a name"))?.to_owned();
        let login = login.as_str();
        if let Some(fault) = card::fault(login) {
            return Err(HubError::invalid("login", fault));
        }
        let base = checked_base(wish.base.as_deref())?;
        let books = self.books.opened(hub).await?;
        let before = books.login(login);
        if before.is_some() && !wish.renew {
            let message = format!(
                "there is a login {login} already: with `renew` (--renew) it is given a new secret, and the old one counts no longer"
            );
            return Err(HubError::conflict("login", message));
        }
        // A new secret alone changes nothing about whom the login is for.
        let nodes = match before {
            Some(before) if wish.also.is_empty() && nodes.iter().all(|node| before.admits(node)) => {
                before.nodes.clone()
            }
            Some(_) | None => nodes,
        };
        let secret = random_key()?;
        let made = Login::new(login, &secret, nodes.clone(), hub.now(), by);
        for node in &nodes {
            books.keep_mark(hub, node, None).await?;
        }
        books.keep_login(hub, made).await?;
        let mut remarks = vec![
            "the secret is shown this once: only its digest is kept".to_owned(),
            "it travels as plain text, since these nodes cannot do the TLS of today: keep them in a network of your own"
                .to_owned(),
        ];
        if nodes.is_empty() {
            remarks.push(
                "this login is for any node; what becomes of new ones is said by devices.unknown".to_owned(),
            );
        }
        if base.is_none() {
            remarks.push("put this server's address in the place of SERVER, as nodes reach it".to_owned());
        }
        let base = base.unwrap_or_else(|| "http://SERVER:8080".to_owned());
        let first = nodes.first().map_or("NODE", String::as_str);
        Ok(Added {
            login: login.to_owned(),
            config: card::config(&base, first, login, secret.expose_secret()),
            secret: secret.expose_secret().to_owned(),
            nodes,
            notes: remarks,
        })
    }

    async fn decided(
        &self,
        hub: &Hub,
        node: &str,
        decision: Decision,
        by: &str,
    ) -> Result<NodeNote, HubError> {
        let known = self.known(hub, node).await?;
        let standing = match decision {
            Decision::Enable => None,
            Decision::Disable => Some(Standing::Disabled),
            Decision::Revoke => Some(Standing::Revoked),
        };
        let mark =
            standing.map(|standing| Mark { node: known.clone(), standing, at: hub.now(), by: by.to_owned() });
        self.books.keep_mark(hub, &known, mark).await?;
        if decision == Decision::Revoke {
            // A login of this node alone has nobody left; one of several goes on for the others.
            for login in self.books.logins() {
                if login.names(&known) && login.nodes.len() == 1 {
                    self.books.forget_login(hub, &login.name).await?;
                }
            }
        }
        self.known_note(hub, &known).await
    }

    async fn held(
        &self,
        hub: &Hub,
        nodes: &[String],
        lasts: Duration,
        by: &str,
    ) -> Result<HoldNote, HubError> {
        if lasts.is_zero() || lasts > HOLD_MAX {
            return Err(HubError::invalid("for_s", "nodes are held awake for 1 s to 30 days"));
        }
        let mut known = Vec::with_capacity(nodes.len());
        for node in nodes {
            known.push(self.known(hub, node).await?);
        }
        let since = hub.now();
        let hold = Hold {
            id: uuid::Uuid::new_v4().simple().to_string(),
            nodes: known,
            since,
            until: since.plus(lasts),
            by: by.to_owned(),
        };
        // Holds that are over are of no more use.
        for over in self.books.holds().into_iter().filter(|hold| !hold.lasts(since)) {
            self.books.forget_hold(hub, &over.id).await?;
        }
        self.books.keep_hold(hub, hold.clone()).await?;
        Ok(noted(hold, &self.notes(hub).await?))
    }

    /// A node's name as it is known, whatever its letter case.
    async fn known(&self, hub: &Hub, node: &str) -> Result<String, HubError> {
        Ok(self.known_note(hub, node).await?.node)
    }

    async fn known_note(&self, hub: &Hub, node: &str) -> Result<NodeNote, HubError> {
        let books = self.books.opened(hub).await?;
        let logins = books.logins();
        let device = hub.device_by_address(&self.name, node);
        let of_login =
            logins.iter().flat_map(|login| &login.nodes).find(|one| one.eq_ignore_ascii_case(node));
        let name = device.as_ref().map(|device| device.names.address.clone()).or_else(|| of_login.cloned());
        match name {
            Some(name) => Ok(self.note(hub, name, device, &logins)),
            // One that was revoked before it ever called.
            None if books.standing(node).is_some() => Ok(self.note(hub, node.to_owned(), None, &logins)),
            None => Err(HubError::NotFound("node")),
        }
    }
}

/// A hold with how many of its nodes heeded it.
fn noted(hold: Hold, nodes: &[NodeNote]) -> HoldNote {
    let callers = nodes.iter().filter(|note| note.id.is_some() && hold.covers(&note.node));
    let callers = callers.filter(|note| {
        note.state == DeviceState::Active.as_str()
            || note.state == DeviceState::Held.as_str()
            || note.awake_since.is_some()
    });
    let (of, stopped) = callers
        .fold((0, 0), |(of, stopped), note| (of + 1, stopped + usize::from(note.awake_since.is_some())));
    let Hold { id, nodes, since, until, by } = hold;
    HoldNote { id, nodes, since, until, by, stopped, of, warning: WARNING }
}

/// `http://HOST[:PORT]`, without what stands behind it.
fn checked_base(base: Option<&str>) -> Result<Option<String>, HubError> {
    let Some(base) = base.map(str::trim).filter(|base| !base.is_empty()) else { return Ok(None) };
    let wrong = |message: &str| HubError::invalid("base", message);
    if base.starts_with("https://") {
        return Err(wrong(
            "nodes cannot do the TLS of today: give an address with http:// (the listener `listen.http`)",
        ));
    }
    let host = base.strip_prefix("http://").unwrap_or_default();
    let odd = |letter: char| !letter.is_ascii_alphanumeric() && !"-_.:[]/".contains(letter);
    if host.is_empty() || host.contains(odd) {
        return Err(wrong("the begin of a URL such as http://192.168.1.10:8080"));
    }
    Ok(Some(base.trim_end_matches('/').to_owned()))
}

/// §8: the trap of the switch.
const WARNING: &str = "Nodes do not sleep again of their own accord: each stays awake at its prompt, joined to Wi-Fi, and drains \
     its battery until somebody resets it. End the hold before you reset them, or they stop again.";
const HOLD_MAX: Duration = Duration::from_hours(30 * 24);
const NODES_MAX: u32 = 100_000;
