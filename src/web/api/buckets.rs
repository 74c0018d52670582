//! Numbers gathered into buckets of time, for plots: `agg`, `bucket_s`.

use std::time::Duration;

use serde::Serialize;

use crate::core::{Bucket, BucketFilter};
use crate::model::{DeviceId, Timestamp};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::params::{Listed, Params};

/// One sensor's numbers in one stretch of time; of the rest what was asked for.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Bucket)]
pub(crate) struct BucketShape {
    sensor: String,
    /// When it begins.
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<f64>,
}

/// What is asked of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Min,
    Max,
    Avg,
    Count,
    Last,
}

impl Aggregate {
    const ALL: [Self; 5] = [Self::Min, Self::Max, Self::Avg, Self::Count, Self::Last];
    const WORDS: &'static str = "min, max, avg, count, last";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            "avg" => Some(Self::Avg),
            "count" => Some(Self::Count),
            "last" => Some(Self::Last),
            _ => None,
        }
    }
}

/// Whether a query asks for buckets rather than for values.
pub(super) fn are_asked_for(params: &Params) -> bool {
    params.text("bucket_s").is_some() || params.text("agg").is_some()
}

/// The buckets that a query asks for.
pub(super) async fn list(
    app: &App,
    device: DeviceId,
    params: &Params,
) -> Result<Listed<BucketShape>, WebError> {
    let wanted = aggregates(params)?;
    let length_s = length(params)?;
    let to = params.time("to")?.unwrap_or_else(|| app.hub.now());
    let from = params.time("from")?;
    let from = from.ok_or_else(|| WebError::field("from", "buckets need from, the time they begin at"))?;
    check(from, to, length_s)?;
    let sensors = super::data::sensors(params)?;
    let several = if sensors.is_empty() { app.hub.latest(&device).await?.len() } else { sensors.len() };
    check_all(count(from, to, length_s), several)?;
    let filter = BucketFilter { device, sensors, from, to, length_s };
    let buckets = app.hub.buckets(filter).await?;
    Ok(Listed::whole(buckets.iter().map(|bucket| BucketShape::new(bucket, &wanted)).collect()))
}

impl BucketShape {
    fn new(bucket: &Bucket, wanted: &[Aggregate]) -> Self {
        let of = |aggregate, number: f64| wanted.contains(&aggregate).then_some(number);
        Self {
            sensor: bucket.sensor.clone(),
            time: bucket.start,
            min: of(Aggregate::Min, bucket.min),
            max: of(Aggregate::Max, bucket.max),
            avg: of(Aggregate::Avg, bucket.avg()),
            count: wanted.contains(&Aggregate::Count).then_some(bucket.count),
            last: of(Aggregate::Last, bucket.last),
        }
    }
}

fn aggregates(params: &Params) -> Result<Vec<Aggregate>, WebError> {
    let Some(text) = params.text("agg") else { return Ok(Aggregate::ALL.to_vec()) };
    let word = |word: &str| {
        Aggregate::parse(word.trim())
            .ok_or_else(|| WebError::field("agg", format!("agg is one or more of {}", Aggregate::WORDS)))
    };
    text.split(',').map(word).collect()
}

fn length(params: &Params) -> Result<u32, WebError> {
    let Some(text) = params.text("bucket_s") else {
        return Err(WebError::field("bucket_s", "agg needs bucket_s, the length of a bucket in seconds"));
    };
    let length = text.parse::<u32>().ok().filter(|length| (1..=LENGTH_MAX_S).contains(length));
    length.ok_or_else(|| {
        WebError::field("bucket_s", format!("bucket_s is a whole number of seconds from 1 to {LENGTH_MAX_S}"))
    })
}

/// How many buckets of one sensor there may be.
fn count(from: Timestamp, to: Timestamp, length_s: u32) -> i64 {
    let length = i64::from(length_s) * 1_000_000;
    let (first, last) = (from.micros().div_euclid(length), to.micros().saturating_sub(1).div_euclid(length));
    last.saturating_sub(first).saturating_add(1)
}

/// Refuses what would be too much of all sensors together.
fn check_all(buckets: i64, sensors: usize) -> Result<(), WebError> {
    let all = buckets.saturating_mul(i64::try_from(sensors).unwrap_or(i64::MAX));
    if all <= ALL_BUCKETS_MAX {
        return Ok(());
    }
    let message = format!(
        "{sensors} sensors of {buckets} buckets are {all}, more than {ALL_BUCKETS_MAX}: name fewer sensors, ask for less \
         time, or for longer buckets"
    );
    Err(WebError::field("sensor", message))
}

/// Refuses what would be too much to read, or to send.
fn check(from: Timestamp, to: Timestamp, length_s: u32) -> Result<(), WebError> {
    if from >= to {
        return Err(WebError::field("from", "from is a time before to"));
    }
    let buckets = count(from, to, length_s);
    if buckets > BUCKETS_MAX {
        let seconds = to.seconds().saturating_sub(from.seconds());
        let enough = seconds.div_euclid(BUCKETS_MAX - 1).saturating_add(1);
        let message = format!(
            "from, to and bucket_s make {buckets} buckets, more than {BUCKETS_MAX}: ask for less time, or set bucket_s to \
             {enough} or more"
        );
        return Err(WebError::field("bucket_s", message));
    }
    if !length_s.is_multiple_of(60) && to > from.plus(FINE_MAX) {
        let message = "for more than 31 days bucket_s is a multiple of 60, so that it is read from summaries";
        return Err(WebError::field("bucket_s", message));
    }
    Ok(())
}

/// Buckets of one sensor at most: a year by the hour is 8,784.
const BUCKETS_MAX: i64 = 10_000;
/// Buckets of all sensors at most: some 30 MB of text.
const ALL_BUCKETS_MAX: i64 = 250_000;
/// A year.
const LENGTH_MAX_S: u32 = 366 * 24 * 60 * 60;
/// How much time is read value by value at most.
const FINE_MAX: Duration = Duration::from_hours(31 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(days: i64, length_s: u32) -> Option<String> {
        let from = Timestamp::from_micros(1_700_000_000_000_000);
        let to = Timestamp::from_micros(from.micros() + days * 86_400_000_000);
        check(from, to, length_s).err().map(|error| error.to_string())
    }

    #[test]
    fn what_is_too_much_is_refused_with_a_way_out() {
        assert_eq!(refusal(366, 3600), None);
        assert_eq!(refusal(1, 10), None);
        assert_eq!(refusal(31, 307), None);
        let text = refusal(1, 1).unwrap();
        assert!(text.contains("make 86400 buckets") && text.contains("bucket_s to 9 or more"), "{text}");
        assert_eq!(refusal(1, 9), None);
        assert!(refusal(32, 307).unwrap().contains("a multiple of 60"));
        assert_eq!(refusal(32, 300), None);
        assert!(refusal(0, 60).unwrap().contains("before to"));
        assert!(check_all(10_000, 25).is_ok());
        let text = check_all(10_000, 26).err().unwrap().to_string();
        assert!(text.contains("are 260000, more than 250000"), "{text}");
    }
}
