//! A bed after a restart: what it was when it was left, from what is stored of it.

use std::collections::HashMap;
use std::time::Duration;

use super::presence::{Bed, PresenceSettings, Second};
use super::sample::Status;
use crate::core::{DataFilter, Hub, HubError};
use crate::model::{Datum, DeviceId, Value};

/// The bed of a device that speaks for the first time since the start. One that nothing is stored of is new.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn bed(hub: &Hub, device: &DeviceId, rule: &PresenceSettings) -> Result<Bed, HubError> {
    let latest = hub.latest(device).await?;
    let Some(last) = latest.iter().find(|datum| datum.sensor == STATUS) else { return Ok(Bed::default()) };
    let of = |sensor: &str| DataFilter {
        whose: device.clone().into(),
        sensors: vec![sensor.to_owned()],
        from: Some(last.time_received.minus(LOOKED_BACK)),
        limit: ROWS_MAX,
        ..DataFilter::default()
    };
    let (status, fresh) = (hub.data(of(STATUS)).await?, hub.data(of(FRESH)).await?);
    Ok(Bed::recalled(&latest, &seconds(status, fresh), rule))
}

/// Puts the columns of the last seconds together again.
fn seconds(status: Vec<(DeviceId, Datum)>, fresh: Vec<(DeviceId, Datum)>) -> Vec<Second> {
    let fresh: HashMap<_, _> =
        fresh.into_iter().map(|(_, datum)| ((datum.seq, datum.time_created), datum.value)).collect();
    let second = |(_, datum): (DeviceId, Datum)| {
        let Value::Integer(code) = datum.value else { return None };
        let fresh = fresh.get(&(datum.seq, datum.time_created));
        Some(Second {
            at: datum.time_created?,
            status: Status::from_code(code),
            fresh: matches!(fresh, Some(Value::Bool(true))),
        })
    };
    status.into_iter().filter_map(second).collect()
}

/// What the columns are called.
const STATUS: &str = "status";
const FRESH: &str = "fresh";
/// Two messages at the longest report interval of 90 s (§1.1), which hold more seconds than any rule looks at.
const LOOKED_BACK: Duration = Duration::from_secs(100);
/// More than come in that time, one a second.
const ROWS_MAX: u32 = 1000;
