//! Firmware on its way to a node (`sca11h.md §5.4`). How a node is told of it is not documented: an owner who holds
//! Murata's interface document writes the reply's members, and nothing is guessed. Without that no node hears of any.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{Sca11h, change};
use crate::core::{Hub, HubError, Kept, Published};
use crate::family::Facts;
use crate::family::download::{self, missing, named};
use crate::http::{Exchange, Reply};
use crate::model::{Device, DeviceId, Dress, Timestamp};

/// What an owner wants added to every reply to a node's sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReplyTemplate {
    device: DeviceId,
    /// The published file that the places are about.
    file: String,
    /// Members of the reply, with places such as `{url}` in their texts.
    template: Map<String, Json>,
    /// Since when.
    set: Timestamp,
    /// What was sent, the newest first.
    #[serde(default)]
    deliveries: Vec<Delivery>,
}

/// A reply that told of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Delivery {
    at: Timestamp,
    sha256: String,
    label: Option<String>,
    /// The versions that the node said it had.
    versions: BTreeMap<String, String>,
    /// The versions it said it had at its next sync.
    #[serde(default)]
    versions_next: Option<BTreeMap<String, String>>,
}

/// What an owner types.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    file: String,
    template: Map<String, Json>,
}

impl Kept for ReplyTemplate {
    const KIND: &'static str = "sca11h_reply_template";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// Answers `GET /firmware/files/<id>/<name>`. Only a file that is made for a model is firmware, and only its own
/// content's id leads to it.
pub(super) async fn answer(_: Arc<Sca11h>, hub: Hub, exchange: Exchange) -> Reply {
    let Some(name) = exchange.param("name").and_then(named) else { return missing(&exchange) };
    let id = exchange.param("id").unwrap_or_default().to_ascii_lowercase();
    let meant = |file: &Published| is_firmware(file) && id_of(file) == id;
    download::answer(&hub, &exchange, &name, meant).await.unwrap_or_else(|| missing(&exchange))
}

/// Sets what is added to a node's replies; `null` takes it back.
pub(super) async fn wish(hub: &Hub, device: &Device, wish: &Json) -> Result<(), HubError> {
    let id = &device.names.id;
    if wish.is_null() {
        return hub.forget_kept::<ReplyTemplate>(id.as_str()).await;
    }
    let wrong = |message: String| HubError::invalid(WISH, message);
    let typed: Typed = serde_json::from_value(wish.clone()).map_err(|error| {
        wrong(format!("{error}: it is {{\"file\":\"NAME\",\"template\":{{…}}}}, or null for none"))
    })?;
    check(&typed.template).map_err(wrong)?;
    let file = hub.file(&typed.file).await?;
    if !file.as_ref().is_some_and(is_firmware) {
        let message =
            format!("no firmware {} is published: `homeport files add` it with --target", typed.file);
        return Err(wrong(message));
    }
    let Typed { file, template } = typed;
    let kept = ReplyTemplate { device: id.clone(), file, template, set: hub.now(), deliveries: Vec::new() };
    hub.keep(&kept).await
}

/// What people see of it.
pub(super) async fn facts(hub: &Hub, device: &Device, into: &mut Facts) -> Result<(), HubError> {
    if let Some(kept) = hub.kept::<ReplyTemplate>(device.names.id.as_str()).await? {
        let shown = json!({
            "file": kept.file, "template": kept.template, "set": kept.set, "deliveries": kept.deliveries
        });
        into.insert(WISH.to_owned(), shown);
    }
    Ok(())
}

/// The members to add to a reply now, and the record that is to be kept once they are sent. `host` is what the node
/// calls this server.
pub(super) async fn addition(
    hub: &Hub,
    device: &Device,
    host: Option<&str>,
    versions: &BTreeMap<String, String>,
) -> Result<Option<(Map<String, Json>, ReplyTemplate)>, HubError> {
    let Some(mut kept) = hub.kept::<ReplyTemplate>(device.names.id.as_str()).await? else { return Ok(None) };
    let file = hub.file(&kept.file).await?.filter(is_firmware);
    let (Some(file), Some(host)) = (file, host.filter(|host| is_host(host))) else {
        let (device, file) = (&device.names.address, &kept.file);
        tracing::warn!(%device, %file, "nothing was said of the firmware: the file or the request's Host is missing");
        return Ok(None);
    };
    let members = filled(&kept.template, &places(&file, host));
    if let Some(last) = kept.deliveries.first_mut().filter(|last| last.versions_next.is_none()) {
        last.versions_next = Some(versions.clone());
    }
    let delivery = Delivery {
        at: hub.now(),
        sha256: file.sha256.clone(),
        label: file.about.label.clone(),
        versions: versions.clone(),
        versions_next: None,
    };
    kept.deliveries.insert(0, delivery);
    kept.deliveries.truncate(DELIVERIES_KEPT_MAX);
    Ok(Some((members, kept)))
}

/// Adds members to a command's bytes.
pub(super) fn dress(members: Map<String, Json>) -> Dress {
    Dress(Arc::new(move |reply| merged(reply, &members)))
}

/// A reply with members added to it.
pub(super) fn merged(reply: &[u8], members: &Map<String, Json>) -> Bytes {
    let mut whole = match serde_json::from_slice(reply) {
        Ok(Json::Object(whole)) => whole,
        Ok(_) | Err(_) => Map::new(),
    };
    whole.extend(members.iter().map(|(name, value)| (name.clone(), value.clone())));
    Bytes::from(Json::Object(whole).to_string())
}

const fn is_firmware(file: &Published) -> bool {
    file.about.target.is_some()
}

/// What stands in the path: it changes with the content.
fn id_of(file: &Published) -> &str {
    file.sha256.get(..ID_DIGITS).unwrap_or(&file.sha256)
}

/// A host and perhaps a port: what a `Host` header may hold that goes into a URL.
fn is_host(host: &str) -> bool {
    let letter =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '[' | ']' | '_');
    (1..=HOST_BYTES_MAX).contains(&host.len()) && host.chars().all(letter)
}

fn places(file: &Published, host: &str) -> [(&'static str, String); 7] {
    [
        ("url", format!("http://{host}/firmware/files/{}/{}", id_of(file), file.name)),
        ("name", file.name.to_string()),
        ("size", file.size.to_string()),
        ("sha256", file.sha256.clone()),
        ("md5", file.md5.clone()),
        ("crc16", file.crc16.clone()),
        ("version", file.about.label.clone().unwrap_or_default()),
    ]
}

fn filled(template: &Map<String, Json>, places: &[(&'static str, String); 7]) -> Map<String, Json> {
    template.iter().map(|(name, value)| (name.clone(), fill(value, places))).collect()
}

fn fill(value: &Json, places: &[(&'static str, String); 7]) -> Json {
    match value {
        Json::String(text) if text == SIZE_AS_NUMBER => {
            let size =
                places.iter().find(|(name, _)| *name == "size").and_then(|(_, size)| size.parse().ok());
            size.map_or(Json::Null, |size: u64| Json::from(size))
        }
        Json::String(text) => {
            let put =
                |text: String, (name, value): &(&str, String)| text.replace(&format!("{{{name}}}"), value);
            Json::String(places.iter().fold(text.clone(), put))
        }
        Json::Array(list) => Json::Array(list.iter().map(|item| fill(item, places)).collect()),
        Json::Object(members) => Json::Object(filled(members, places)),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

/// What is wrong with a template; an owner hears of it before a node does.
fn check(template: &Map<String, Json>) -> Result<(), String> {
    if template.is_empty() {
        return Err("the template has no members: null takes it back".to_owned());
    }
    if template.contains_key(change::CMD) {
        return Err(format!("the template cannot set {}: queue a change of parameters", change::CMD));
    }
    let whole = Json::Object(template.clone());
    if whole.to_string().len() > TEMPLATE_BYTES_MAX {
        return Err(format!("the template is longer than {TEMPLATE_BYTES_MAX} bytes"));
    }
    match unknown_place(&whole) {
        Some(place) => Err(format!("{{{place}}} is no place: they are {PLACES}")),
        None => Ok(()),
    }
}

/// The first word in braces that stands for nothing.
fn unknown_place(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => text.split('{').skip(1).find_map(|rest| {
            let (word, _) = rest.split_once('}')?;
            let known = PLACES.split(' ').any(|place| place == format!("{{{word}}}"));
            let whole = text == SIZE_AS_NUMBER;
            (!known || (word == "size:number" && !whole)).then(|| word.to_owned())
        }),
        Json::Array(list) => list.iter().find_map(unknown_place),
        Json::Object(members) => members.values().find_map(unknown_place),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// The wish's name in the API.
pub(super) const WISH: &str = "reply_template";
const PLACES: &str = "{url} {name} {size} {size:number} {sha256} {md5} {crc16} {version}";
/// Alone in a text, it makes the size a JSON number.
const SIZE_AS_NUMBER: &str = "{size:number}";
const ID_DIGITS: usize = 16;
const HOST_BYTES_MAX: usize = 128;
/// A node's limits are not known; replies stay small (§8).
const TEMPLATE_BYTES_MAX: usize = 1024;
const DELIVERIES_KEPT_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: Json) -> Map<String, Json> {
        match json {
            Json::Object(members) => members,
            _ => panic!("no object"),
        }
    }

    fn some_places() -> [(&'static str, String); 7] {
        [
            ("url", "http://h/firmware/files/ab/x.bin".to_owned()),
            ("name", "x.bin".to_owned()),
            ("size", "1234".to_owned()),
            ("sha256", "ab".to_owned()),
            ("md5", "cd".to_owned()),
            ("crc16", "EF01".to_owned()),
            ("version", "2.1".to_owned()),
        ]
    }

    #[test]
    fn places_are_filled_wherever_they_stand() {
        let template = object(json!({
            "fw": {"url": "{url}", "sum": "md5:{md5}/{crc16}", "size": "{size:number}"},
            "list": ["{version}", 7, null, "{size}"],
        }));
        check(&template).unwrap();
        let found = Json::Object(filled(&template, &some_places()));
        let want = json!({
            "fw": {"url": "http://h/firmware/files/ab/x.bin", "sum": "md5:cd/EF01", "size": 1234},
            "list": ["2.1", 7, null, "1234"],
        });
        assert_eq!(found, want);
    }

    #[test]
    fn a_reply_keeps_its_parameters_and_gets_the_members() {
        let members = object(json!({"fw": "x"}));
        assert_eq!(merged(b"{}", &members), r#"{"fw":"x"}"#);
        let reply = br#"{"pars":"7000,270,5000,0,1400,7"}"#;
        assert_eq!(merged(reply, &members), r#"{"pars":"7000,270,5000,0,1400,7","fw":"x"}"#);
    }

    #[test]
    fn a_template_that_would_surprise_is_refused() {
        for (template, reason) in [
            (json!({}), "no members"),
            (json!({"pars": "1,2,3,4,5,6"}), "cannot set pars"),
            (json!({"a": "{uri}"}), "{uri} is no place"),
            (json!({"a": ["{size:number} bytes"]}), "{size:number} is no place"),
            (json!({"a": "x".repeat(2000)}), "longer than"),
        ] {
            let refused = check(&object(template.clone())).unwrap_err();
            assert!(refused.contains(reason), "{template}: {refused}");
        }
        assert!(check(&object(json!({"a": "a { b } c"}))).is_err());
        assert!(check(&object(json!({"a": "no place { here"}))).is_ok());
    }

    #[test]
    fn only_a_host_goes_into_the_url() {
        for host in ["192.0.2.7", "192.0.2.7:8080", "home.example", "[fd00::1]:80"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "a/b", "a\"b", "a\\b", "x?y", &"x".repeat(200)] {
            assert!(!is_host(host), "{host}");
        }
    }
}
