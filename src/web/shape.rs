//! What things look like in the API's JSON (`interface.md §4`, fields).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::App;
use super::api::secrets::{IssuedShape, KeyShape};
use crate::core::{CertificateNote, DeviceToken, Hub, Level, Person, Sight};
use crate::dictionary::{Chosen, Explained};
use crate::family::Facts;
use crate::model::{
    CommandRecord, CommandState, Datum, Device, DeviceId, DeviceRef, DeviceState, Direction, HmacCheck,
    MessageRecord, Priority, Role, Sees, Seq, Timestamp, Token, Transition, User, Verdict, WireId,
};

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceShape {
    #[serde(flatten)]
    names: DeviceRef,
    state: DeviceState,
    online: bool,
    /// Silent for longer than its own rhythm explains.
    late: bool,
    /// The interval between its sets of messages, in seconds; `null` until it is learned.
    rhythm_s: Option<f64>,
    last_seen: Option<Timestamp>,
    parent: Option<DeviceId>,
    created: Timestamp,
    /// Whose it is; `null` is the house's.
    owner: Option<Person>,
    /// What the caller may do with it.
    access: Level,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateNote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<IssuedShape>,
    /// Of a dialect that gives tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<DeviceToken>>,
    /// What its dialect knows of it.
    #[serde(flatten)]
    #[schema(ignore)]
    facts: Facts,
}

impl DeviceShape {
    /// A device as it is now, for who asks.
    pub(crate) fn new(hub: &Hub, sight: &Sight, device: Device) -> Self {
        let presence = hub.presence(&device);
        Self {
            owner: hub.owner(&device.names.id),
            access: sight.level(&device.names.id),
            tags: hub.tags(&device.names.id).to_vec(),
            online: presence.online,
            late: presence.late,
            rhythm_s: presence.rhythm.map(|rhythm| (rhythm.as_secs_f64() * 10.0).round() / 10.0),
            names: device.names,
            state: device.state,
            last_seen: device.last_seen,
            // One that the caller does not see is not there.
            parent: device.parent.filter(|parent| sight.sees(parent)),
            created: device.created,
            certificate: None,
            key: None,
            issued: None,
            tokens: None,
            facts: Facts::new(),
        }
    }

    /// Its names alone.
    pub(crate) fn into_names(self) -> DeviceRef {
        self.names
    }

    /// The same with what its dialect knows of it.
    pub(crate) fn with_facts(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }

    /// The same with the certificate it shows.
    pub(crate) fn with_certificate(self, certificate: Option<CertificateNote>) -> Self {
        Self { certificate, ..self }
    }

    /// The same with what it was given to prove itself.
    pub(crate) fn with_secrets(self, key: Option<KeyShape>, issued: Option<IssuedShape>) -> Self {
        Self { key, issued, ..self }
    }

    /// The same with the tokens it has.
    pub(crate) fn with_tokens(self, tokens: Option<Vec<DeviceToken>>) -> Self {
        Self { tokens, ..self }
    }
}

/// A value, and what its dictionary makes of it: `label`, `shown`, `unit`, `class`, `outside`, `alarms`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Datum)]
pub(crate) struct DatumShape {
    #[serde(flatten)]
    datum: Datum,
    /// Its device's time is more than a day ahead of ours: it is kept as it was said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ahead: bool,
    #[serde(flatten)]
    #[schema(ignore)]
    explained: Option<Explained>,
}

/// A device's clock may be so far ahead before its time is flagged (`accounts-dashboard.md §4`).
const AHEAD: Duration = Duration::from_hours(24);

impl DatumShape {
    /// A value with its meaning, if one is known.
    pub(crate) fn new(chosen: &Chosen, datum: Datum) -> Self {
        let latest = datum.time_received.plus(AHEAD);
        Self {
            explained: chosen.explain(&datum.sensor, &datum.value),
            ahead: datum.time_created.is_some_and(|created| created > latest),
            datum,
        }
    }
}

/// A message with its exact text; bytes that are no text come base64-coded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageShape {
    seq: Seq,
    at: Timestamp,
    device: Option<DeviceRef>,
    direction: Direction,
    verdict: Verdict,
    /// What the check of its sender's HMAC found; `null` where none was made.
    hmac: Option<HmacCheck>,
    size: usize,
    /// The bytes were removed by age or amount; then neither `raw` nor `raw_base64` is there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pruned: bool,
    peer: String,
    #[serde(flatten)]
    exact: Exact,
}

impl From<MessageRecord> for MessageShape {
    fn from(message: MessageRecord) -> Self {
        Self {
            seq: message.seq,
            at: message.at,
            device: message.device,
            direction: message.direction,
            verdict: message.verdict,
            hmac: message.hmac,
            size: message.size,
            pruned: message.pruned,
            peer: message.peer,
            exact: if message.pruned { Exact::default() } else { Exact::new(&message.raw) },
        }
    }
}

/// Bytes without loss: `raw` when they are text, else `raw_base64`.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(crate) struct Exact {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

impl Exact {
    /// Picks the spelling that loses nothing.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { raw: Some(text.to_owned()), raw_base64: None },
            Err(_) => Self { raw: None, raw_base64: Some(STANDARD.encode(bytes)) },
        }
    }

    /// The same for people.
    pub(crate) fn shown(&self) -> String {
        match (&self.raw, &self.raw_base64) {
            (Some(text), _) => text.clone(),
            (None, Some(coded)) => format!("base64: {coded}"),
            (None, None) => String::new(),
        }
    }
}

/// A command with every change of its state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Command)]
pub(crate) struct CommandShape {
    id: String,
    device: DeviceRef,
    cmd: String,
    #[schema(value_type = serde_json::Value)]
    payload: Text,
    priority: Priority,
    state: CommandState,
    transitions: Vec<Transition>,
    #[schema(value_type = Option<serde_json::Value>)]
    reply: Option<Text>,
    wire_id: WireId,
    attempts: u32,
    created: Timestamp,
    expires: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    #[serde(flatten)]
    exact: Exact,
}

impl From<CommandRecord> for CommandShape {
    fn from(command: CommandRecord) -> Self {
        Self {
            id: command.id.as_str().to_owned(),
            device: command.device,
            cmd: command.cmd,
            payload: Text::new(command.payload),
            priority: command.priority,
            state: command.state,
            transitions: command.transitions,
            reply: command.reply.map(|reply| Text::new(String::from_utf8_lossy(&reply).into_owned())),
            wire_id: command.wire_id,
            attempts: command.attempts,
            created: command.created,
            expires: command.expires,
            delivery: None,
            exact: Exact::new(&command.bytes),
        }
    }
}

impl CommandShape {
    /// Adds where it stands in its dialect's own words.
    pub(crate) fn new(app: &App, command: CommandRecord) -> Self {
        let family = app.family(&command.device.family);
        let delivery = family.and_then(|family| family.delivery(&command));
        Self { delivery, ..command.into() }
    }
}

/// JSON that is passed on as it was written; text that is no JSON becomes a string.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Text {
    /// As it was written.
    Json(Box<RawValue>),
    /// Not JSON.
    Plain(String),
}

impl Text {
    fn new(text: String) -> Self {
        match RawValue::from_string(text.clone()) {
            Ok(json) => Self::Json(json),
            Err(_) => Self::Plain(text),
        }
    }
}

/// A person who may sign in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub(crate) struct UserShape {
    id: String,
    name: String,
    role: Role,
    /// Which devices beside the own: `house` or `own`.
    sees: Sees,
    created: Timestamp,
}

impl From<User> for UserShape {
    fn from(user: User) -> Self {
        Self {
            id: user.id.as_str().to_owned(),
            name: user.name,
            role: user.role,
            sees: user.sees,
            created: user.created,
        }
    }
}

/// An API token, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenShape {
    id: String,
    name: String,
    user: String,
    role: Role,
    /// The only devices it is for; `null` is every device that its user sees.
    devices: Option<Vec<DeviceId>>,
    created: Timestamp,
    last_used: Option<Timestamp>,
    expires: Option<Timestamp>,
}

impl From<Token> for TokenShape {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            user: token.user.as_str().to_owned(),
            role: token.role,
            devices: token.devices,
            created: token.created,
            last_used: token.last_used,
            expires: token.expires,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_without_loss() {
        let text = serde_json::to_string(&Exact::new("{\"a\":\"é\"}".as_bytes())).unwrap();
        assert_eq!(text, r#"{"raw":"{\"a\":\"é\"}"}"#);
        assert_eq!(serde_json::to_string(&Exact::new(&[0xff, 0])).unwrap(), r#"{"raw_base64":"/wA="}"#);
    }

    #[test]
    fn json_is_passed_on_as_it_was_written() {
        assert_eq!(serde_json::to_string(&Text::new("{\"a\": 1.50}".to_owned())).unwrap(), "{\"a\": 1.50}");
        assert_eq!(serde_json::to_string(&Text::new("{half".to_owned())).unwrap(), "\"{half\"");
    }
}
