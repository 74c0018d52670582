//! One line of a day file, byte for byte as the original wrote it: `16:54:56.123456, 17.000000, 31.250000`
//! (`websocket-mcu.md §7`). Pure.

use std::fmt::Write as _;

use jiff::civil::Time;

use crate::family::mcu::sample;
use crate::model::{Gap, Value};

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// When, by the wall clock of who wrote it.
    pub(super) time: Time,
    /// The values, in their order.
    pub(super) values: Vec<Value>,
}

/// Why a line cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It does not begin with a time.
    #[error("it does not begin with a time such as 16:54:56.123456")]
    NoTime,
    /// Nothing follows the time.
    #[error("there is no value behind the time")]
    NoValues,
    /// A value is no number.
    #[error("value {0} is no number")]
    NoNumber(usize),
    /// There are more values than a board may send.
    #[error("there are more values than `mcu.fields_max` allows")]
    TooMany,
}

/// Writes a line with its end. What is no number is `nan`, as the original's language writes it.
pub(super) fn write(out: &mut String, time: Time, values: &[Option<f64>]) {
    let micros = time.subsec_nanosecond() / 1000;
    // Writing to a String cannot fail.
    let _ = write!(out, "{:02}:{:02}:{:02}.{micros:06}", time.hour(), time.minute(), time.second());
    for value in values {
        match value {
            Some(number) => drop(write!(out, ", {number:.6}")),
            None => out.push_str(", nan"),
        }
    }
    out.push('\n');
}

/// Reads a line without its end. At most so many values are taken.
pub(super) fn read(text: &str, values_max: usize) -> Result<Line, Fault> {
    let text = text.trim_matches([' ', '\t', '\r']);
    let (first, rest) = text.split_once(',').unwrap_or((text, ""));
    let time = time(first.trim()).ok_or(Fault::NoTime)?;
    let rest = rest.trim().strip_suffix(',').unwrap_or(rest.trim());
    if rest.is_empty() {
        return Err(Fault::NoValues);
    }
    let mut values = Vec::new();
    for (place, field) in rest.split(',').enumerate() {
        let value = value(field.trim()).ok_or(Fault::NoNumber(place + 1))?;
        values.push(value);
    }
    if values.len() > values_max { Err(Fault::TooMany) } else { Ok(Line { time, values }) }
}

/// `HH:MM:SS.ffffff`; the original's language leaves a fraction of zero out in some of its forms.
fn time(text: &str) -> Option<Time> {
    let number = |text: &str, digits: usize| -> Option<i32> {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| plain)
    };
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "000000"));
    let mut parts = clock.split(':');
    let mut next = || i8::try_from(number(parts.next()?, 2)?).ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, number(fraction, 6)?.checked_mul(1000)?).ok()
}

/// A number; what was none when it was written is a gap.
fn value(text: &str) -> Option<Value> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let none =
        text.is_empty() || ["nan", "inf", "infinity"].iter().any(|word| bare.eq_ignore_ascii_case(word));
    if none { Some(Value::Gap(Gap)) } else { sample::decimal(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(time: Time, values: &[Option<f64>]) -> String {
        let mut out = String::new();
        write(&mut out, time, values);
        out
    }

    #[test]
    fn lines_are_the_original_s() {
        // §7; the numbers as Python's `%f` writes them.
        let time = Time::new(16, 54, 56, 123_456_000).unwrap();
        assert_eq!(written(time, &[Some(17.0), Some(31.25)]), "16:54:56.123456, 17.000000, 31.250000\n");
        let midnight = Time::midnight();
        for (number, wanted) in [
            (0.0, "0.000000"),
            (-0.0, "-0.000000"),
            (-40.5, "-40.500000"),
            (0.007_812_5, "0.007812"),
            (0.023_437_5, "0.023438"),
            (1e-9, "0.000000"),
            (0.000_000_5, "0.000000"),
            (0.000_001_5, "0.000002"),
            (1e22, "10000000000000000000000.000000"),
            (16_777_217.0, "16777217.000000"),
            (123_456_789.123_456_78, "123456789.123457"),
        ] {
            assert_eq!(
                written(midnight, &[Some(number)]),
                format!("00:00:00.000000, {wanted}\n"),
                "{number}"
            );
        }
        assert_eq!(written(midnight, &[None, Some(1.0), None]), "00:00:00.000000, nan, 1.000000, nan\n");
    }

    #[test]
    fn lines_are_read() {
        let line = |text| read(text, 31);
        let gap = Value::Gap(Gap);
        let values = |text| line(text).unwrap().values;
        assert_eq!(
            line("16:54:56.123456, 17.000000, 31.250000").unwrap(),
            Line {
                time: Time::new(16, 54, 56, 123_456_000).unwrap(),
                values: vec![Value::Real(17.0), Value::Real(31.25)],
            }
        );
        assert_eq!(values("00:00:00,1\r"), [Value::Integer(1)]);
        assert_eq!(values("00:00:00.000000, nan, -inf, 2,"), [gap.clone(), gap.clone(), Value::Integer(2)]);
        assert_eq!(values("00:00:00.000000, , 2"), [gap, Value::Integer(2)]);
    }

    #[test]
    fn other_lines_are_refused_with_what_is_wrong() {
        for (text, fault) in [
            ("x, 1", Fault::NoTime),
            ("24:00:00.000000, 1", Fault::NoTime),
            ("12:00, 1", Fault::NoTime),
            ("1:2:3.000000, 1", Fault::NoTime),
            ("12:00:00.5, 1", Fault::NoTime),
            ("12:00:00.000000", Fault::NoValues),
            ("12:00:00.000000, ", Fault::NoValues),
            ("12:00:00.000000, 1.0, abc", Fault::NoNumber(2)),
            ("12:00:00.000000, -", Fault::NoNumber(1)),
            ("12:00:00.000000, 17.0000, 3\u{0}", Fault::NoNumber(2)),
            ("12:00:00.000000, 1, 2, 3, 4", Fault::TooMany),
        ] {
            assert_eq!(read(text, 3), Err(fault), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read_back_to_the_same_bytes(
            micros in 0_i64..86_400_000_000, count in 0_i64..1_000_000_000, reading in -1e12_f64..1e12,
        ) {
            let nanos = jiff::SignedDuration::from_micros(micros);
            let time = Time::midnight() + nanos;
            #[expect(clippy::cast_precision_loss, reason = "a counter is far below 2^52")]
            let text = written(time, &[Some(count as f64), Some(reading), Some(reading / 1e9)]);
            let line = read(text.trim_end(), 31).unwrap();
            let number = |value: &Value| crate::family::mcu::days::rows::number(value);
            let values: Vec<_> = line.values.iter().map(number).collect();
            proptest::prop_assert_eq!(written(line.time, &values), text);
        }

        #[test]
        fn whatever_stands_there_is_read_or_refused(text in ".{0,80}") {
            drop(read(&text, 31));
        }
    }
}
