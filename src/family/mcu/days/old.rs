//! What a file of the original says: its lines, and the moments they are of (`websocket-mcu.md §7`). Pure.
//!
//! The original named a file by the day on which it saved, so that the last lines of a day may stand in the file of the
//! next, before those of its morning. Lines are added as time goes by: one that is followed by a much earlier time is of
//! the day before.

use bytes::Bytes;
use jiff::civil::{Date, Time};

use super::line::{self, Line};
use super::zone::Zone;
use crate::family::BadLine;
use crate::model::{Timestamp, Value};

/// A file, read.
#[derive(Debug, Default)]
pub(super) struct Old {
    /// Lines that say something, in their order.
    pub(super) rows: Vec<OldRow>,
    /// Those that say nothing: the first of them.
    pub(super) bad: Vec<BadLine>,
    /// How many there are.
    pub(super) bad_total: u64,
}

/// A line that says something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OldRow {
    /// Its place in the file, from 1.
    pub(super) line: u64,
    /// When its message was taken.
    pub(super) at: Timestamp,
    /// The same, but never before the line in front of it: what keeps lines in their order where the clock of the server
    /// that wrote them was set back.
    pub(super) order: Timestamp,
    /// Whether it is of the day before the file's.
    pub(super) day_before: bool,
    /// What it says.
    pub(super) values: Vec<Value>,
    /// The line with its end.
    pub(super) raw: Bytes,
}

/// Reads a file of a day; at most so many values a line.
pub(super) fn read(bytes: &Bytes, date: Date, zone: &Zone, values_max: usize) -> Old {
    let mut old = Old::default();
    let mut lines: Vec<(u64, Line, Bytes)> = Vec::new();
    let mut start = 0;
    for (number, raw) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let raw = bytes.slice(start..start + raw.len());
        start += raw.len();
        let text = String::from_utf8_lossy(&raw);
        let text = text.trim_matches(['\u{feff}', '\n', '\r', ' ']);
        if text.is_empty() {
            continue;
        }
        match line::read(text, values_max) {
            Ok(line) => lines.push((number, line, raw)),
            Err(fault) => old.complain(number, text, fault.to_string()),
        }
    }
    let early = late_of_the_day_before(&lines);
    let (mut before, mut today) = (Track::default(), Track::default());
    for ((number, Line { time, values }, raw), day_before) in lines.into_iter().zip(early) {
        let (track, date) =
            if day_before { (&mut before, date.yesterday().ok()) } else { (&mut today, Some(date)) };
        let Some(at) = date.and_then(|date| zone.moment(date, time, track.at)) else {
            let why = format!("no clock showed this time on that day in the time zone {zone:?}");
            old.complain(number, &String::from_utf8_lossy(&raw), why);
            continue;
        };
        let order = track.order.map_or(at, |order| order.max(at));
        (track.at, track.order) = (Some(at), Some(order));
        old.rows.push(OldRow { line: number, at, order, day_before, values, raw });
    }
    old.bad.sort_by_key(|bad| bad.line);
    old
}

/// How far the lines of one day have come.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    at: Option<Timestamp>,
    order: Option<Timestamp>,
}

impl Old {
    fn complain(&mut self, line: u64, text: &str, why: String) {
        self.bad_total += 1;
        if self.bad.len() < BAD_TOLD_MAX {
            let text = text.trim_end().chars().take(BAD_CHARS_MAX).collect();
            self.bad.push(BadLine { line, text, why });
        }
    }
}

/// Which lines are of the day before: those that a much earlier time follows, however far behind.
fn late_of_the_day_before(lines: &[(u64, Line, Bytes)]) -> Vec<bool> {
    let mut earliest: Option<Time> = None;
    let mut early: Vec<bool> = Vec::with_capacity(lines.len());
    for (_, line, _) in lines.iter().rev() {
        let late = earliest.is_some_and(|earliest| line.time.duration_since(earliest) > SET_BACK_AT_MOST);
        if !late {
            earliest = Some(earliest.map_or(line.time, |earliest| earliest.min(line.time)));
        }
        early.push(late);
    }
    early.reverse();
    early
}

/// A clock is set back by so much at most: an hour in autumn, and whoever sets it by hand. A longer way back is the
/// morning of the next day.
const SET_BACK_AT_MOST: jiff::SignedDuration = jiff::SignedDuration::from_hours(3);
/// Bad lines that are told one by one.
const BAD_TOLD_MAX: usize = 100;
/// So much of a bad line is shown.
const BAD_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::mcu::days::zone;

    fn old_of(text: &str, day: &str, zone: &str) -> Old {
        let zone = Zone::try_from(zone.to_owned()).unwrap();
        read(&Bytes::copy_from_slice(text.as_bytes()), zone::date(day).unwrap(), &zone, 31)
    }

    fn times(old: &Old) -> Vec<String> {
        old.rows.iter().map(|row| row.at.to_string()).collect()
    }

    #[test]
    fn lines_are_of_the_file_s_day_in_its_zone() {
        let old = old_of("16:54:56.123456, 17.000000, 31.250000\n16:54:59, 18, 31\n", "20161124", "+01:00");
        assert_eq!(times(&old), ["2016-11-24T15:54:56.123456Z", "2016-11-24T15:54:59.000000Z"]);
        assert_eq!(old.rows[0].raw, "16:54:56.123456, 17.000000, 31.250000\n".as_bytes());
        assert_eq!(old.rows[0].values, [Value::Real(17.0), Value::Real(31.25)]);
        assert_eq!((old.rows[1].line, old.bad_total), (2, 0));
    }

    #[test]
    fn bad_lines_are_told_and_spoil_no_other() {
        let text = "\u{feff}00:00:01.000000, 1.000000, 2.000000\r\n\nheader\n00:00:02.000000, x\n00:00:03.000000, 3.0000";
        let old = old_of(text, "20161124", "UTC");
        assert_eq!(times(&old), ["2016-11-24T00:00:01.000000Z", "2016-11-24T00:00:03.000000Z"]);
        assert_eq!(old.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(old.bad[0].text, "header");
        assert!(old.bad[1].why.contains("value 1"));
        let spring = old_of("02:30:00.000000, 1\n03:30:00.000000, 2\n", "20260329", "Europe/Vienna");
        assert_eq!((spring.rows.len(), spring.bad_total), (1, 1));
        assert!(spring.bad[0].why.contains("Europe/Vienna"), "{}", spring.bad[0].why);
    }

    #[test]
    fn what_was_left_over_at_midnight_is_of_the_day_before() {
        // §7: the original's defect, at the top of the file and where two of its processes wrote into one.
        let text = "23:58:00.000000, 1\n23:59:59.999999, 2\n00:00:02.000000, 3\n08:00:00.000000, 4\n\
                    23:50:00.000000, 5\n08:00:03.000000, 6\n23:59:00.000000, 7\n";
        let old = old_of(text, "20161125", "UTC");
        let early: Vec<bool> = old.rows.iter().map(|row| row.day_before).collect();
        assert_eq!(early, [true, true, false, false, true, false, false]);
        assert_eq!(times(&old)[1], "2016-11-24T23:59:59.999999Z");
        assert_eq!(times(&old)[6], "2016-11-25T23:59:00.000000Z");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_the_order_of_the_lines() {
        let old = old_of("10:00:00.000000, 1\n09:59:58.000000, 2\n10:00:01.000000, 3\n", "20161124", "UTC");
        let order: Vec<i64> =
            old.rows.iter().map(|row| row.order.seconds() - old.rows[0].at.seconds()).collect();
        assert_eq!(order, [0, 0, 1]);
        assert_eq!(times(&old)[1], "2016-11-24T09:59:58.000000Z");
        // An hour that came twice: the clock was not set back, the day was longer.
        let text = "02:59:59.000000, 1\n02:00:01.000000, 2\n03:00:00.000000, 3\n";
        let autumn = old_of(text, "20261025", "Europe/Vienna");
        assert_eq!(
            times(&autumn),
            ["2026-10-25T00:59:59.000000Z", "2026-10-25T01:00:01.000000Z", "2026-10-25T02:00:00.000000Z"]
        );
    }
}
