//! What history costs: some days of a device at one value a second, stored by the real engine, then read as plots.

use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use homeport::model::{
    Device, DeviceId, DeviceRef, DeviceState, FamilyName, Reading, SensorName, Seq, Timestamp, Value, Verdict,
};
use homeport::store::sqlite::{Sqlite, SqliteSettings};
use homeport::store::{BucketFilter, Bulk, Engine as _, Reader, ReportWrite, Write};

use crate::machine::Cpu;

/// Fills a store with days of a bed sensor's samples and reads plots out of it.
#[derive(Args)]
pub(crate) struct History {
    /// How many days.
    #[arg(long, default_value_t = 30)]
    days: i64,
    /// How many devices take turns; each has so many days.
    #[arg(long, default_value_t = 1)]
    devices: i64,
}

impl History {
    pub(crate) fn run(&self) {
        crate::runtime().block_on(self.measure());
    }

    async fn measure(&self) {
        let room = tempfile::tempdir().expect("a temporary folder");
        let path = room.path().join("homeport.db");
        let mut engine = Sqlite::open(&path, SqliteSettings::default()).expect("a new store");
        let (began, before) = (Instant::now(), Cpu::of(process::id()));
        let messages = self.fill(&mut engine).await;
        let spent = Cpu::of(process::id()).since(&before);
        let seconds = messages * ROWS;
        println!(
            "{} device(s), {} days at one row of {} values a second, {ROWS} rows a message: {messages} messages in {:.0} s",
            self.devices,
            self.days,
            SENSORS.len(),
            began.elapsed().as_secs_f64()
        );
        println!("CPU per message, committed, filed and merged: {:.1} µs", micros(spent) / messages as f64);
        let reader = engine.reader();
        let weight = weight(reader.as_ref()).await;
        println!(
            "bytes per stored second: {:.2} in pages with their sums ({:.1} MiB for a year of one node)",
            weight as f64 / seconds as f64,
            weight as f64 / seconds as f64 * 31_557_600.0 / 1_048_576.0
        );
        let file = std::fs::metadata(&path).map_or(0, |file| file.len());
        println!(
            "the whole file, ledger and bytes of {RAW} a message included: {:.1} MiB",
            file as f64 / 1_048_576.0
        );
        for (name, days, length_s, sensors) in [
            ("a day of one sensor by the minute", 1, 60, 1),
            ("a day of all sensors by the minute", 1, 60, 0),
            ("a day of one sensor by 10 s", 1, 10, 1),
            ("a day of one sensor by 47 s", 1, 47, 1),
            ("all days of one sensor by the hour", self.days, 3600, 1),
        ] {
            self.plot(reader.as_ref(), name, days, length_s, sensors).await;
        }
    }

    async fn fill(&self, engine: &mut Sqlite) -> i64 {
        let devices: Vec<Device> = (0..self.devices).map(device).collect();
        let names = SENSORS.map(SensorName::from);
        let per_device = self.days * DAY / ROWS;
        let mut batch = Vec::with_capacity(BATCH);
        for message in 0..per_device {
            for device in &devices {
                batch.push(Write::Report(Arc::new(report(device, &names, message))));
                if batch.len() == BATCH {
                    engine.commit(&batch).await.expect("the batch is stored");
                    batch.clear();
                    engine.chore(false);
                }
            }
        }
        engine.commit(&batch).await.expect("the batch is stored");
        while engine.chore(true).is_some() {}
        per_device * self.devices
    }

    async fn plot(&self, reader: &dyn Reader, name: &str, days: i64, length_s: u32, sensors: usize) {
        let to = START + self.days * DAY;
        let sensors: Vec<String> = SENSORS.iter().take(sensors).map(|name| (*name).to_owned()).collect();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let before = Cpu::of(process::id());
        let mut buckets = 0;
        for _ in 0..TIMES {
            let filter = BucketFilter {
                device: device(0).names.id,
                sensors: sensors.clone(),
                from: at(to - days * DAY),
                to: at(to),
                length_s,
            };
            buckets = reader.buckets(filter).await.expect("the plot").len();
        }
        let spent = Cpu::of(process::id()).since(&before);
        println!("{name}: {buckets} buckets, {:.2} ms of CPU", micros(spent) / 1000.0 / f64::from(TIMES));
    }
}

async fn weight(reader: &dyn Reader) -> u64 {
    let (mut bytes, mut after) = (0, Seq(0));
    loop {
        let weight = reader.weigh(Bulk::Readings, after, 10_000).await.expect("a weight");
        bytes += weight.bytes;
        let Some(upto) = weight.upto else { return bytes };
        after = upto;
    }
}

fn device(number: i64) -> Device {
    Device {
        names: DeviceRef {
            id: DeviceId::new(&format!("d{number:031}")),
            family: FamilyName::new("sca11h"),
            address: format!("node {number}"),
            name: format!("node {number}"),
        },
        state: DeviceState::Active,
        parent: None,
        created: Timestamp::from_micros(0),
        last_seen: None,
    }
}

/// A message of five rows, whose values wander as a sleeper's do.
fn report(device: &Device, names: &[SensorName], message: i64) -> ReportWrite {
    let mut readings = Vec::with_capacity(names.len() * ROWS as usize);
    for row in 0..ROWS {
        let second = message * ROWS + row;
        let noise = |span: i64, salt: i64| (((second + salt) * 2_654_435_761) >> 7).rem_euclid(span);
        let slow = |period: i64, span: i64| (second % period * span) / period;
        let values = [
            55 + slow(3000, 12) + noise(4, 1),
            13 + slow(1700, 4) + noise(2, 2),
            40 + slow(900, 20) + noise(6, 3),
            50 + slow(700, 40) + noise(9, 4),
            3000 + slow(5000, 900) + noise(150, 5),
            1,
            900 + slow(600, 120) + noise(40, 6),
        ];
        let created = Some(Timestamp::from_micros((START + second) * 1_000_000));
        for (sensor, value) in names.iter().zip(values) {
            readings.push(Reading {
                sensor: sensor.clone(),
                value: Value::Integer(value),
                created,
                counts: true,
            });
        }
    }
    let late = message * 7_919 % 90_000;
    let at = Timestamp::from_micros((START + message * ROWS + ROWS) * 1_000_000 + 300_000 + late);
    ReportWrite {
        devices: vec![Arc::new(device.clone())],
        device: Some(Arc::new(device.clone())),
        at,
        past: None,
        verdict: Verdict::Ok,
        hmac: None,
        fingerprint: Some(u128::try_from(message).unwrap_or_default().to_le_bytes()),
        peer: "192.0.2.7".to_owned(),
        raw: Bytes::from_static(&[b'x'; RAW]),
        readings,
        reply: None,
        via: None,
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const SENSORS: [&str; 7] = ["hr_bpm", "rr_rpm", "sv_index", "hrv_ms", "signal_strength", "status", "beat_ms"];
const ROWS: i64 = 5;
const DAY: i64 = 86_400;
/// A midnight.
const START: i64 = 1_699_920_000;
/// Messages of one transaction: as under load.
const BATCH: usize = 64;
/// Bytes of a message: short, since it is what was measured that is looked at.
const RAW: usize = 64;
/// How often each plot is read.
const TIMES: u32 = 20;
