//! One call of a node, from who it is to the answer (`tswarm-node.md §4`).

use std::sync::Arc;

use hyper::Method;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::answer::{self, Outcome, Turned};
use super::basic::{self, NotShown, Shown};
use super::body::{self, Said};
use super::holds::Standing;
use super::logins::Login;
use super::nodes::{Last, LastRequest};
use super::rejected::{Reason, Rejected};
use super::{Tswarm, readings, summary};
use crate::core::{Claim, Event, Hub, HubError, Known, Report};
use crate::http::{Exchange, Reject, Reply, query};
use crate::model::{Device, DeviceState, Timestamp, Verdict};

/// Answers a call of any method.
pub(super) async fn call(swarm: Arc<Tswarm>, hub: Hub, exchange: Exchange) -> Reply {
    match exchange.method {
        Method::GET | Method::HEAD => summary::answer(&swarm, &hub, &exchange).await,
        Method::PUT | Method::POST => upload(swarm, hub, exchange).await,
        _ => answer::nothing_here(),
    }
}

/// Answers a request whose body did not come as it should.
pub(super) fn unread(swarm: &Tswarm, hub: &Hub, exchange: &Exchange, reject: &Reject) -> Reply {
    let node = node_in_path(exchange).unwrap_or_default();
    let detail = reject.caller().to_owned();
    let turned = Turned { reason: Reason::BodyNotTaken, login: String::new(), node, detail };
    note(swarm, hub, exchange, turned);
    Reply::empty(reject.status()).closing()
}

async fn upload(swarm: Arc<Tswarm>, hub: Hub, exchange: Exchange) -> Reply {
    let exchange = Arc::new(exchange);
    let taken = {
        let (swarm, hub, exchange) = (Arc::clone(&swarm), hub.clone(), Arc::clone(&exchange));
        // A node's radio goes off when it likes: what was begun for it ends all the same.
        hub.clone().whole(async move { take(&swarm, &hub, &exchange).await }).await
    };
    match taken {
        Ok(outcome) => {
            let reply = outcome.reply();
            if let Outcome::Turned(turned) = outcome {
                note(&swarm, &hub, &exchange, turned);
            }
            reply
        }
        Err(error) => answer::failed(&error, &exchange),
    }
}

/// Finds out who asks. What comes back is the login, which may still not be for this node.
pub(super) async fn admitted(
    swarm: &Tswarm,
    hub: &Hub,
    exchange: &Exchange,
) -> Result<Result<Arc<Login>, Turned>, HubError> {
    let books = swarm.books.opened(hub).await?;
    let turned = |reason, login: String, detail: &str| Turned {
        reason,
        login,
        node: node_in_path(exchange).unwrap_or_default(),
        detail: detail.to_owned(),
    };
    let nobody = |reason, detail: &str| Ok(Err(turned(reason, String::new(), detail)));
    let (login, secret): (String, SecretString) = match basic::shown(&exchange.headers) {
        Ok(Shown::Basic { login, secret }) => (login, secret),
        Ok(Shown::Bearer(token)) => {
            let peer = exchange.peer.ip();
            let pass = match hub.present_device_token(token.expose_secret(), peer) {
                Ok(pass) => pass,
                Err(fault) => return nobody(Reason::UnknownLogin, &fault.to_string()),
            };
            return Ok(match hub.device(&pass.device) {
                Some(device) if device.names.family == swarm.name => {
                    Ok(Arc::new(Login::of_token(&device.names.address, hub.now())))
                }
                Some(_) | None => Err(turned(
                    Reason::NotItsNode,
                    String::new(),
                    "the token is for a device that is no Tswarm node",
                )),
            });
        }
        Err(NotShown::Absent) => return nobody(Reason::NoCredentials, "there is no Authorization header"),
        Err(NotShown::Unreadable) => {
            let detail = "the Authorization header is not `Basic` and base64 of login:secret (xauth)";
            return nobody(Reason::UnreadableCredentials, detail);
        }
        Err(NotShown::Two) => {
            return nobody(Reason::TwoCredentials, "there are two Authorization headers that differ");
        }
    };
    let Some(known) = books.login(&login) else {
        return Ok(Err(turned(
            Reason::UnknownLogin,
            login,
            "no such login: `homeport tswarm add` makes one",
        )));
    };
    if known.fits(&secret) {
        return Ok(Ok(known));
    }
    Ok(Err(turned(Reason::WrongSecret, login, "the secret is not the one that was made last")))
}

/// Steps 2 to 9 of the protocol's list.
async fn take(swarm: &Tswarm, hub: &Hub, exchange: &Exchange) -> Result<Outcome, HubError> {
    let at = hub.now();
    let login = match admitted(swarm, hub, exchange).await? {
        Ok(login) => login,
        Err(turned) => return Ok(Outcome::Turned(turned)),
    };
    let in_path = node_in_path(exchange);
    let turned = |reason, node: &str, detail: String| {
        Ok(Outcome::Turned(Turned { reason, login: login.name.clone(), node: node.to_owned(), detail }))
    };
    let said = match body::read(&exchange.body) {
        Ok(said) => said,
        Err(fault) => {
            let node = in_path.or_else(|| alone(&login)).unwrap_or_default();
            keep_unread(swarm, hub, exchange, &login, &node, at).await?;
            return turned(Reason::UnreadableBody, &node, fault.to_string());
        }
    };
    let node = match named(&login, in_path, said.name.as_deref()) {
        Ok(node) => node,
        Err((reason, node, detail)) => {
            accept_unknown(hub, exchange, at).await?;
            return turned(reason, &node, detail.to_owned());
        }
    };
    let put = exchange.method == Method::PUT;
    let held = put && swarm.books.held_until(&node, at).is_some();
    let standing = swarm.books.standing(&node);
    let device = hub.device_by_address(&swarm.name, &node);
    let blocked = device.as_ref().is_some_and(|device| device.state == DeviceState::Blocked);
    if blocked || standing == Some(Standing::Revoked) {
        return turned(Reason::Revoked, &node, "the node was revoked or blocked".to_owned());
    }
    if put && !held && device.is_none() {
        return Ok(Outcome::ComeWithPost);
    }
    let outcome = if held { Outcome::StayAwake } else { Outcome::Taken };
    if standing == Some(Standing::Disabled) {
        swarm.nodes.of(&node).beside().dropped += 1;
        return Ok(outcome);
    }
    let known = match placed(swarm, hub, &login, &node, device).await {
        Ok(known) => known,
        Err(HubError::Refused(_)) if held => return Ok(outcome),
        Err(HubError::Refused(_)) => {
            accept_unknown(hub, exchange, at).await?;
            let detail =
                "unknown devices are refused (devices.unknown): `homeport tswarm add` or `homeport devices`";
            return turned(Reason::WaitingForApproval, &node, detail.to_owned());
        }
        Err(error) => return Err(error),
    };
    store(swarm, hub, exchange, known, &said, at).await?;
    if held || swarm.books.held_until(&node, at).is_none() {
        let stopped = swarm.books.keep_stopped(hub, &node, held.then_some(at)).await;
        if let Err(error) = stopped {
            tracing::warn!(node, %error, "it was not noted that the node stays awake, or sleeps again");
        }
    }
    Ok(outcome)
}

/// The node's place in the registry; an unknown one that its login names is made, and let in.
async fn placed(
    swarm: &Tswarm,
    hub: &Hub,
    login: &Login,
    node: &str,
    device: Option<Device>,
) -> Result<Known, HubError> {
    if device.is_none() && login.names(node) {
        match hub.create(&swarm.name, node, None).await {
            // Conflict: another call of it was faster.
            Ok(_) | Err(HubError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    hub.claim(Claim { family: &swarm.name, address: node, parent: None })
}

/// Stores an upload. The same body within a few seconds is kept as a repeat, and says nothing.
async fn store(
    swarm: &Tswarm,
    hub: &Hub,
    exchange: &Exchange,
    known: Known,
    said: &Said,
    at: Timestamp,
) -> Result<(), HubError> {
    let node = swarm.nodes.of(&known.names().address);
    let body: [u8; 32] = Sha256::digest(&exchange.body).into();
    let mut last = node.last.lock().await;
    let repeat =
        last.is_some_and(|last| last.body == body && at < last.at.plus(swarm.settings.repeat_within()));
    let flags = readings::flags(said, &swarm.settings);
    let (verdict, events) = if repeat {
        (Verdict::Duplicate, Vec::new())
    } else {
        (Verdict::Ok, vec![Event::Readings(readings::readings(said, &flags))])
    };
    let report = Report { device: Some(known), verdict, events, ..report(exchange, at) };
    hub.accept(report).await?;
    if !repeat {
        *last = Some(Last { body, at });
    }
    let mut beside = node.beside();
    beside.flags = flags;
    beside.request = Some(LastRequest::of(exchange, at));
    drop(beside);
    Ok(())
}

/// Keeps what cannot be read with the node that sent it, if that one is known.
async fn keep_unread(
    swarm: &Tswarm,
    hub: &Hub,
    exchange: &Exchange,
    login: &Login,
    node: &str,
    at: Timestamp,
) -> Result<(), HubError> {
    let usable = login.admits(node)
        && hub
            .device_by_address(&swarm.name, node)
            .is_some_and(|device| device.state != DeviceState::Blocked);
    let device = if usable {
        swarm.nodes.of(node).beside().request = Some(LastRequest::of(exchange, at));
        Some(hub.claim(Claim { family: &swarm.name, address: node, parent: None })?)
    } else {
        None
    };
    hub.accept(Report { device, ..report(exchange, at) }).await.map(drop)
}

/// Keeps what a login said of a node that is not its own.
async fn accept_unknown(hub: &Hub, exchange: &Exchange, at: Timestamp) -> Result<(), HubError> {
    hub.accept(Report { verdict: Verdict::None, ..report(exchange, at) }).await.map(drop)
}

/// A message that says nothing.
fn report(exchange: &Exchange, at: Timestamp) -> Report {
    let peer = exchange.peer.ip().to_string();
    Report::unread(None, at, exchange.body.clone(), peer)
}

/// Which node speaks. The body's name may be the login's own, as the original wrote it.
fn named(
    login: &Login,
    in_path: Option<String>,
    in_body: Option<&str>,
) -> Result<String, (Reason, String, &'static str)> {
    let of_login = in_body.is_some_and(|name| name == login.name);
    let node = match (in_path, in_body) {
        (Some(path), None) => path,
        (Some(path), Some(name)) if path.eq_ignore_ascii_case(name) => name.to_owned(),
        (Some(path), Some(_)) if of_login => path,
        (Some(path), Some(_)) => {
            return Err((Reason::TwoNames, path, "the name in the body is not the node of the path"));
        }
        (None, Some(name)) if of_login && !login.admits(name) => {
            alone(login).unwrap_or_else(|| name.to_owned())
        }
        (None, Some(name)) => name.to_owned(),
        (None, None) => {
            return Err((Reason::UnreadableBody, String::new(), "neither path nor body names the node"));
        }
    };
    if !body::is_name(&node) {
        return Err((Reason::UnreadableBody, node, "a node's name has 1 to 64 characters, none of them `/`"));
    }
    if login.admits(&node) {
        Ok(node)
    } else {
        Err((Reason::NotItsNode, node, "the login is not for this node"))
    }
}

/// The one node of a login.
fn alone(login: &Login) -> Option<String> {
    match login.nodes.as_slice() {
        [node] if !login.any => Some(node.clone()),
        _ => None,
    }
}

/// The node in the path, percent-decoded.
pub(super) fn node_in_path(exchange: &Exchange) -> Option<String> {
    let sent = exchange.param("node")?;
    let bytes = query::decode(sent.as_bytes(), query::Plus::Literal);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells people of a call that was turned away.
pub(super) fn note(swarm: &Tswarm, hub: &Hub, exchange: &Exchange, turned: Turned) {
    let (at, peer) = (hub.now(), exchange.peer.ip());
    let cut = |text: &str| text.chars().filter(|letter| !letter.is_control()).take(body::NAME_MAX).collect();
    let (login, node): (String, String) = (cut(&turned.login), cut(&turned.node));
    let (reason, detail) = (turned.reason, turned.detail);
    let entry = Rejected {
        peer: peer.to_string(),
        login: login.clone(),
        node: node.clone(),
        reason,
        detail: detail.clone(),
        count: 1,
        first: at,
        last: at,
    };
    if swarm.rejections.note(peer, swarm.settings.rejected_max_per_minute, entry) {
        tracing::info!(%peer, login, node, ?reason, "a node was turned away: {detail}");
    }
}
