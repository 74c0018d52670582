//! What people are told: the messages that an alert makes. Pure.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::core::{Delivery, DeliveryState};
use crate::model::{Alert, AlertState, Side, Timestamp};

/// Why people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It fires.
    Firing,
    /// It still does: the so-manieth time that they are reminded.
    Reminder(u32),
    /// It is over.
    Resolved,
}

impl Occasion {
    const fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reminder(_) => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// The message to one channel. Its id follows from what it is about: the same one is never made twice.
pub(super) fn message(
    alert: &Alert,
    occasion: Occasion,
    channel: &str,
    nth: u32,
    now: Timestamp,
) -> Delivery {
    let count = match occasion {
        Occasion::Reminder(count) => count,
        Occasion::Firing | Occasion::Resolved => 0,
    };
    let id = digest(&[&alert.id, occasion.word(), &count.to_string(), channel]);
    let text = sentence(alert, occasion);
    let body = json!({
        "id": id,
        "event": occasion.word(),
        "sent": now,
        "text": text,
        "rule": {"id": alert.rule, "name": alert.rule_name, "kind": alert.kind},
        "device": alert.device,
        "alert": {
            "id": alert.id,
            "state": alert.state,
            "sensor": alert.sensor,
            "side": alert.side,
            "value": alert.value,
            "bound": alert.bound,
            "since": alert.since,
            "fired": alert.fired,
            "resolved": alert.resolved,
            "reminders": alert.reminders,
        },
    });
    Delivery {
        id,
        channel: channel.to_owned(),
        alert: Some(alert.id.clone()),
        event: occasion.word().to_owned(),
        text,
        body: body.to_string(),
        made: now,
        nth,
        state: DeliveryState::Waiting,
        attempts: 0,
        due: now,
        tries: Vec::new(),
    }
}

/// A message that only shows that messages arrive.
pub(super) fn test(channel: &str, id: &str, now: Timestamp) -> Delivery {
    let text = "This is a test of homeport: nothing is wrong.".to_owned();
    let body = json!({"id": id, "event": "test", "sent": now, "text": text});
    Delivery {
        id: id.to_owned(),
        channel: channel.to_owned(),
        alert: None,
        event: "test".to_owned(),
        text,
        body: body.to_string(),
        made: now,
        nth: 0,
        state: DeliveryState::Waiting,
        attempts: 0,
        due: now,
        tries: Vec::new(),
    }
}

/// An id that follows from words: 128 bits in hexadecimal digits.
pub(super) fn digest(words: &[&str]) -> String {
    let mut sum = Sha256::new();
    for word in words {
        sum.update(word.len().to_be_bytes());
        sum.update(word.as_bytes());
    }
    let sum = sum.finalize();
    hex(sum.get(..16).unwrap_or_default())
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// How an alert stands, in one sentence.
pub fn now(alert: &Alert) -> String {
    sentence(alert, if alert.state == AlertState::Firing { Occasion::Firing } else { Occasion::Resolved })
}

fn sentence(alert: &Alert, occasion: Occasion) -> String {
    let name = &alert.device.name;
    let sensor = alert.sensor.as_deref().map(|sensor| format!(" {sensor}")).unwrap_or_default();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let still = match occasion {
        Occasion::Reminder(_) => "still ",
        Occasion::Firing | Occasion::Resolved => "",
    };
    let rule = &alert.rule_name;
    match (alert.state, alert.side, alert.kind.as_str()) {
        (AlertState::Resolved, Side::Low | Side::High, _) => {
            let last = alert.events.last().and_then(|event| event.value);
            let value = last.map(|value| format!(" at {value}")).unwrap_or_default();
            format!("{name}{sensor} is well again{value} ({rule})")
        }
        (AlertState::Resolved, Side::Silent, _) => format!("{name}{sensor} is heard again ({rule})"),
        (AlertState::Firing, Side::Low, _) => {
            format!(
                "{name}{sensor} is {still}below {}: {} ({rule})",
                number(alert.bound),
                number(alert.value)
            )
        }
        (AlertState::Firing, Side::High, _) => {
            format!(
                "{name}{sensor} is {still}above {}: {} ({rule})",
                number(alert.bound),
                number(alert.value)
            )
        }
        (AlertState::Firing, Side::Silent, "offline") => format!("{name} is {still}offline ({rule})"),
        (AlertState::Firing, Side::Silent, _) => {
            format!(
                "no data from {name}{sensor}, {still}silent for more than {} s ({rule})",
                number(alert.bound)
            )
        }
    }
}
