//! Plots of what a device measured: a drawing for each sensor, which a script brings to life.

mod drawing;

use std::collections::BTreeMap;
use std::time::Duration;

use self::drawing::Stretch;
use super::marks::Marks;
use crate::core::{Bucket, BucketFilter, HubError};
use crate::dictionary::{Chosen, Class};
use crate::model::{DeviceId, Timestamp, Value};
use crate::web::App;
use crate::web::page::bounds;

/// How far back the plots go, by the word in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    pub(super) span_s: u32,
    /// The length of a bucket of the server's drawing.
    length_s: u32,
}

/// What can be chosen, the shortest first.
pub(super) const RANGES: [Range; 8] = [
    Range { word: "1m", name: "1 minute", span_s: 60, length_s: 1 },
    Range { word: "10m", name: "10 minutes", span_s: 600, length_s: 5 },
    Range { word: "1h", name: "1 hour", span_s: 3600, length_s: 15 },
    Range { word: "6h", name: "6 hours", span_s: 6 * 3600, length_s: 60 },
    Range { word: "1d", name: "1 day", span_s: 86_400, length_s: 300 },
    Range { word: "7d", name: "7 days", span_s: 7 * 86_400, length_s: 3600 },
    Range { word: "30d", name: "30 days", span_s: 30 * 86_400, length_s: 3 * 3600 },
    Range { word: "1y", name: "1 year", span_s: 365 * 86_400, length_s: 86_400 },
];

impl Range {
    /// The one with a word; an hour when nobody said another.
    pub(super) fn chosen(word: Option<&str>) -> Self {
        let [_, _, hour, ..] = RANGES;
        word.and_then(|word| RANGES.into_iter().find(|range| range.word == word)).unwrap_or(hour)
    }
}

/// The plots of a page.
pub(super) struct Plots {
    pub(super) range: Range,
    /// Seconds between two messages of the device, where that is known.
    pub(super) pace_s: Option<u64>,
    pub(super) figures: Vec<Figure>,
    /// Sensors that have a plot too and are not shown.
    pub(super) more: usize,
}

/// One plot.
pub(super) struct Figure {
    pub(super) sensor: String,
    pub(super) label: String,
    pub(super) unit: Option<String>,
    pub(super) factor: f64,
    pub(super) offset: f64,
    /// What is in order, as JSON for the script and in words.
    pub(super) bounds: String,
    pub(super) bounds_words: Option<String>,
    /// When alerts fired, as JSON.
    pub(super) fired: String,
    /// Whether one fires now.
    pub(super) fires: bool,
    /// The server's own drawing, as SVG.
    pub(super) drawing: String,
}

/// What is to be drawn.
pub(super) struct Wanted<'a> {
    pub(super) device: &'a DeviceId,
    pub(super) chosen: &'a Chosen,
    pub(super) marks: &'a Marks,
    pub(super) range: Range,
    pub(super) rhythm: Option<Duration>,
    /// Whether all sensors are shown, however many.
    pub(super) all: bool,
    /// The sensors that the device has: its newest values.
    pub(super) sensors: Vec<(String, Value)>,
}

/// Draws what a device measured.
pub(super) async fn draw(app: &App, wanted: Wanted<'_>) -> Result<Plots, HubError> {
    let Wanted { device, chosen, marks, range, rhythm, all, sensors } = wanted;
    let mut sensors: Vec<String> = sensors
        .into_iter()
        .filter(|(sensor, value)| is_drawn(chosen, sensor, value))
        .map(|(sensor, _)| sensor)
        .collect();
    let most = if all { sensors.len() } else { FIGURES_MAX };
    let more = sensors.len().saturating_sub(most);
    sensors.truncate(most);
    let to = app.hub.now().plus(Duration::from_secs(1));
    let from = to.minus(Duration::from_secs(range.span_s.into()));
    let mut buckets = read(app, device, &sensors, from, to, range.length_s).await?;
    let apart_s = (range.length_s.saturating_mul(5) / 2).max(rhythm.map_or(0, three_times));
    let stretch = Stretch { from, to, length_s: range.length_s, apart_s };
    let figures = sensors.into_iter().map(|sensor| {
        let (factor, offset) = chosen.scaling(&sensor);
        let (bounds, fired) = (marks.bounds(chosen, &sensor), marks.fired(&sensor));
        let meaning = chosen.explain(&sensor, &Value::Integer(0));
        let (label, unit) = meaning.map_or((sensor.clone(), None), |meaning| (meaning.label, meaning.unit));
        let own = buckets.remove(&sensor).unwrap_or_default();
        let drawing = drawing::svg(&stretch, &own, &bounds, &fired, |number| number.mul_add(factor, offset));
        Figure {
            bounds: json(&bounds),
            bounds_words: bounds::words(&bounds),
            fired: json(&fired),
            fires: marks.fires(&sensor),
            sensor,
            label,
            unit,
            factor,
            offset,
            drawing,
        }
    });
    let figures = figures.collect();
    Ok(Plots { range, pace_s: rhythm.map(|rhythm| rhythm.as_secs()), figures, more })
}

/// Amounts are drawn, and truths; no codes, and nothing that a device is or is set to.
fn is_drawn(chosen: &Chosen, sensor: &str, newest: &Value) -> bool {
    let drawn = match newest {
        Value::Integer(_) | Value::Real(_) | Value::Gap(_) => chosen.is_amount(sensor),
        Value::Bool(_) | Value::Text(_) => false,
    };
    let meaning = chosen.explain(sensor, newest);
    drawn && meaning.is_none_or(|meaning| meaning.class == Class::Telemetry)
}

async fn read(
    app: &App,
    device: &DeviceId,
    sensors: &[String],
    from: Timestamp,
    to: Timestamp,
    length_s: u32,
) -> Result<BTreeMap<String, Vec<Bucket>>, HubError> {
    let mut found: BTreeMap<String, Vec<Bucket>> = BTreeMap::new();
    if sensors.is_empty() {
        return Ok(found);
    }
    let filter = BucketFilter { device: device.clone(), sensors: sensors.to_vec(), from, to, length_s };
    for bucket in app.hub.buckets(filter).await? {
        found.entry(bucket.sensor.clone()).or_default().push(bucket);
    }
    Ok(found)
}

/// For an attribute: numbers, which always have a text.
fn json(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

fn three_times(rhythm: Duration) -> u32 {
    u32::try_from(rhythm.as_secs().saturating_mul(3)).unwrap_or(u32::MAX)
}

/// So many plots are on a page unless all are asked for.
const FIGURES_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_shown_unless_another_range_is_known() {
        assert_eq!(Range::chosen(None).word, "1h");
        assert_eq!(Range::chosen(Some("a week")).word, "1h");
        assert_eq!(Range::chosen(Some("1y")).span_s, 31_536_000);
    }

    #[test]
    fn a_drawing_has_a_few_hundred_buckets_of_whole_lengths() {
        for range in RANGES {
            assert!((60..=400).contains(&(range.span_s / range.length_s)), "{range:?}");
            assert_eq!(range.span_s % range.length_s, 0, "{range:?}");
        }
    }
}
