//! A device's newest values as people read them, the most telling ones first.

use super::dial::Dial;
use crate::dictionary::{Chosen, Class};
use crate::model::{Datum, Value};

/// A value in few words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) sensor: String,
    pub(super) label: String,
    pub(super) value: String,
    pub(super) unit: Option<String>,
    /// Whether it is outside its limits, or stands for an alarm.
    pub(super) wrong: bool,
    /// Digits after the point of what comes next, where a person said how many.
    pub(super) decimals: Option<u8>,
}

impl Shown {
    /// The same as on a dial, if this is what it shows.
    pub(super) fn on(dial: Option<&Dial>, chosen: &Chosen, datum: &Datum) -> Self {
        let shown = Self::new(chosen, datum);
        match dial.and_then(|dial| Some((dial.telling(chosen, datum)?, dial.decimals()))) {
            Some(((value, unit), decimals)) => Self { value, unit, decimals, ..shown },
            None => shown,
        }
    }

    /// What a dictionary makes of a value.
    pub(super) fn new(chosen: &Chosen, datum: &Datum) -> Self {
        let raw = raw(&datum.value);
        let sensor = datum.sensor.to_string();
        match chosen.explain(&datum.sensor, &datum.value) {
            Some(meaning) => Self {
                label: meaning.label,
                value: if meaning.shown.is_empty() { raw } else { meaning.shown },
                unit: meaning.unit,
                wrong: meaning.outside.is_some() || !meaning.alarms.is_empty(),
                decimals: None,
                sensor,
            },
            None => {
                Self { label: sensor.clone(), value: raw, unit: None, wrong: false, decimals: None, sensor }
            }
        }
    }
}

impl Shown {
    /// Whether it is more than a number: it needs more room, and smaller letters.
    pub(super) fn is_words(&self) -> bool {
        self.value.parse::<f64>().is_err() && self.value.chars().count() > WORD_CHARS
    }
}

/// A value as it was sent; a gap is a dash.
pub(super) fn raw(value: &Value) -> String {
    value.plain().unwrap_or_else(|| "–".to_owned())
}

/// Puts values in the order in which people look at them: as their dictionary has them; those that none knows behind, by
/// name, numbers in names by their size.
pub(super) fn sort(chosen: &Chosen, values: &mut [Datum]) {
    values.sort_by_cached_key(|datum| (chosen.order(&datum.sensor), natural(&datum.sensor)));
}

/// The values that say most of a device at a glance: what it measures, not what it is or is set to, nor counts of events.
pub(super) fn telling(chosen: &Chosen, mut values: Vec<Datum>) -> Vec<Datum> {
    sort(chosen, &mut values);
    let measured = |datum: &Datum| {
        chosen.explain(&datum.sensor, &datum.value).is_none_or(|meaning| meaning.class == Class::Telemetry)
    };
    if values.iter().any(measured) {
        values.retain(measured);
    }
    values.sort_by_key(|datum| rank(chosen, datum));
    values
}

/// What says more stands first: amounts with a unit and words with a meaning, then bare numbers, then texts.
fn rank(chosen: &Chosen, datum: &Datum) -> u8 {
    let known = chosen.explain(&datum.sensor, &datum.value);
    match &datum.value {
        _ if known.as_ref().is_some_and(|meaning| meaning.unit.is_some()) => 0,
        _ if known.as_ref().is_some_and(|meaning| is_word(&meaning.shown, datum))
            && !chosen.is_amount(&datum.sensor) =>
        {
            0
        }
        Value::Integer(_) | Value::Real(_) | Value::Gap(_) => 1,
        Value::Bool(_) | Value::Text(_) => 2,
    }
}

/// Whether a value is shown by a word that stands for it, not as it was sent.
fn is_word(shown: &str, datum: &Datum) -> bool {
    !shown.is_empty() && shown != raw(&datum.value)
}

/// A longer text is no single word.
const WORD_CHARS: usize = 10;

/// A name in pieces of text and numbers.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut pieces = vec![(String::new(), 0_u64)];
    let mut in_number = false;
    for letter in name.chars() {
        let digit = letter.to_digit(10).map(u64::from);
        if digit.is_none() && in_number {
            pieces.push((String::new(), 0));
        }
        in_number = digit.is_some();
        if let Some((text, number)) = pieces.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit),
                None => text.push(letter),
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Seq, Timestamp};

    fn datum(sensor: &str, value: Value) -> Datum {
        Datum {
            sensor: sensor.into(),
            value,
            time_received: Timestamp::from_micros(0),
            time_created: None,
            seq: Seq(1),
            counts: true,
        }
    }

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names =
            ["zone.10", "zone.9", "zone", "act", "2", "10"].map(|name| datum(name, Value::Integer(0)));
        sort(&Chosen::default(), &mut names);
        let names = names.map(|datum| datum.sensor.to_string());
        assert_eq!(names, ["2", "10", "act", "zone", "zone.9", "zone.10"]);
    }

    #[test]
    fn a_value_without_a_meaning_is_shown_as_it_was_sent() {
        let none = Chosen::default();
        let shown = Shown::new(&none, &datum("tmp", Value::Real(4.5)));
        assert_eq!((shown.label.as_str(), shown.value.as_str(), shown.unit), ("tmp", "4.5", None));
        assert_eq!(Shown::new(&none, &datum("tmp", Value::Gap(crate::model::Gap))).value, "–");
    }
}
