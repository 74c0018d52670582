//! What an owner set about one node: how it is answered, what its clock is off by, which credentials it must show.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::names::{NoChangeReply, ReplyFraming, Sca11hSettings};
use crate::core::{Hub, HubError, Kept};
use crate::model::{Device, DeviceId};

/// What holds for a device: its own settings over those of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    /// How the answer of a sync is framed.
    pub(super) reply_framing: ReplyFraming,
    /// What a sync hears when nothing is to change.
    pub(super) no_change_reply: NoChangeReply,
    /// Whether the connection is closed after each answer.
    pub(super) force_close: bool,
    /// Added to the device's times, in seconds.
    pub(super) time_offset_s: i64,
}

/// A device's own settings, as kept. What is absent is as the family has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wishes {
    device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_framing: Option<ReplyFraming>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_change_reply: Option<NoChangeReply>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    force_close: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_offset_s: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<Credentials>,
}

/// A user name, and a digest of it with its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Credentials {
    user: String,
    salt: String,
    digest: String,
}

/// What an owner types.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedCredentials {
    user: String,
    password: String,
}

impl Kept for Wishes {
    const KIND: &'static str = "sca11h_wishes";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Wishes {
    fn none(device: DeviceId) -> Self {
        Self {
            device,
            reply_framing: None,
            no_change_reply: None,
            force_close: None,
            time_offset_s: None,
            credentials: None,
        }
    }

    /// Sets one; `false` when there is none of that name.
    fn set(&mut self, name: &str, wish: &Json) -> Result<bool, HubError> {
        match name {
            "reply_framing" => {
                self.reply_framing = typed("reply_framing", wish, "chunked or content_length")?;
            }
            "no_change_reply" => self.no_change_reply = typed("no_change_reply", wish, "empty or echo")?,
            "force_close" => self.force_close = typed("force_close", wish, "true or false")?,
            "time_offset_s" => {
                let found: Option<i64> = typed("time_offset_s", wish, "a whole number of seconds")?;
                if found.is_some_and(|offset| offset.unsigned_abs() > OFFSET_MAX_S) {
                    let message = format!("time_offset_s is -{OFFSET_MAX_S} to {OFFSET_MAX_S} seconds");
                    return Err(HubError::invalid("time_offset_s", message));
                }
                self.time_offset_s = found;
            }
            "credentials" => {
                let found: Option<TypedCredentials> =
                    typed("credentials", wish, "{\"user\":\"...\",\"password\":\"...\"}")?;
                self.credentials = found.map(Credentials::new);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn is_empty(&self) -> bool {
        *self == Self::none(self.device.clone())
    }

    /// As people see them; never a password.
    fn shown(&self) -> Json {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("device");
            if let Some(credentials) = &self.credentials {
                shown.insert("credentials".to_owned(), json!({ "user": credentials.user }));
            }
        }
        shown
    }
}

impl Credentials {
    fn new(typed: TypedCredentials) -> Self {
        let salt = uuid::Uuid::new_v4().simple().to_string();
        let digest = digest(&salt, &format!("{}:{}", typed.user, typed.password));
        Self { user: typed.user, salt, digest }
    }

    /// Whether an `Authorization` header proves them.
    fn hold(&self, header: Option<&str>) -> bool {
        let pair = header.and_then(|header| {
            let (scheme, rest) = header.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then_some(rest)
        });
        let pair = pair.and_then(|pair| STANDARD.decode(pair.trim()).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        pair.is_some_and(|pair| digest(&self.salt, &pair).as_bytes().ct_eq(self.digest.as_bytes()).into())
    }
}

/// The settings of every device that has some, in memory.
#[derive(Debug, Default)]
pub(super) struct WishTable(RwLock<Option<HashMap<DeviceId, Arc<Wishes>>>>);

impl WishTable {
    /// What holds for a device.
    pub(super) async fn habits(
        &self,
        hub: &Hub,
        device: &DeviceId,
        settings: &Sca11hSettings,
    ) -> Result<Habits, HubError> {
        let own = self.of(hub, device).await?;
        let family = settings.habits();
        let Some(own) = own else { return Ok(family) };
        Ok(Habits {
            reply_framing: own.reply_framing.unwrap_or(family.reply_framing),
            no_change_reply: own.no_change_reply.unwrap_or(family.no_change_reply),
            force_close: own.force_close.unwrap_or(family.force_close),
            time_offset_s: own.time_offset_s.unwrap_or(family.time_offset_s),
        })
    }

    /// Whether a request shows the credentials that were set for a device; it does when none were.
    pub(super) async fn proves(
        &self,
        hub: &Hub,
        device: &DeviceId,
        authorization: Option<&str>,
    ) -> Result<bool, HubError> {
        let own = self.of(hub, device).await?;
        let wanted = own.as_ref().and_then(|own| own.credentials.as_ref());
        Ok(wanted.is_none_or(|wanted| wanted.hold(authorization)))
    }

    /// Takes a wish; `false` when there is none of that name.
    pub(super) async fn set(
        &self,
        hub: &Hub,
        device: &Device,
        name: &str,
        wish: &Json,
    ) -> Result<bool, HubError> {
        let id = &device.names.id;
        let mut wishes = match hub.kept::<Wishes>(id.as_str()).await? {
            Some(wishes) => wishes,
            None => Wishes::none(id.clone()),
        };
        if !wishes.set(name, wish)? {
            return Ok(false);
        }
        if wishes.is_empty() {
            hub.forget_kept::<Wishes>(id.as_str()).await?;
        } else {
            hub.keep(&wishes).await?;
        }
        self.read(hub).await?;
        Ok(true)
    }

    /// As people see them; `None` when a device has none of its own.
    pub(super) async fn shown(&self, hub: &Hub, device: &DeviceId) -> Result<Option<Json>, HubError> {
        Ok(hub.kept::<Wishes>(device.as_str()).await?.map(|wishes| wishes.shown()))
    }

    /// Reads all again; another server may have changed some.
    pub(super) async fn read(&self, hub: &Hub) -> Result<(), HubError> {
        let mut all = HashMap::new();
        hub.kept_each(|wishes: Wishes| drop(all.insert(wishes.device.clone(), Arc::new(wishes)))).await?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
        Ok(())
    }

    async fn of(&self, hub: &Hub, device: &DeviceId) -> Result<Option<Arc<Wishes>>, HubError> {
        let loaded = self.0.read().unwrap_or_else(PoisonError::into_inner).is_some();
        if !loaded {
            self.read(hub).await?;
        }
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(all.as_ref().and_then(|all| all.get(device).cloned()))
    }
}

fn typed<T: DeserializeOwned>(field: &'static str, wish: &Json, right: &str) -> Result<Option<T>, HubError> {
    serde_json::from_value(wish.clone())
        .map_err(|_| HubError::invalid(field, format!("{field} is {right}, or null for the family's")))
}

fn digest(salt: &str, pair: &str) -> String {
    let sum = Sha256::new().chain_update(salt).chain_update([0]).chain_update(pair).finalize();
    STANDARD.encode(sum)
}

/// A day and a bit: no zone is further off.
const OFFSET_MAX_S: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_typed_and_taken_back() {
        let mut wishes = Wishes::none(DeviceId::new("d"));
        for (name, good, bad) in [
            ("reply_framing", json!("content_length"), json!("zip")),
            ("no_change_reply", json!("echo"), json!(1)),
            ("force_close", json!(true), json!("yes")),
            ("time_offset_s", json!(-3600), json!(100_001)),
            ("credentials", json!({"user":"a","password":"b"}), json!({"user":"a"})),
        ] {
            assert!(wishes.set(name, &bad).is_err(), "{name}");
            assert!(wishes.is_empty(), "{name}");
            assert_eq!(wishes.set(name, &good), Ok(true), "{name}");
            assert!(!wishes.is_empty(), "{name}");
            assert_eq!(wishes.set(name, &Json::Null), Ok(true), "{name}");
        }
        assert_eq!(wishes.set("port", &json!(1)), Ok(false));
    }

    #[test]
    fn credentials_hold_for_their_pair_alone() {
        let credentials =
            Credentials::new(TypedCredentials { user: "bed".to_owned(), password: "p:w".to_owned() });
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(credentials.hold(Some(&basic("bed:p:w"))));
        assert!(credentials.hold(Some(&basic("bed:p:w").replace("Basic", "basic"))));
        for wrong in [None, Some(""), Some("Basic"), Some("Basic ???"), Some("Bearer x")] {
            assert!(!credentials.hold(wrong), "{wrong:?}");
        }
        assert!(!credentials.hold(Some(&basic("bed:pw"))));
        let wishes = Wishes { credentials: Some(credentials), ..Wishes::none(DeviceId::new("d")) };
        assert_eq!(wishes.shown(), json!({ "credentials": { "user": "bed" } }));
    }
}
