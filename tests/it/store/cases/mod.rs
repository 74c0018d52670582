//! The cases, and what they are made of.

pub(crate) mod audit_log;
pub(crate) mod devices;
pub(crate) mod history;
pub(crate) mod ledger;
pub(crate) mod people;
pub(crate) mod prune;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod reports;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use homeport::model::{
    CommandId, Device, DeviceId, DeviceRef, DeviceState, Draft, FamilyName, Priority, Reading, Timestamp,
    Value, Verdict,
};
use homeport::store::{Outcome, ReportWrite, Reported, Store, StoreError, Write};
use tokio::task::JoinHandle;

/// A time, in seconds after the start of the test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

/// An active device.
pub(crate) fn device(id: &str, address: &str) -> Device {
    Device {
        names: DeviceRef {
            id: DeviceId::new(id),
            family: FamilyName::new("cwm"),
            address: address.to_owned(),
            name: address.to_owned(),
        },
        state: DeviceState::Active,
        parent: None,
        created: at(0),
        last_seen: None,
    }
}

/// A sound message of a device, which may fetch for itself.
pub(crate) fn report(device: &Device, at: Timestamp, text: &str) -> ReportWrite {
    ReportWrite {
        devices: vec![Arc::new(device.clone())],
        device: Some(Arc::new(device.clone())),
        at,
        past: None,
        verdict: Verdict::Ok,
        hmac: None,
        fingerprint: None,
        peer: "192.0.2.7".to_owned(),
        raw: Bytes::from(text.to_owned()),
        readings: Vec::new(),
        reply: None,
        via: Some(device.names.id.clone()),
    }
}

/// A reading of text.
pub(crate) fn text_reading(sensor: &str, text: &str) -> Reading {
    Reading { sensor: sensor.into(), value: Value::Text(text.to_owned()), created: None, counts: true }
}

/// A command for a device that another fetches; its bytes name its number. It lives for an hour.
pub(crate) fn draft(id: &str, device: &Device, via: &Device, at: Timestamp) -> Draft {
    Draft {
        id: CommandId::new(id),
        device: device.names.clone(),
        via: via.names.clone(),
        cmd: "wr".to_owned(),
        payload: r#"{"port":1}"#.to_owned(),
        encode: Arc::new(|number| Ok(Bytes::from(format!("command {number}")))),
        priority: Priority::Normal,
        waiting_max: 1000,
        at,
        expires: at.plus(Duration::from_hours(1)),
        by: "user:mira".to_owned(),
    }
}

/// Stores a message that must be taken.
pub(crate) async fn store_report(store: &Store, report: ReportWrite) -> Reported {
    match store.write(Write::Report(Arc::new(report))).await.unwrap() {
        Outcome::Reported(reported) => reported,
        other => panic!("{other:?}"),
    }
}

/// Makes devices.
pub(crate) async fn make(store: &Store, devices: &[&Device]) {
    for device in devices {
        store.write(Write::Device(Box::new((*device).clone()))).await.unwrap();
    }
}

/// So many reports at once, each from a task of its own.
pub(crate) fn flood(store: &Store, reports: i64) -> Vec<JoinHandle<Result<Outcome, StoreError>>> {
    (0..reports)
        .map(|n| {
            let store = store.clone();
            let device = device(&format!("d{}", n % 7), &format!("D{}", n % 7));
            let report = report(&device, at(n), &format!("message {n}"));
            tokio::spawn(async move { store.write(Write::Report(Arc::new(report))).await })
        })
        .collect()
}
