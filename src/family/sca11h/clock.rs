//! When a row was measured: by the device's clock, or reckoned from the arrival when that clock is off
//! (`sca11h.md §4.5`). Pure.

use std::time::Duration;

use super::body::Said;
use crate::model::Timestamp;

/// The times of a node's rows in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// A time for each row, in the message's order.
    pub(super) rows: Vec<RowTime>,
    /// By how much the device's clock was behind at the last row; what a message takes to arrive is part of it. `None`
    /// when the message has no time that can be read.
    pub(super) behind_us: Option<i64>,
    /// Whether the device's clock is believed.
    pub(super) believed: bool,
}

/// One row's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowTime {
    /// What counts.
    pub(super) at: Timestamp,
    /// What the device's clock says.
    pub(super) device: Option<Timestamp>,
}

/// Gives each row its time.
pub(super) fn times(said: &Said, arrived: Timestamp, offset_s: i64, skew_max: Duration) -> Times {
    let device: Vec<Option<Timestamp>> = said
        .measured
        .iter()
        .flat_map(|measured| {
            let start = measured.time.as_deref().and_then(parse);
            let start = start.map(|start| moved(start, offset_s));
            measured.rows.iter().map(move |row| Some(moved(start?, row.index?)))
        })
        .collect();
    let last = device.last().copied().flatten();
    let behind_us = last.map(|last| arrived.micros().saturating_sub(last.micros()));
    let most = u64::try_from(skew_max.as_micros()).unwrap_or(u64::MAX);
    let believed = behind_us.is_some_and(|behind| behind.unsigned_abs() <= most);
    let reckoned = ages(said).into_iter().map(|age_s| moved(arrived, -age_s));
    let rows = device
        .into_iter()
        .zip(reckoned)
        .map(|(device, reckoned)| RowTime { at: device.filter(|_| believed).unwrap_or(reckoned), device })
        .collect();
    Times { rows, behind_us, believed }
}

/// How many seconds before the last row each row was measured: by the index, or by its place where the index does
/// not help.
fn ages(said: &Said) -> Vec<i64> {
    let indexes: Vec<Option<i64>> =
        said.measured.iter().flat_map(|measured| measured.rows.iter().map(|row| row.index)).collect();
    let mut ages = vec![0; indexes.len()];
    let mut age = 0_i64;
    for at in (1..indexes.len()).rev() {
        let step = match (indexes.get(at - 1).copied().flatten(), indexes.get(at).copied().flatten()) {
            (Some(before), Some(after)) if (0..=STEP_MAX_S).contains(&(after - before)) => after - before,
            // The counter began anew, or there is none.
            (Some(_) | None, Some(_) | None) => 1,
        };
        age += step;
        if let Some(place) = ages.get_mut(at - 1) {
            *place = age;
        }
    }
    ages
}

/// `Measurement@time`: ISO 8601 with or without zone (none means UTC), `T` or blanks between, the form of mail headers,
/// or seconds since 1970.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse(text) {
        return Some(at);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        // Ten digits are seconds, thirteen milliseconds.
        let seconds = if seconds >= 1e11 { seconds / 1e3 } else { seconds };
        let plausible = (1e8..1e11).contains(&seconds);
        let at = Duration::try_from_secs_f64(seconds).ok().filter(|_| plausible)?;
        return Some(Timestamp::from_micros(0).plus(at));
    }
    let plain = text.replace('/', "-");
    let plain =
        ["UTC", "GMT", "utc", "gmt"].iter().find_map(|zone| plain.strip_suffix(zone)).unwrap_or(&plain);
    Timestamp::parse(plain).or_else(|| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(Timestamp::from_micros(at.timestamp().as_microsecond()))
    })
}

fn moved(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_micros(at.micros().saturating_add(seconds.saturating_mul(1_000_000)))
}

/// A step of the counter that is longer says nothing about time.
const STEP_MAX_S: i64 = 3600;

#[cfg(test)]
mod tests {
    use super::super::body::Measured;
    use super::super::rows::Row;
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn said(time: Option<&str>, indexes: &[Option<i64>]) -> Said {
        let rows = indexes.iter().map(|index| Row { index: *index, ..Row::default() }).collect();
        Said { measured: vec![Measured { time: time.map(str::to_owned), rows }], ..Said::default() }
    }

    const MOST: Duration = Duration::from_mins(2);

    #[test]
    fn the_devices_clock_counts_within_two_minutes() {
        let rows = [Some(120), Some(121), Some(124)];
        let said = said(Some("2017-03-19T23:00:00Z"), &rows);
        for (arrived, believed) in [
            ("2017-03-19T23:02:05Z", true),
            ("2017-03-19T23:04:04Z", true),
            ("2017-03-19T23:04:05Z", false),
            ("2017-03-19T23:00:04Z", true),
            ("2017-03-19T23:00:03Z", false),
        ] {
            let times = times(&said, at(arrived), 0, MOST);
            assert_eq!(times.believed, believed, "{arrived}");
            assert_eq!(times.rows[0].device, Some(at("2017-03-19T23:02:00Z")));
            if believed {
                assert_eq!(times.rows[0].at, at("2017-03-19T23:02:00Z"));
            } else {
                assert_eq!(times.rows[2].at, at(arrived));
                assert_eq!(times.rows[0].at, moved(at(arrived), -4));
            }
        }
    }

    #[test]
    fn an_offset_puts_a_clock_right() {
        let said = said(Some("2017-03-20T01:00:00"), &[Some(0)]);
        let times = times(&said, at("2017-03-19T23:00:00Z"), -7200, MOST);
        assert!(times.believed);
        assert_eq!((times.behind_us, times.rows[0].at), (Some(0), at("2017-03-19T23:00:00Z")));
    }

    #[test]
    fn without_a_time_the_arrival_counts() {
        let arrived = at("2024-01-01T00:00:10Z");
        let seconds = |said: &Said| -> Vec<i64> {
            let times = times(said, arrived, 0, MOST);
            assert!(!times.believed && times.behind_us.is_none());
            times.rows.iter().map(|row| row.at.seconds() - arrived.seconds()).collect()
        };
        assert_eq!(seconds(&said(None, &[Some(7), Some(9), Some(10)])), [-3, -1, 0]);
        assert_eq!(seconds(&said(None, &[None, None])), [-1, 0]);
        assert_eq!(seconds(&said(Some("soon"), &[Some(98), Some(99), Some(0), Some(1)])), [-3, -2, -1, 0]);
        assert_eq!(seconds(&said(None, &[Some(0), Some(9_000_000_000)])), [-1, 0]);
        assert_eq!(seconds(&said(None, &[])), [0; 0]);
    }

    #[test]
    fn times_come_in_many_spellings() {
        let wanted = at("2017-03-19T23:00:00Z");
        for text in [
            "2017-03-19T23:00:00Z",
            " 2017-03-19T23:00:00 ",
            "2017-03-19 23:00:00",
            "2017-03-20T01:00:00+02:00",
            "2017-03-19T23:00:00.000Z",
            "20170319T230000Z",
            "2017/03/19 23:00:00",
            "2017-03-19 23:00:00 UTC",
            "2017-03-19 23:00:00GMT",
            "Sun, 19 Mar 2017 23:00:00 GMT",
            "1489964400",
            "1489964400000",
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for text in ["", "soon", "17", "NaN", "inf", "1e300", "2017-13-01T00:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
