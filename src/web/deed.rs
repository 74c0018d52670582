//! What somebody does, for the audit log: begun when a request that changes something is let in or refused, and written
//! down when it is over, before it is answered.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use http::request::Parts;

use super::code::Code;
use super::error::WebError;
use super::routes::Permit;
use crate::core::{Caller, How, Hub};
use crate::http::query::{Plus, decode};
use crate::http::{ListenerKind, Peer};
use crate::model::{AuditEntry, DeviceId, Timestamp};

/// What a handler knows of it that its path does not say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noting(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    who: Option<String>,
    device: Option<DeviceId>,
    target: Option<String>,
}

impl Noting {
    /// Who it is about to be: the name that was typed.
    pub(crate) fn who(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).who = Some(cut(name));
    }

    /// Which device it is about.
    pub(crate) fn device(&self, id: &DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).device = Some(id.clone());
    }

    /// What else it is about.
    pub(crate) fn target(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).target = Some(cut(text));
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Noting {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// A request that changes something, under way. Dropped before its end it is noted as abandoned: what it changed by then
/// stays changed.
pub(crate) struct Deed {
    hub: Hub,
    entry: Option<AuditEntry>,
    noting: Noting,
}

impl Deed {
    /// Begins one; `None` of a request that only looks.
    pub(crate) fn begin(
        hub: &Hub,
        permit: &Permit,
        request: &mut Request,
        caller: Option<&Caller>,
    ) -> Option<Self> {
        let what = word(permit.method, permit.path)?;
        let (proof, token) = match caller.map(|caller| &caller.how) {
            Some(How::Session { .. }) => ("session", None),
            Some(How::Token { id, .. }) => ("token", Some(id.clone())),
            Some(How::Local) => ("control", None),
            None => ("none", None),
        };
        let peer = request.extensions().get::<Peer>();
        let from = match peer {
            Some(peer) if peer.listener == ListenerKind::Control => "control".to_owned(),
            Some(peer) => peer.ip().to_string(),
            None => "nowhere".to_owned(),
        };
        let (device, target) = pieces(permit.path, request.uri().path());
        let entry = AuditEntry {
            at: Timestamp::from_micros(0),
            who: caller.map(|caller| caller.user.name.clone()).unwrap_or_default(),
            user: caller.filter(|caller| caller.how != How::Local).map(|caller| caller.user.id.clone()),
            proof: proof.to_owned(),
            token,
            from,
            what,
            device,
            target,
            result: "abandoned".to_owned(),
        };
        let noting = Noting::default();
        request.extensions_mut().insert(noting.clone());
        Some(Self { hub: hub.clone(), entry: Some(entry), noting })
    }

    /// How it ended, to be written down; `None` of one of the many tries of nobody.
    pub(crate) fn end(mut self, refused: Option<&WebError>, response: &Response) -> Option<AuditEntry> {
        let said = response.extensions().get::<Code>().copied();
        let code = said.or_else(|| refused.map(|error| error.shown().code));
        let status = response.status();
        let failed = refused.is_some() || status.is_client_error() || status.is_server_error();
        let mut entry = self.entry.take()?;
        if entry.proof == "none" && failed && !code.is_some_and(tells_of_somebody) {
            return None;
        }
        entry.result = match code {
            Some(code) => code.as_str().to_owned(),
            None if failed => format!("status {}", status.as_u16()),
            None => "ok".to_owned(),
        };
        self.complete(&mut entry);
        Some(entry)
    }

    fn complete(&self, entry: &mut AuditEntry) {
        let mut said = self.noting.0.lock().unwrap_or_else(PoisonError::into_inner);
        entry.at = self.hub.now();
        if entry.who.is_empty() {
            entry.who = said.who.take().unwrap_or_default();
        }
        entry.device = said.device.take().or(entry.device.take());
        entry.target = said.target.take().or(entry.target.take());
    }
}

impl Drop for Deed {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        if entry.proof != "none" {
            self.complete(&mut entry);
            self.hub.audit_later(entry);
        }
    }
}

/// Refusals of somebody who is not signed in that are worth a row. The others cost a stranger nothing, and would fill
/// the log; these are slowed down by the count of failed sign-ins.
fn tells_of_somebody(code: Code) -> bool {
    ["bad_credentials", "refresh_reused"].contains(&code.as_str())
}

/// The word for a call, made of its path: the thing and what is done to it. `None` for a call that only looks.
pub(crate) fn word(method: &str, path: &str) -> Option<String> {
    let reads = ["GET", "HEAD", "OPTIONS"].contains(&method);
    // The whole store leaves the house with it.
    if reads && path != "/api/v1/backup" {
        return None;
    }
    if let Some((_, word)) = NAMED.iter().find(|(named, _)| *named == path) {
        return Some((*word).to_owned());
    }
    let words: Vec<_> = path
        .split('/')
        .filter(|word| !["", "api", "v1", "tswarm", "status"].contains(word) && !word.starts_with('{'))
        .collect();
    let (last, before) = words.split_last()?;
    let thing = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
    let done = match method {
        "POST" => "create",
        "PUT" => "put",
        "PATCH" => "edit",
        _ => "remove",
    };
    match before.last() {
        // `/devices/{id}/adopt` is a verb, `/devices/{id}/commands` a list of things.
        Some(owner) if !last.ends_with('s') => Some(format!("{}.{last}", thing(owner))),
        Some(_) | None => Some(format!("{}.{done}", thing(last))),
    }
}

/// Calls whose path says something else than they do.
const NAMED: &[(&str, &str)] = &[
    ("/pullform", "command.create"),
    ("/send", "command.create"),
    ("/users/{id}", "user.edit"),
    ("/published/{name}/remove", "file.remove"),
    ("/rules/new", "rule.create"),
    ("/rules/{id}", "rule.edit"),
    ("/receivers/mail", "mail.put"),
    ("/receivers/webhooks/{id}", "webhook.edit"),
    ("/login", "auth.login"),
    ("/register", "auth.register"),
    ("/logout", "auth.logout"),
    ("/api/v1/backup", "backup.download"),
];

/// The device and the other thing that a path names.
fn pieces(pattern: &str, path: &str) -> (Option<DeviceId>, Option<String>) {
    let (mut device, mut target, mut before) = (None, None, "");
    for (wanted, found) in pattern.split('/').zip(path.split('/')) {
        if wanted.starts_with('{') {
            let text = String::from_utf8_lossy(&decode(found.as_bytes(), Plus::Literal)).into_owned();
            match before {
                "devices" => device = Some(DeviceId::new(&cut(&text))),
                _ => target = Some(cut(&text)),
            }
        }
        before = wanted;
    }
    (device, target)
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// What a stranger types is not kept at any length.
const TEXT_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_word() {
        let cases = [
            ("POST", "/api/v1/devices", "device.create"),
            ("PATCH", "/api/v1/devices/{id}", "device.edit"),
            ("DELETE", "/api/v1/devices/{id}", "device.remove"),
            ("POST", "/api/v1/devices/{id}/adopt", "device.adopt"),
            ("POST", "/devices/{id}/rename", "device.rename"),
            ("POST", "/api/v1/devices/{id}/commands", "command.create"),
            ("POST", "/pullform", "command.create"),
            ("POST", "/api/v1/commands/{id}/cancel", "command.cancel"),
            ("POST", "/api/v1/auth/login", "auth.login"),
            ("POST", "/login", "auth.login"),
            ("PUT", "/api/v1/files/{name}", "file.put"),
            ("POST", "/api/v1/tswarm/nodes/{node}/enable", "node.enable"),
            ("POST", "/status/listeners/{name}/close", "listener.close"),
            ("POST", "/api/v1/recording/{family}/pause", "recording.pause"),
            ("GET", "/api/v1/backup", "backup.download"),
        ];
        for (method, path, wanted) in cases {
            assert_eq!(word(method, path).as_deref(), Some(wanted), "{method} {path}");
        }
        assert_eq!(word("GET", "/api/v1/devices"), None);
    }

    #[test]
    fn a_path_names_a_device_and_another_thing() {
        let (device, target) = pieces("/api/v1/devices/{id}/days/{day}", "/api/v1/devices/a%20b/days/2");
        assert_eq!((device, target.as_deref()), (Some(DeviceId::new("a b")), Some("2")));
    }
}
