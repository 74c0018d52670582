//! The wanted port (`cwm-oke.md §6.3`): an owner says over which port a module shall talk to its equipment, and
//! a heartbeat that says otherwise is answered with the port command.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Cwm;
use super::names::CwmNames;
use crate::core::{Hub, HubError, Kept};
use crate::family::{CommandText, Family as _};
use crate::model::{Device, DeviceId, DeviceState, Reading, Timestamp, Value};

/// What an owner wants of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WantedPort {
    device: DeviceId,
    port: String,
    baud: u32,
    /// When the command was queued last.
    asked: Option<Timestamp>,
}

impl Kept for WantedPort {
    const KIND: &'static str = "wanted_port";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// The port that a heartbeat names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    port: String,
    baud: Option<String>,
}

/// Every wish, in memory.
#[derive(Debug, Default)]
pub(super) struct Wishes(RwLock<HashMap<DeviceId, WantedPort>>);

impl Said {
    /// What a message says of the port, if it does.
    pub(super) fn of<'r>(readings: impl Iterator<Item = &'r Reading>, names: &CwmNames) -> Option<Self> {
        let (mut port, mut baud) = (None, None);
        for reading in readings {
            if *reading.sensor == *names.port {
                port = word(&reading.value);
            } else if *reading.sensor == *names.baud {
                baud = word(&reading.value);
            }
        }
        Some(Self { port: port?, baud })
    }

    /// Whether this is what is wanted. A rate has no meaning on USB (§9.1).
    fn is(&self, wanted: &WantedPort) -> bool {
        let same_port = self.port.eq_ignore_ascii_case(&wanted.port);
        let usb = wanted.port.eq_ignore_ascii_case(USB);
        same_port && (usb || self.baud.as_ref().is_none_or(|baud| *baud == wanted.baud.to_string()))
    }
}

impl WantedPort {
    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked.is_none_or(|asked| asked.plus(ASKED_EVERY) <= now || asked > now)
    }

    /// As people see it.
    pub(super) fn shown(&self) -> Json {
        json!({ "port": self.port, "baud": self.baud, "asked": self.asked })
    }
}

impl Wishes {
    /// Whether anything is wanted of a device.
    pub(super) fn has(&self, device: &DeviceId) -> bool {
        let wishes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !wishes.is_empty() && wishes.contains_key(device)
    }

    /// Reads all wishes again; another server may have changed some.
    pub(super) async fn read(&self, hub: &Hub) -> Result<(), HubError> {
        let mut all = HashMap::new();
        hub.kept_each(|wanted: WantedPort| drop(all.insert(wanted.device.clone(), wanted))).await?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    /// Sets what is wanted of a module: `{"port":…,"baud":…}`; `null` takes the wish back.
    pub(super) async fn set(&self, hub: &Hub, device: &Device, wish: &Json) -> Result<(), HubError> {
        let id = &device.names.id;
        if wish.is_null() {
            hub.forget_kept::<WantedPort>(id.as_str()).await?;
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(id);
            return Ok(());
        }
        let wanted = checked(id, wish)?;
        hub.keep(&wanted).await?;
        self.put(wanted);
        Ok(())
    }

    /// Queues the port command when a module says that it talks over another port than wanted; at most once in
    /// ten minutes. Says whether it did.
    pub(super) async fn look(
        &self,
        cwm: &Cwm,
        hub: &Hub,
        id: &DeviceId,
        said: &Said,
    ) -> Result<bool, HubError> {
        let now = hub.now();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if known.is_none_or(|known| said.is(&known) || !known.may_ask(now)) {
            return Ok(false);
        }
        let active = hub.device(id).filter(|device| device.state == DeviceState::Active);
        let Some(device) = active else { return Ok(false) };
        let _turn = cwm.turn(&device.names.address).await;
        // What is on disk counts: another server may have asked, or the owner may have changed his mind there.
        let Some(mut wanted) = hub.kept::<WantedPort>(id.as_str()).await? else { return Ok(false) };
        if said.is(&wanted) || !wanted.may_ask(now) {
            self.put(wanted);
            return Ok(false);
        }
        // Noted before it is queued: a crash between the two asks ten minutes later, not twice.
        wanted.asked = Some(now);
        hub.keep(&wanted).await?;
        self.put(wanted.clone());
        self.ask(cwm, hub, &device, &wanted).await?;
        tracing::info!(device = %device.names.address, says = %said.port, wanted = %wanted.port, "port command queued");
        Ok(true)
    }

    async fn ask(&self, cwm: &Cwm, hub: &Hub, device: &Device, wanted: &WantedPort) -> Result<(), HubError> {
        let payload = cwm.settings.port_payload.replace("{port}", &wanted.port);
        let text = CommandText {
            address: Some(device.names.address.clone()),
            parent: None,
            cmd: "wr".to_owned(),
            payload: payload.replace("{baud}", &wanted.baud.to_string()),
            dst: None,
            at: hub.now(),
        };
        let draft = cwm
            .draft(&text)
            .map_err(|invalid| HubError::Invalid { field: invalid.field, message: invalid.message })?;
        let mut order = draft.into_order("server");
        // The next one may follow then; a module that is away must not find a heap of them.
        order.expires_in = Some(ASKED_EVERY);
        hub.enqueue(order).await?;
        Ok(())
    }

    fn put(&self, wanted: WantedPort) {
        let mut wishes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        wishes.insert(wanted.device.clone(), wanted);
    }
}

/// A word or a number as text.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.trim().to_owned()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Real(_) | Value::Gap(_) => None,
    }
}

fn checked(device: &DeviceId, wish: &Json) -> Result<WantedPort, HubError> {
    let wrong = |message: String| HubError::invalid("wanted_port", message);
    let port = match wish.get("port") {
        Some(Json::String(port)) => port.to_ascii_lowercase(),
        Some(Json::Number(port)) => port.to_string(),
        Some(_) | None => String::new(),
    };
    if !PORTS.contains(&port.as_str()) {
        return Err(wrong(format!("port is one of {}", PORTS.join(", "))));
    }
    let baud = match wish.get("baud") {
        None | Some(Json::Null) => Some(BAUD),
        Some(baud) => baud.as_u64().and_then(|baud| u32::try_from(baud).ok()),
    };
    let baud = baud.filter(|baud| BAUDS.contains(baud));
    let baud =
        baud.ok_or_else(|| wrong(format!("baud is a number from {} to {}", BAUDS.start(), BAUDS.end())))?;
    Ok(WantedPort { device: device.clone(), port, baud, asked: None })
}

/// What a module may be told (§6.3).
const PORTS: [&str; 4] = ["232", "485", "ttl", USB];
const USB: &str = "usb";
/// The rate that the vendor prefers (§9.1).
const BAUD: u32 = 115_200;
/// §9.1: 9600 to 230400; more is possible for files.
const BAUDS: std::ops::RangeInclusive<u32> = 1200..=4_000_000;
const ASKED_EVERY: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(sensor: &str, value: Value) -> Reading {
        Reading { sensor: sensor.into(), value, created: None, counts: true }
    }

    fn said(port: Value, baud: Option<i64>) -> Option<Said> {
        let mut readings = vec![reading("ti", Value::Integer(40)), reading("port", port)];
        readings.extend(baud.map(|baud| reading("baud", Value::Integer(baud))));
        Said::of(readings.iter(), &CwmNames::default())
    }

    fn wanted(port: &str) -> WantedPort {
        checked(&DeviceId::new("1"), &json!({ "port": port })).unwrap()
    }

    #[test]
    fn a_heartbeat_is_compared_by_port_and_rate() {
        let text = |port: &str| Value::Text(port.to_owned());
        assert!(said(text("232"), Some(115_200)).unwrap().is(&wanted("232")));
        assert!(
            said(Value::Integer(232), None).unwrap().is(&wanted("232")),
            "a rate that is not said is right"
        );
        assert!(!said(text("232"), Some(9600)).unwrap().is(&wanted("232")));
        assert!(!said(text("non"), Some(115_200)).unwrap().is(&wanted("485")));
        assert!(said(text("usb"), Some(1)).unwrap().is(&wanted("usb")), "no rate on USB");
        assert_eq!(said(Value::Bool(true), None), None);
    }

    #[test]
    fn only_what_a_module_can_be_told_is_wanted() {
        let refused = [
            json!({}),
            json!({"port": "non"}),
            json!({"port": "232", "baud": 0}),
            json!({"port": "232", "baud": "fast"}),
            json!("232"),
        ];
        for wish in refused {
            assert!(checked(&DeviceId::new("1"), &wish).is_err(), "{wish}");
        }
        assert_eq!(checked(&DeviceId::new("1"), &json!({"port": 485, "baud": 9600})).unwrap().baud, 9600);
    }

    #[test]
    fn it_is_asked_once_in_ten_minutes() {
        let at = |minute: u64| Timestamp::from_micros(0).plus(Duration::from_mins(minute));
        let asked = WantedPort { asked: Some(at(20)), ..wanted("232") };
        assert!(wanted("232").may_ask(at(0)));
        assert!(!asked.may_ask(at(20)) && !asked.may_ask(at(29)));
        assert!(asked.may_ask(at(30)));
        assert!(asked.may_ask(at(5)), "a clock that was set back does not silence it");
    }
}
