//! What is in memory of each device: its configuration, its sensors, its pace, and what it lost.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::config::Config;
use super::gauge::Gauge;
use super::pace::{Allowance, Pace};
use super::record::Record;
use crate::core::{Hub, HubError};
use crate::family::Facts;
use crate::model::{DeviceId, SensorName, Timestamp};

/// Every device that was heard since the start.
#[derive(Debug, Default)]
pub(super) struct Devices(Mutex<HashMap<DeviceId, One>>);

/// One of them.
#[derive(Clone, Debug, Default)]
pub(super) struct One(Arc<Mutex<State>>);

/// What is known of one.
#[derive(Debug, Default)]
struct State {
    /// As it was read last, and when.
    config: Option<(Timestamp, Config)>,
    /// The sensors it has; `None` until they were looked up.
    sensors: Option<HashSet<SensorName>>,
    pace: Pace,
    lost: Lost,
    rejected: Option<Rejected>,
    /// How far its clock is ahead of ours, in seconds, where that is more than a day.
    clock_ahead_s: Option<i64>,
}

/// What a device sent and was not kept, since this server's start.
#[derive(Clone, Debug, Default, Serialize)]
struct Lost {
    /// Values that were none, or over a limit.
    values: u64,
    /// Records that came too fast.
    too_fast: u64,
    /// The newest cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

/// Calls for a device that were turned away, since this server's start: with a token that had ended, or while it was
/// blocked.
#[derive(Clone, Debug, Serialize)]
struct Rejected {
    count: u64,
    /// The newest.
    at: Timestamp,
    /// Who called.
    peer: IpAddr,
    cause: String,
}

impl One {
    /// What must be known of a device before its upload is read.
    pub(super) async fn prepare(&self, hub: &Hub, device: &DeviceId) -> Result<Option<Gauge>, HubError> {
        let now = hub.now();
        let (config_due, sensors_due) = {
            let state = self.lock();
            let due = |(at, _): &(Timestamp, Config)| now < *at || now >= at.plus(CONFIG_READ_EVERY);
            (state.config.as_ref().is_none_or(due), state.sensors.is_none())
        };
        if config_due {
            // Another server on the same store may have changed it.
            let config = hub.kept::<Config>(device.as_str()).await?;
            self.lock().config = Some((now, config.unwrap_or_else(|| Config::none(device.clone()))));
        }
        if sensors_due {
            let known = hub.latest(device).await?.into_iter().map(|datum| datum.sensor);
            let mut state = self.lock();
            state.sensors.get_or_insert_default().extend(known);
        }
        Ok(self.lock().config.as_ref().and_then(|(_, config)| config.gauge()))
    }

    /// Takes records off the allowance of a device, or counts them as lost.
    pub(super) fn spend(&self, records: usize, allowed: Allowance, now: Timestamp) -> Result<(), u64> {
        let mut state = self.lock();
        state.pace.spend(records, allowed, now).inspect_err(|_| {
            state.lost.too_fast += records as u64;
            state.lost.cause = Some(format!("more than {} records a second", allowed.per_second));
            state.lost.at = Some(now);
        })
    }

    /// Leaves out values of sensors that would be more than a device has, and counts what is lost.
    pub(super) fn admit(&self, records: &mut [Record], now: Timestamp) {
        let mut state = self.lock();
        let sensors = state.sensors.get_or_insert_default();
        for record in records.iter_mut() {
            let before = record.readings.len();
            record.readings.retain(|reading| {
                sensors.contains(&reading.sensor)
                    || (sensors.len() < SENSORS_MAX && sensors.insert(reading.sensor.clone()))
            });
            if before > record.readings.len() {
                record.dropped += before - record.readings.len();
                record.fault.get_or_insert_with(|| format!("the device has {SENSORS_MAX} sensors already"));
            }
        }
        for record in records.iter() {
            state.lost.values += record.dropped as u64;
            if let Some(fault) = &record.fault {
                state.lost.cause = Some(fault.clone());
                state.lost.at = Some(now);
            }
        }
        if let Some(created) = records.iter().filter_map(|record| record.created).max() {
            let ahead = (created.micros() - now.micros()).div_euclid(1_000_000);
            state.clock_ahead_s = (created > now.plus(AHEAD)).then_some(ahead);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a plain assignment: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Devices {
    /// What is known of a device.
    pub(super) fn one(&self, device: &DeviceId) -> One {
        let mut all = self.all();
        if let Some(one) = all.get(device) {
            return one.clone();
        }
        all.entry(device.clone()).or_default().clone()
    }

    /// A call for the device was turned away.
    pub(super) fn rejected(&self, device: &DeviceId, peer: IpAddr, cause: String, at: Timestamp) {
        let one = self.one(device);
        let mut state = one.lock();
        let count = state.rejected.as_ref().map_or(0, |before| before.count) + 1;
        state.rejected = Some(Rejected { count, at, peer, cause });
    }

    /// A configuration was set here.
    pub(super) fn configured(&self, device: &DeviceId, config: Config, now: Timestamp) {
        self.one(device).lock().config = Some((now, config));
    }

    /// What people see of it.
    pub(super) fn facts(&self, device: &DeviceId) -> Facts {
        let one = self.one(device);
        let state = one.lock();
        let mut facts = Facts::new();
        facts.insert("lost".to_owned(), json!(state.lost));
        if let Some(rejected) = &state.rejected {
            facts.insert("rejected_calls".to_owned(), json!(rejected));
        }
        if let Some(ahead) = state.clock_ahead_s {
            facts.insert("clock_ahead_s".to_owned(), ahead.into());
        }
        facts
    }

    /// Drops what is known of devices that are no more.
    pub(super) fn sweep(&self, hub: &Hub) {
        self.all().retain(|device, _| hub.device(device).is_some());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<DeviceId, One>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// §4.
const SENSORS_MAX: usize = 256;
/// A time of a device further ahead is kept, and people are told (§4).
const AHEAD: Duration = Duration::from_hours(24);
const CONFIG_READ_EVERY: Duration = Duration::from_mins(1);
