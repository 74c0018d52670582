//! Rows → samples and readings, each second once (`sca11h.md §4.4, §4.5`). Pure; keeps of a node what the next message
//! needs.

use std::sync::LazyLock;

use super::beats::Series;
use super::body::Said;
use super::clock::Times;
use super::repeats::Repeats;
use super::sample::{Sample, Status};
use crate::model::{Gap, Reading, SensorName, Timestamp, Value};

/// What is known of a node from its messages so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Follow {
    repeats: Repeats,
    series: Series,
    /// HR, SV and HRV of the newest row.
    vitals: Option<[Option<i64>; 3]>,
    /// Which of HR, RR, SV and HRV were told to have a value; `None` before the first row.
    told: [Option<bool>; 4],
    /// Whether the device's clock was believed, and by how many seconds it was behind, as told last.
    clock: (Option<bool>, Option<i64>),
}

/// What a message brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// The seconds that are new, in the message's order.
    pub(super) samples: Vec<Sample>,
    /// How many were taken before.
    pub(super) repeated: usize,
}

impl Follow {
    /// Takes a message's rows.
    pub(super) fn take(&mut self, said: &Said, times: &Times) -> News {
        let mut news = News::default();
        let rows = said.measured.iter().flat_map(|measured| {
            let time = measured.time.as_deref();
            measured.rows.iter().map(move |row| (time, row))
        });
        for ((time, row), at) in rows.zip(&times.rows) {
            if !self.repeats.take(time, row, times.believed) {
                news.repeated += 1;
                continue;
            }
            let [hr_bpm, rr_rpm, sv_index, hrv_ms] = [row.hr, row.rr, row.sv, row.hrv].map(positive);
            let status = row.status.map_or(Status::Other(UNSAID), Status::from_code);
            let vitals = [hr_bpm, sv_index, hrv_ms];
            let fresh = status == Status::Occupied
                && hr_bpm.is_some_and(|hr| hr > HR_TRUSTED_ABOVE)
                && self.vitals != Some(vitals);
            self.vitals = Some(vitals);
            let beats: Vec<i64> = row.beats.into_iter().filter_map(positive).collect();
            news.samples.push(Sample {
                at: at.at,
                device_time: at.device,
                index: row.index,
                hr_bpm,
                rr_rpm,
                sv_index,
                hrv_ms,
                signal_strength: row.ss,
                status,
                beats_ms: self.series.take(at.at, &beats).to_vec(),
                fresh,
            });
        }
        news
    }

    /// What is stored of the samples, in their order. A value that ends is told once, as a gap.
    pub(super) fn readings(&mut self, samples: &[Sample], times: &Times) -> Vec<Reading> {
        let mut readings = Vec::with_capacity(samples.len() * 9 + 2);
        for sample in samples {
            self.sample(sample, &mut readings);
        }
        if let Some(last) = samples.last() {
            self.clock(times, last.at, &mut readings);
        }
        readings
    }

    fn sample(&mut self, sample: &Sample, into: &mut Vec<Reading>) {
        let at = sample.at;
        // Minute and hour summaries hold valid rows only (§11).
        let counts = sample.status == Status::Occupied && sample.hr_bpm.is_some();
        let vitals = [sample.hr_bpm, sample.rr_rpm, sample.sv_index, sample.hrv_ms];
        for ((value, told), sensor) in vitals.into_iter().zip(&mut self.told).zip(&SENSORS.vitals) {
            if value.is_some() || *told != Some(false) {
                let value = value.map_or(Value::Gap(Gap), Value::Integer);
                into.push(Reading { counts, ..reading(sensor, value, at) });
            }
            *told = Some(value.is_some());
        }
        if let Some(strength) = sample.signal_strength {
            into.push(Reading { counts, ..reading(&SENSORS.signal_strength, Value::Integer(strength), at) });
        }
        if sample.status != Status::Other(UNSAID) {
            // A code, whose mean is none.
            let code = Value::Integer(sample.status.code());
            into.push(Reading { counts: false, ..reading(&SENSORS.status, code, at) });
        }
        // The oldest first: the series in its order (§4.4).
        for beat in sample.beats_ms.iter().rev() {
            into.push(Reading { counts, ..reading(&SENSORS.beat_ms, Value::Integer(*beat), at) });
        }
        into.push(reading(&SENSORS.fresh, Value::Bool(sample.fresh), at));
    }

    /// How the device's clock stands, when that changed.
    fn clock(&mut self, times: &Times, at: Timestamp, into: &mut Vec<Reading>) {
        let behind_s = times.behind_us.map(|behind| behind.div_euclid(1_000_000));
        let (believed, told_s) = self.clock;
        if believed != Some(times.believed) {
            let source = if times.believed { "device" } else { "arrival" };
            into.push(reading(&SENSORS.time_source, Value::Text(source.to_owned()), at));
        }
        let jumped = match (told_s, behind_s) {
            (Some(told), Some(now)) => told.abs_diff(now) >= SKEW_STEP_S,
            (None, Some(_)) | (Some(_), None) => true,
            (None, None) => false,
        };
        if jumped {
            let value = behind_s.map_or(Value::Gap(Gap), Value::Integer);
            into.push(reading(&SENSORS.clock_skew_s, value, at));
        }
        self.clock = (Some(times.believed), if jumped { behind_s } else { told_s });
    }
}

/// The names that are stored.
struct Sensors {
    vitals: [SensorName; 4],
    signal_strength: SensorName,
    status: SensorName,
    beat_ms: SensorName,
    fresh: SensorName,
    time_source: SensorName,
    clock_skew_s: SensorName,
}

static SENSORS: LazyLock<Sensors> = LazyLock::new(|| Sensors {
    vitals: ["hr_bpm", "rr_rpm", "sv_index", "hrv_ms"].map(SensorName::from),
    signal_strength: "signal_strength".into(),
    status: "status".into(),
    beat_ms: "beat_ms".into(),
    fresh: "fresh".into(),
    time_source: "time_source".into(),
    clock_skew_s: "clock_skew_s".into(),
});

fn reading(sensor: &SensorName, value: Value, at: Timestamp) -> Reading {
    Reading { sensor: sensor.clone(), value, created: Some(at), counts: true }
}

/// Zero means that there is no value (§4.4); so does what is below.
fn positive(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value > 0)
}

/// The status of a row that has none.
const UNSAID: i64 = i64::MIN;
/// The display app trusts higher heart rates only (§4.4).
const HR_TRUSTED_ABOVE: i64 = 35;
/// The skew is told again when it moved so far.
const SKEW_STEP_S: u64 = 5;

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
