//! Which local day a moment belongs to, and what its file is called (`websocket-mcu.md §7`). Pure but for the system's
//! table of time zones, which is read once.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::family::mcu::draft::address_of;
use crate::model::Timestamp;

/// A time zone, as the settings name it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// What a day's file is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    /// The board's number, as its address.
    pub(super) board: String,
    /// The day.
    pub(super) date: Date,
}

impl Zone {
    /// The moment as a clock on the wall shows it there.
    pub(super) fn civil(&self, at: Timestamp) -> DateTime {
        let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(at)
    }

    /// The first moment of a day, and that of the next; `None` at the end of time.
    pub(super) fn day(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        Some((self.midnight(date)?, self.midnight(date.tomorrow().ok()?)?))
    }

    /// The moment that a clock on the wall showed as this. An hour that came twice is told apart by the moment before:
    /// time does not run back. `None` when no clock there ever showed it.
    pub(super) fn moment(&self, date: Date, time: Time, before: Option<Timestamp>) -> Option<Timestamp> {
        let found = self.zone.to_ambiguous_timestamp(date.to_datetime(time));
        if let AmbiguousOffset::Gap { .. } = found.offset() {
            return None;
        }
        let early = micros(found.earlier().ok()?);
        let late = micros(found.later().ok()?);
        Some(if before.is_some_and(|before| early < before) { late } else { early })
    }

    fn midnight(&self, date: Date) -> Option<Timestamp> {
        // Where the clock jumps over midnight, the day begins behind the jump.
        let first = self.zone.to_ambiguous_timestamp(date.to_datetime(Time::midnight()));
        Some(micros(first.compatible().ok()?))
    }
}

fn micros(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_microsecond())
}

impl Default for Zone {
    /// This machine's, as with the original.
    fn default() -> Self {
        Self { name: LOCAL.to_owned(), zone: TimeZone::system() }
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let name = name.trim().to_owned();
        if name.eq_ignore_ascii_case(LOCAL) {
            return Ok(Self::default());
        }
        let zone = match offset(&name) {
            Some(offset) => TimeZone::fixed(offset),
            None if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") => TimeZone::UTC,
            None => TimeZone::get(&name).map_err(|_| {
                format!(
                    "`{name}` is no time zone that this machine knows: use local, UTC, an offset such as +01:00, or a \
                     name such as Europe/London"
                )
            })?,
        };
        Ok(Self { name, zone })
    }
}

/// `+01:00`, `-0530`, `+2`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |text: &str, most: i32| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| plain && *number <= most)
    };
    Offset::from_seconds(sign * (number(hours, 15)? * 3600 + number(minutes, 59)? * 60)).ok()
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FileName {
    /// Reads a name such as `IoTD005_20161124.csv`.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (board, day) = name.strip_prefix("IoTD")?.strip_suffix(".csv")?.split_once('_')?;
        if board.len() < 3 {
            return None;
        }
        Some(Self { board: address_of(board)?, date: date(day)? })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoTD{:0>3}_{}.csv", self.board, digits(self.date))
    }
}

/// A day as files name it: `20161124`.
pub(super) fn digits(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

/// Reads a day: `20161124`, or `2016-11-24`.
pub(super) fn date(text: &str) -> Option<Date> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => text.split('-').collect(),
        _ => text.to_owned(),
    };
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

const LOCAL: &str = "local";

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::try_from(name.to_owned()).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn zones_are_read_and_wrong_ones_are_told() {
        let noon = at("2016-11-24T12:00:00Z");
        for (name, hour) in [("UTC", 12), ("+01:00", 13), ("-0530", 6), ("+2", 14), ("Europe/London", 12)] {
            assert_eq!(zone(name).civil(noon).hour(), hour, "{name}");
            assert_eq!(String::from(zone(name)), name);
        }
        assert_eq!(zone("Local"), Zone::default());
        for wrong in ["Europe/Nowhere", "+25:00", "+1:2:3", "", "++1", "+01:99"] {
            let told = Zone::try_from(wrong.to_owned()).unwrap_err();
            assert!(told.contains("Europe/London"), "{told}");
        }
    }

    #[test]
    fn names_are_the_original_s() {
        let name = FileName { board: "5".to_owned(), date: date("2016-11-24").unwrap() };
        assert_eq!(name.to_string(), "IoTD005_20161124.csv");
        assert_eq!(FileName::read("IoTD005_20161124.csv"), Some(name));
        let large = FileName { board: "123456".to_owned(), date: date("20161124").unwrap() };
        assert_eq!(large.to_string(), "IoTD123456_20161124.csv");
        assert_eq!(FileName::read("IoTD123456_20161124.csv"), Some(large));
        for wrong in
            ["IoTD005_20161324.csv", "IoTD5_20161124.csv", "IoTDabc_20161124.csv", "x.csv", "IoTD005.csv"]
        {
            assert_eq!(FileName::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_of_23_and_25_hours_are_whole() {
        let vienna = zone("Europe/Vienna");
        let hours = |day: &str| {
            let (from, to) = vienna.day(date(day).unwrap()).unwrap();
            (to.micros() - from.micros()) / 3_600_000_000
        };
        assert_eq!([hours("20260329"), hours("20261025"), hours("20261026")], [23, 25, 24]);
        assert_eq!(vienna.day(date("20261121").unwrap()).unwrap().0, at("2026-11-20T23:00:00Z"));
    }

    #[test]
    fn an_hour_that_came_twice_is_told_apart_and_one_that_never_came_is_refused() {
        let vienna = zone("Europe/Vienna");
        let autumn = date("20261025").unwrap();
        let half_past_two = Time::new(2, 30, 0, 0).unwrap();
        let first = vienna.moment(autumn, half_past_two, None).unwrap();
        assert_eq!(first, at("2026-10-25T00:30:00Z"));
        let ten_to_three = Some(at("2026-10-25T00:50:00Z"));
        assert_eq!(vienna.moment(autumn, half_past_two, ten_to_three), Some(at("2026-10-25T01:30:00Z")));
        assert_eq!(vienna.moment(date("20260329").unwrap(), half_past_two, None), None);
    }
}
