//! `/provision`: a module gets its certificates (`cwm-oke.md §3.1`; all of it is a proposal and configurable).

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use super::applicant::{self, Applicant};
use super::draft::address_is_valid;
use super::error::CwmError;
use super::policy::{Capture, Repeat};
use super::proof::Prover;
use super::{Cwm, answer, envelope};
use crate::core::{Claim, Hub, HubError, Material};
use crate::family::{IssueError, Issued, Wish, WishedKey};
use crate::http::{Exchange, Reply};
use crate::model::{Device, Fingerprint, HmacCheck, Timestamp};

/// Answers one call, and captures it whatever becomes of it.
pub(super) async fn provision(cwm: Arc<Cwm>, hub: Hub, exchange: Exchange) -> Reply {
    let peer = exchange.peer.addr.ip().to_string();
    let applicant = applicant::read(exchange.query.as_deref(), &exchange.body, &cwm.settings);
    let devid = applicant.devid.clone();
    let reply = match hand_out(&cwm, &hub, &exchange, applicant).await {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => error.into_reply("{}".into(), &exchange.path, &peer),
    };
    cwm.capture(Capture::Provision, &hub, &exchange, devid, reply.status).await;
    reply
}

async fn hand_out(
    cwm: &Cwm,
    hub: &Hub,
    exchange: &Exchange,
    applicant: Applicant,
) -> Result<String, CwmError> {
    let template =
        template(&cwm.settings.provision_answer, cwm.settings.provision_answer_file.as_deref()).await?;
    let certified = exchange.peer.certificate().and_then(|shown| shown.name.as_deref());
    let devid =
        applicant.devid.as_deref().or(certified.filter(|name| address_is_valid(name))).ok_or_else(|| {
            CwmError::unreadable("the request does not say which device asks: send devid=...")
        })?;
    let device = hub.introduce(Claim { family: &cwm.name, address: devid, parent: None }).await?;
    let found = proof(cwm, hub, exchange);
    let shown = exchange.peer.certificate().filter(|shown| shown.fault.is_none());
    let shown = shown.and_then(|shown| Fingerprint::parse(&shown.fingerprint));
    let material = {
        // One at a time for a device, or two calls at once would be given different keys.
        let turn = cwm.turn(&device.names.address).await;
        let _turn = turn.ok_or(CwmError::Unissued(IssueError::Busy))?;
        let before = hub.material(&device.names.id).await?;
        let asks = Asks { requests: applicant.requests, hmac: found, shown };
        material(cwm, hub, &device, before, asks).await?
    };
    let key = provisioning_key(hub, &device, &template).await?;
    let value = |name: &str| place(name, cwm, exchange, &device, &material, &key, hub.now());
    answer::fill(&template, value)
        .map_err(|name| CwmError::Misconfigured(format!("the answer of /provision has no {{{name}}}")))
}

/// What counts for or against giving a device its material.
struct Asks {
    requests: Option<Vec<Vec<u8>>>,
    hmac: HmacCheck,
    shown: Option<Fingerprint>,
}

/// The same material as before while it is good, else new material. On disk when it returns.
async fn material(
    cwm: &Cwm,
    hub: &Hub,
    device: &Device,
    before: Option<Material>,
    asks: Asks,
) -> Result<Material, CwmError> {
    if let Some(before) = &before {
        admit(cwm.settings.provision_repeat, before, &asks)?;
        let root = cwm.issuer.root().await?;
        let same_key = asks.requests.as_ref().is_none_or(|requests| {
            requests.iter().any(|request| {
                cwm.issuer.public_key(request).is_some_and(|key| Fingerprint(key) == before.public_key)
            })
        });
        if before.root_pem == root && before.not_after > hub.now().plus(RENEW_BEFORE) && same_key {
            return Ok(before.clone());
        }
    }
    let address = device.names.address.clone();
    let key = match asks.requests {
        None => WishedKey::Make(cwm.settings.provision_key),
        Some(requests) if requests.is_empty() => {
            return Err(CwmError::unreadable("the certificate request in it cannot be read: send it as PEM"));
        }
        Some(requests) => WishedKey::Sign(requests),
    };
    let issued = cwm.issuer.issue(Wish { address, key }).await?;
    tracing::info!(device = %device.names.address, until = %issued.not_after, "client certificate issued");
    let first = before.is_none();
    let made = kept(device, before, issued, hub.now());
    let stored = match cwm.settings.provision_repeat {
        Repeat::Same | Repeat::Proven => made.clone(),
        Repeat::Refuse => Material { key_pem: None, ..made.clone() },
    };
    if hub.keep_material(&stored, first).await? { Ok(made) } else { taken_over(hub, device).await }
}

/// Another server on the same store was faster: what it made counts.
async fn taken_over(hub: &Hub, device: &Device) -> Result<Material, CwmError> {
    hub.material(&device.names.id).await?.ok_or(CwmError::Unavailable(HubError::Busy))
}

/// Whether a device that has material may be given it again.
fn admit(policy: Repeat, before: &Material, asks: &Asks) -> Result<(), CwmError> {
    let proven =
        asks.hmac == HmacCheck::Ok || asks.shown.is_some_and(|shown| before.fingerprints().contains(&shown));
    match policy {
        Repeat::Same => Ok(()),
        Repeat::Proven if proven => Ok(()),
        Repeat::Proven => Err(CwmError::Refused(
            "it has a certificate and shows neither that nor an HMAC: revoke it to let it have a new one"
                .into(),
        )),
        Repeat::Refuse => {
            Err(CwmError::Refused("it has a certificate already: revoke it to let it have a new one".into()))
        }
    }
}

fn kept(device: &Device, before: Option<Material>, issued: Issued, now: Timestamp) -> Material {
    let earlier = before.map(|before| before.fingerprints()).unwrap_or_default();
    Material {
        device: device.names.id.clone(),
        cert_pem: issued.cert_pem,
        key_pem: issued.key_pem,
        root_pem: issued.root_pem,
        fingerprint: Fingerprint(issued.fingerprint),
        public_key: Fingerprint(issued.public_key),
        issued: now,
        not_after: issued.not_after,
        earlier,
    }
}

/// Whether the request carries an HMAC that holds for the device it names.
fn proof(cwm: &Cwm, hub: &Hub, exchange: &Exchange) -> HmacCheck {
    let prover = Prover::new(cwm, hub, exchange);
    let prove = |text: &[u8], devid: Option<&str>| prover.check(text, devid);
    let asked = envelope::asked(exchange.query.as_deref(), &exchange.body, &cwm.settings, prove);
    asked.map_or(HmacCheck::Absent, |(_, found)| found)
}

/// The device's key for HMACs; made at the first call of a device, if the owner's answer has a place for it.
async fn provisioning_key(hub: &Hub, device: &Device, template: &str) -> Result<String, CwmError> {
    if !template.contains("{provisioning_key}") {
        return Ok(String::new());
    }
    Ok(hub.key_or_new(&device.names.id).await?.key.clone())
}

fn place<'v>(
    name: &str,
    cwm: &'v Cwm,
    exchange: &'v Exchange,
    device: &'v Device,
    material: &'v Material,
    key: &'v str,
    now: Timestamp,
) -> Option<Cow<'v, str>> {
    let settings = &cwm.settings;
    let host = |set: &'v str| if set.is_empty() { called(exchange) } else { set };
    Some(match name {
        "devid" => Cow::Borrowed(device.names.address.as_str()),
        "client_cert" => material.cert_pem.as_str().into(),
        "client_key" => material.key_pem.as_deref().unwrap_or_default().into(),
        "root_ca" => material.root_pem.as_str().into(),
        "provisioning_key" => key.into(),
        "provision_host" => host(&settings.provision_host).into(),
        "push_host" => host(&settings.push_host).into(),
        "pull_host" => host(&settings.pull_host).into(),
        other => return super::time::place(other, now),
    })
}

/// The name that the module called, without a port: what it can call again.
fn called(exchange: &Exchange) -> &str {
    let header = exchange.header("host").unwrap_or_default();
    let host = match header.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => header,
    };
    let asked = exchange.peer.tls.as_ref().and_then(|tls| tls.sni.as_deref()).unwrap_or_default();
    if host.is_empty() { asked } else { host }
}

/// The owner's answer: from its file, read anew each time, else from the settings.
pub(super) async fn template<'t>(set: &'t str, file: Option<&Path>) -> Result<Cow<'t, str>, CwmError> {
    let Some(file) = file else { return Ok(Cow::Borrowed(set)) };
    match tokio::fs::read_to_string(file).await {
        Ok(text) => Ok(Cow::Owned(text.trim_end().to_owned())),
        Err(error) => Err(CwmError::Misconfigured(format!("{} cannot be read: {error}", file.display()))),
    }
}

impl From<IssueError> for CwmError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Request(_) => Self::Unreadable(error.to_string()),
            IssueError::Busy | IssueError::Failed(_) => Self::Unissued(error),
        }
    }
}

/// The places of the answer.
pub(super) const PLACES: [&str; 10] = [
    "devid",
    "client_cert",
    "client_key",
    "root_ca",
    "provisioning_key",
    "provision_host",
    "push_host",
    "pull_host",
    "ts",
    "utc",
];

/// A certificate with less life left is made anew: a module that calls again is renewed (§3.1).
const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);

#[cfg(test)]
#[path = "provision_tests.rs"]
mod tests;
