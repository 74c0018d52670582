//! Commands at times of the day, and when they are due. Pure.
//!
//! The vendor's cloud gives a module a schedule that it runs itself; its format is unknown. A server gets the same
//! effect while online by queueing commands on time (`cwm-oke.md §7.4`).

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{DeviceId, Timestamp};

/// A command that is queued again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its id: random text.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The device it is for.
    pub device: DeviceId,
    /// The verb.
    pub cmd: String,
    /// The payload, JSON text.
    pub payload: String,
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// Whether it runs.
    pub enabled: bool,
    /// How long each command waits to be taken, in seconds.
    pub expires_in_s: u64,
    /// Who made it.
    pub by: String,
    /// When it was last changed; it is not due for any time before.
    pub changed: Timestamp,
}

/// Times of the day in a zone, on some days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct When {
    /// Times of the day.
    #[serde(default)]
    pub times: Vec<LocalTime>,
    /// Each so many minutes, counted from midnight; beside `times`.
    #[serde(default)]
    pub every_min: Option<u32>,
    /// The days; none is every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// The zone whose clocks count: an IANA name such as `Europe/Berlin`.
    pub zone: String,
}

/// A time of the day, to the minute: `06:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime {
    hour: i8,
    minute: i8,
}

super::id::text_schema!(LocalTime);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Weekday)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "a day's name says it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Why a schedule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoTime {
    /// The field at fault.
    pub field: &'static str,
    /// The sentence.
    pub message: String,
}

impl Schedule {
    /// A new id, sorted by the time it was made.
    pub fn fresh_id() -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }
}

impl When {
    /// Says what is wrong with it, if anything.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self) -> Result<(), NoTime> {
        let wrong = |field, message: String| Err(NoTime { field, message });
        if let Err(error) = TimeZone::get(&self.zone) {
            return wrong("zone", format!("zone is a name such as Europe/Berlin or UTC: {error}"));
        }
        if self.times.is_empty() && self.every_min.is_none() {
            return wrong("times", "give times, such as [\"06:30\"], or every_min".to_owned());
        }
        if self.times.len() > TIMES_MAX {
            return wrong("times", format!("more than {TIMES_MAX} times: use every_min"));
        }
        match self.every_min {
            Some(step) if step == 0 || step > MINUTES_A_DAY => {
                wrong("every_min", format!("every_min is 1 to {MINUTES_A_DAY}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The times after `after` up to and with `until`, in order, `limit` at most. A time of the day that a
    /// change of the clocks leaves out is due as much later; one that comes twice is due the first time. Steps
    /// of minutes follow the clock as it shows, so an hour that comes twice has them twice.
    pub fn due(&self, after: Timestamp, until: Timestamp, limit: usize) -> Vec<Timestamp> {
        let Ok(zone) = TimeZone::get(&self.zone) else { return Vec::new() };
        let mut due = self.at_times(&zone, after, until);
        if let Some(step) = self.every_min {
            due.extend(self.steps(&zone, step, after, until, limit));
        }
        due.sort_unstable();
        due.dedup();
        due.truncate(limit);
        due
    }

    /// The next time after `after`, if there is one within the next days.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.due(after, after.plus(LOOK_AHEAD), 1).first().copied()
    }

    fn at_times(&self, zone: &TimeZone, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let (Some(first), Some(last)) = (local(after, zone), local(until, zone)) else { return Vec::new() };
        let mut due = Vec::new();
        // A time left out by the clocks may fall on the next day: begin a day early.
        let mut date = first.date().yesterday().unwrap_or(first.date());
        while !self.times.is_empty() && date <= last.date() {
            if self.on(date) {
                let at = self.times.iter().filter_map(|time| time.on(date, zone));
                due.extend(at.filter(|at| *at > after && *at <= until));
            }
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        due
    }

    fn steps(
        &self,
        zone: &TimeZone,
        step: u32,
        after: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Vec<Timestamp> {
        let mut due = Vec::new();
        let mut minute = after.seconds().div_euclid(60) + 1;
        let last = until.seconds().div_euclid(60);
        while minute <= last && due.len() < limit {
            let at = Timestamp::from_micros(minute.saturating_mul(60_000_000));
            if let Some(shown) = local(at, zone) {
                let of_day = i64::from(shown.hour()) * 60 + i64::from(shown.minute());
                if of_day % i64::from(step.max(1)) == 0 && self.on(shown.date()) {
                    due.push(at);
                }
            }
            minute += 1;
        }
        due
    }

    fn on(&self, date: Date) -> bool {
        self.days.is_empty() || self.days.contains(&Day::from(date.weekday()))
    }
}

impl LocalTime {
    fn on(self, date: Date, zone: &TimeZone) -> Option<Timestamp> {
        // "Compatible": a time that does not exist moves on by the gap, one that exists twice is the first.
        let zoned = date.at(self.hour, self.minute, 0, 0).to_zoned(zone.clone()).ok()?;
        Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
    }
}

impl FromStr for LocalTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |text: &str, most: i8| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i8>().ok().filter(|number| digits && *number <= most)
        };
        let parts = text.trim().split_once(':').and_then(|(hour, minute)| {
            Some(Self { hour: read(hour, 23)?, minute: read(minute, 59).filter(|_| minute.len() == 2)? })
        });
        parts.ok_or_else(|| format!("`{text}` is no time of the day: write 06:30"))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> Option<jiff::civil::DateTime> {
    Some(zone.to_datetime(jiff::Timestamp::from_microsecond(at.micros()).ok()?))
}

const MINUTES_A_DAY: u32 = 1440;
const TIMES_MAX: usize = 96;
/// Further than any week with one day in it.
const LOOK_AHEAD: std::time::Duration = std::time::Duration::from_hours(9 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn when(times: &[&str], every_min: Option<u32>, days: &[Day], zone: &str) -> When {
        let times = times.iter().map(|time| time.parse().unwrap()).collect();
        When { times, every_min, days: days.to_vec(), zone: zone.to_owned() }
    }

    fn due(when: &When, from: &str, until: &str) -> Vec<String> {
        let found = when.due(at(from), at(until), 100);
        found.iter().map(|at| at.civil_seconds()[..16].to_owned()).collect()
    }

    #[test]
    fn local_times_follow_the_clocks() {
        let morning = when(&["06:30"], None, &[], "Europe/Berlin");
        // The clocks go forward on 2026-03-29.
        assert_eq!(
            due(&morning, "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"),
            ["2026-03-28T05:30", "2026-03-29T04:30"]
        );
    }

    #[test]
    fn a_time_that_is_left_out_comes_later_and_one_that_comes_twice_counts_once() {
        let night = when(&["02:30"], None, &[], "Europe/Berlin");
        assert_eq!(due(&night, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), ["2026-03-29T01:30"]);
        assert_eq!(due(&night, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), ["2026-10-25T00:30"]);
    }

    #[test]
    fn steps_of_minutes_follow_the_shown_clock_through_both_changes() {
        let half = when(&[], Some(30), &[], "Europe/Berlin");
        assert_eq!(
            due(&half, "2026-03-29T00:15:00Z", "2026-03-29T01:35:00Z"),
            ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]
        );
        let hours =
            due(&when(&[], Some(60), &[], "Europe/Berlin"), "2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z");
        assert_eq!(hours, ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"]);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        // 2026-11-22 is a Sunday; in Auckland it is Monday already at noon UTC.
        let monday = when(&["01:00"], None, &[Day::Mon], "Pacific/Auckland");
        assert_eq!(due(&monday, "2026-11-21T00:00:00Z", "2026-11-24T00:00:00Z"), ["2026-11-22T12:00"]);
    }

    #[test]
    fn the_start_is_not_due_and_the_end_is() {
        let noon = when(&["12:00"], None, &[], "UTC");
        assert_eq!(due(&noon, "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"), ["2026-11-22T12:00"]);
        assert_eq!(noon.next(at("2026-11-21T12:00:00Z")), Some(at("2026-11-22T12:00:00Z")));
        let both = when(&["12:00"], Some(720), &[], "UTC");
        assert_eq!(both.due(at("2026-11-21T00:00:00Z"), at("2026-11-21T23:00:00Z"), 9).len(), 1, "once each");
        assert_eq!(
            when(&[], Some(1), &[], "UTC")
                .due(at("2026-11-21T00:00:00Z"), at("2027-11-21T00:00:00Z"), 5)
                .len(),
            5
        );
    }

    #[test]
    fn what_makes_no_time_is_refused() {
        for (when, field) in [
            (when(&[], None, &[], "UTC"), "times"),
            (when(&["06:30"], None, &[], "Europe/Nowhere"), "zone"),
            (when(&[], Some(0), &[], "UTC"), "every_min"),
            (when(&[], Some(1441), &[], "UTC"), "every_min"),
        ] {
            assert_eq!(when.check().unwrap_err().field, field);
        }
        assert_eq!(when(&["6:05"], Some(5), &[Day::Sat], "UTC").check(), Ok(()));
        for text in ["24:00", "6", "06:5", "-1:00", "+6:00", "06:60", "06:30:00", ""] {
            assert!(text.parse::<LocalTime>().is_err(), "{text}");
        }
    }
}
