//! What a device's amounts were in the last hour and day: the least, the mean and the greatest of each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::{Bucket, BucketFilter, HubError};
use crate::dictionary::{Chosen, Class};
use crate::model::{DeviceId, Timestamp, Value};
use crate::web::App;

/// A sensor's amounts.
pub(super) struct SummaryLine {
    pub(super) sensor: String,
    pub(super) label: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) hour: Option<Span>,
    pub(super) day: Option<Span>,
}

/// Amounts of a stretch of time, as people read them.
pub(super) struct Span {
    pub(super) least: String,
    pub(super) mean: String,
    pub(super) greatest: String,
    /// Of how many values.
    pub(super) count: u64,
}

/// Sensors with amounts in the last day, by name.
pub(super) async fn lines(
    app: &App,
    device: &DeviceId,
    chosen: &Chosen,
) -> Result<Vec<SummaryLine>, HubError> {
    let now = app.hub.now();
    let hour = gather(read(app, device, now, HOUR, MINUTE_S).await?, chosen);
    let day = gather(read(app, device, now, DAY, HOUR_S).await?, chosen);
    let mut found: BTreeMap<String, (Option<Bucket>, Option<Bucket>)> = BTreeMap::new();
    for bucket in hour {
        let sensor = bucket.sensor.clone();
        found.entry(sensor).or_default().0 = Some(bucket);
    }
    for bucket in day {
        let sensor = bucket.sensor.clone();
        found.entry(sensor).or_default().1 = Some(bucket);
    }
    Ok(found
        .into_iter()
        .map(|(sensor, (hour, day))| line(sensor, hour.as_ref(), day.as_ref(), chosen))
        .collect())
}

async fn read(
    app: &App,
    device: &DeviceId,
    now: Timestamp,
    back: Duration,
    length_s: u32,
) -> Result<Vec<Bucket>, HubError> {
    let to = now.plus(Duration::from_secs(1));
    let filter =
        BucketFilter { device: device.clone(), sensors: Vec::new(), from: now.minus(back), to, length_s };
    app.hub.buckets(filter).await
}

/// Puts the buckets of each sensor together. Codes are no amounts, and settings no measurements.
fn gather(buckets: Vec<Bucket>, chosen: &Chosen) -> Vec<Bucket> {
    let mut all: BTreeMap<String, Bucket> = BTreeMap::new();
    let measured = |sensor: &str| {
        let meaning = chosen.explain(sensor, &Value::Integer(0));
        chosen.is_amount(sensor) && meaning.is_none_or(|meaning| meaning.class == Class::Telemetry)
    };
    for bucket in buckets.into_iter().filter(|bucket| bucket.count > 0 && measured(&bucket.sensor)) {
        match all.get_mut(&bucket.sensor) {
            None => {
                all.insert(bucket.sensor.clone(), bucket);
            }
            Some(whole) => {
                whole.count += bucket.count;
                whole.min = whole.min.min(bucket.min);
                whole.max = whole.max.max(bucket.max);
                whole.sum += bucket.sum;
            }
        }
    }
    all.into_values().collect()
}

fn line(sensor: String, hour: Option<&Bucket>, day: Option<&Bucket>, chosen: &Chosen) -> SummaryLine {
    let meaning = chosen.explain(&sensor, &Value::Integer(0));
    let span = |bucket: &Bucket| Span {
        least: shown(chosen, &sensor, bucket.min),
        mean: shown(chosen, &sensor, bucket.avg()),
        greatest: shown(chosen, &sensor, bucket.max),
        count: bucket.count,
    };
    let (hour, day) = (hour.map(span), day.map(span));
    let (label, unit) = meaning.map_or((None, None), |meaning| (Some(meaning.label), meaning.unit));
    SummaryLine { sensor, label, unit, hour, day }
}

/// A number as its dictionary shows it, with no more digits than a mean deserves.
fn shown(chosen: &Chosen, sensor: &str, number: f64) -> String {
    let digits = match number.abs() {
        large if large >= 10.0 => 1,
        middling if middling >= 1.0 => 2,
        _ => 4,
    };
    let text = format!("{number:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let value = match (text.parse(), text.parse()) {
        (Ok(whole), _) => Value::Integer(whole),
        (Err(_), Ok(real)) => Value::Real(real),
        (Err(_), Err(_)) => Value::Text(text.to_owned()),
    };
    chosen.explain(sensor, &value).map_or_else(|| text.to_owned(), |meaning| meaning.shown)
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MINUTE_S: u32 = 60;
const HOUR_S: u32 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(sensor: &str, numbers: &[f64]) -> Bucket {
        Bucket {
            sensor: sensor.to_owned(),
            start: Timestamp::from_micros(0),
            count: u64::try_from(numbers.len()).unwrap(),
            min: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            max: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sum: numbers.iter().sum(),
            last: *numbers.last().unwrap(),
        }
    }

    #[test]
    fn buckets_of_a_sensor_become_one_and_the_mean_is_that_of_all_values() {
        let none = Chosen::default();
        let whole =
            gather(vec![bucket("hr", &[60.0, 62.0]), bucket("rr", &[14.0]), bucket("hr", &[71.0])], &none);
        let [hr, rr] = whole.as_slice() else { panic!("{whole:?}") };
        assert_eq!((hr.count, hr.min, hr.max), (3, 60.0, 71.0));
        let line = line("hr".to_owned(), Some(hr), None, &none);
        let hour = line.hour.unwrap();
        assert_eq!((hour.least.as_str(), hour.mean.as_str(), hour.greatest.as_str()), ("60", "64.3", "71"));
        assert!(line.day.is_none() && rr.count == 1);
    }

    #[test]
    fn numbers_have_the_digits_they_deserve() {
        let none = Chosen::default();
        let found =
            [61.0, 61.36, -10.04, 2.345, 0.123_456, 0.0, 1e15].map(|number| shown(&none, "x", number));
        assert_eq!(found, ["61", "61.4", "-10", "2.35", "0.1235", "0", "1000000000000000"]);
    }
}
