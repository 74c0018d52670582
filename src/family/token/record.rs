//! One record of an upload → readings (`accounts-dashboard.md §4`). Pure.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};

use super::body::is_not_finite;
use super::gauge::Gauge;
use super::time;
use crate::core::is_device_token;
use crate::model::{Gap, Reading, SensorName, Timestamp, Value};

/// What one record says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    /// Its values, each sensor once.
    pub(super) readings: Vec<Reading>,
    /// When, by the device's clock.
    pub(super) created: Option<Timestamp>,
    /// Its number among the device's own.
    pub(super) seq: Option<String>,
    /// The device it names.
    pub(super) id: Option<String>,
    /// Values that were left out.
    pub(super) dropped: usize,
    /// What is wrong with the first of them, or with the time.
    pub(super) fault: Option<String>,
}

/// A record with more values than one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record has {SENSORS_MAX} values at most")]
pub(super) struct TooManySensors;

/// Reads one. `gauge` computes the value that belongs to an angle.
pub(super) fn read(value: &Json, zone: &TimeZone, gauge: Option<&Gauge>) -> Result<Record, TooManySensors> {
    let mut gathering = Gathering::default();
    match value {
        Json::Object(members) => gathering.members(members, zone)?,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            gathering.value(DATA, value, 1)?;
        }
    }
    let mut record = gathering.record;
    if let Some(gauge) = gauge {
        derive(&mut record, gauge);
    }
    for reading in &mut record.readings {
        reading.created = record.created;
    }
    Ok(record)
}

/// Adds what a gauge shows at an angle (§6), unless the device says it itself.
fn derive(record: &mut Record, gauge: &Gauge) {
    let of = |name: &str| record.readings.iter().find(|reading| reading.sensor == *name);
    let angle = match of(ANGLE).map(|reading| &reading.value) {
        Some(Value::Integer(whole)) => i32::try_from(*whole).ok().map(f64::from),
        Some(Value::Real(real)) => Some(*real),
        Some(Value::Bool(_) | Value::Text(_) | Value::Gap(_)) | None => None,
    };
    if let (Some(angle), None) = (angle, of(DATA)) {
        record.readings.push(reading(DATA, Value::Real(gauge.value_at(angle))));
    }
}

#[derive(Default)]
struct Gathering {
    record: Record,
}

impl Gathering {
    fn members(&mut self, members: &Map<String, Json>, zone: &TimeZone) -> Result<(), TooManySensors> {
        for (name, value) in members {
            match name.as_str() {
                "data" => match value {
                    Json::Object(inside) => self.object("", inside, 0)?,
                    Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                        self.value(DATA, value, 1)?;
                    }
                },
                "time_created" => {
                    self.record.created = time::read(value, zone);
                    if self.record.created.is_none() && !value.is_null() {
                        self.record.fault.get_or_insert_with(|| "time_created is no time".to_owned());
                    }
                }
                "seq" => self.record.seq = short(value),
                "id" => self.record.id = short(value),
                _ => self.value(name.trim(), value, 1)?,
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        above: &str,
        members: &Map<String, Json>,
        depth: usize,
    ) -> Result<(), TooManySensors> {
        for (name, value) in members {
            let name = name.trim();
            let name = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
            self.value(&name, value, depth + 1)?;
        }
        Ok(())
    }

    /// One value, at so many levels of objects.
    fn value(&mut self, name: &str, value: &Json, depth: usize) -> Result<(), TooManySensors> {
        match value {
            Json::Object(members) if depth < LEVELS_MAX => return self.object(name, members, depth),
            Json::Object(members) => {
                self.leave_out(name, &format!("objects are taken {LEVELS_MAX} levels deep"), members.len());
            }
            Json::Array(items) => {
                for (place, item) in items.iter().take(ITEMS_MAX).enumerate() {
                    self.value(&format!("{name}.{place}"), item, depth)?;
                }
                let beyond = items.len().saturating_sub(ITEMS_MAX);
                if beyond > 0 {
                    self.leave_out(name, &format!("of a list the first {ITEMS_MAX} are taken"), beyond);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => match single(value) {
                Ok(value) => return self.take(name, value),
                Err(cause) => self.leave_out(name, cause, 1),
            },
        }
        Ok(())
    }

    fn take(&mut self, name: &str, value: Value) -> Result<(), TooManySensors> {
        let chars = name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            let cause = format!("a name has 1 to {NAME_CHARS_MAX} printable characters");
            self.leave_out(name, &cause, 1);
        } else if self.record.readings.iter().any(|reading| reading.sensor == *name) {
            self.leave_out(name, "the name is there twice", 1);
        } else if self.record.readings.len() >= SENSORS_MAX {
            return Err(TooManySensors);
        } else {
            self.record.readings.push(reading(name, value));
        }
        Ok(())
    }

    fn leave_out(&mut self, name: &str, cause: &str, count: usize) {
        self.record.dropped += count.max(1);
        self.record.fault.get_or_insert_with(|| {
            let name: String =
                name.chars().filter(|letter| !letter.is_control()).take(NAME_CHARS_MAX).collect();
            format!("{name}: {cause}")
        });
    }
}

/// A value that has no others in it, or why it is left out.
fn single(value: &Json) -> Result<Value, &'static str> {
    match value {
        Json::Bool(truth) => Ok(Value::Integer(i64::from(*truth))),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::Integer(whole)),
            (None, Some(real)) if real.is_finite() => Ok(Value::Real(real)),
            (None, Some(_) | None) => Err(NOT_FINITE),
        },
        Json::String(_) if is_not_finite(value) => Err(NOT_FINITE),
        Json::String(text) if is_device_token(text) => Err("a token is no value"),
        Json::String(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Err("the text is longer than 256 characters")
        }
        Json::String(text) => Ok(Value::Text(text.clone())),
        Json::Null | Json::Array(_) | Json::Object(_) => Ok(Value::Gap(Gap)),
    }
}

fn reading(sensor: &str, value: Value) -> Reading {
    Reading { sensor: SensorName::from(sensor), value, created: None, counts: true }
}

/// A number or a short text, as text.
fn short(value: &Json) -> Option<String> {
    match value {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) if (1..=NAME_CHARS_MAX).contains(&text.chars().count()) => Some(text.clone()),
        Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// What a value is called that has no name (§1).
const DATA: &str = "data";
/// What a gauge's pointer says (§6).
const ANGLE: &str = "angle";
const NOT_FINITE: &str = "the number is not finite";
/// §4.
const NAME_CHARS_MAX: usize = 64;
const SENSORS_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 256;
const ITEMS_MAX: usize = 32;
const LEVELS_MAX: usize = 4;

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
