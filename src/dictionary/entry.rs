//! One key of a dictionary: what it makes of a value.

use serde::{Deserialize, Serialize};

use crate::model::Value;

/// What sort of fact a key is (`cwm-oke.md §7.2`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// What the device is: a serial number, a version.
    Nameplate,
    /// What it measures.
    #[default]
    Telemetry,
    /// What it is set to.
    Setting,
    /// Something that happened, mostly as a count.
    Event,
}

impl Class {
    /// The word used in files and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nameplate => "nameplate",
            Self::Telemetry => "telemetry",
            Self::Setting => "setting",
            Self::Event => "event",
        }
    }
}

/// A value as its dictionary explains it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explained {
    /// What people call the sensor.
    pub label: String,
    /// The value as people read it, scaled, without its unit. A gap is empty.
    pub shown: String,
    /// The unit of `shown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What sort of fact it is.
    pub class: Class,
    /// On which side of its limits the value is, if it is outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside: Option<Bound>,
    /// The alarms that this value stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<Alarm>,
}

/// A side of a key's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Under the least.
    Below,
    /// Over the most.
    Above,
}

/// What an alarm says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Alarm {
    /// The short message.
    pub message: String,
    /// What is the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What may have caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A key, checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Where it stands in its file: what comes first is looked at first.
    pub(super) at: usize,
    pub(super) label: String,
    /// Labels of an array's places, in order.
    pub(super) places: Vec<String>,
    pub(super) class: Class,
    pub(super) unit: Option<String>,
    /// How many of the last values are shown together.
    pub(super) recent: u32,
    pub(super) kind: Kind,
    pub(super) alarms: Vec<(When, Alarm)>,
}

/// How a key's values are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A number: `raw * factor + offset`.
    Number(Scaling),
    /// Words for certain values.
    Enumeration(Vec<(String, String)>),
    /// Words for certain bits, lowest first.
    Bitmask { bits: Vec<(u64, String)>, base: u32 },
    /// True or false, also as 1 and 0.
    Boolean,
    /// Text, or JSON inside a text: shown as it is.
    Text,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaling {
    pub(super) factor: f64,
    pub(super) offset: f64,
    /// Digits after the point; `None` is as many as are needed.
    pub(super) precision: Option<usize>,
    /// The least that is in order, as shown.
    pub(super) min: Option<f64>,
    /// The most that is in order, as shown.
    pub(super) max: Option<f64>,
}

/// When an alarm holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    /// One of these bits is set.
    Bits(u64),
    /// The value is this one, as it was sent.
    Value(String),
    /// The number as shown is under this.
    Below(f64),
    /// The number as shown is over this.
    Above(f64),
}

impl Entry {
    /// Whether its values are amounts, which may be averaged.
    pub(super) const fn is_amount(&self) -> bool {
        match self.kind {
            Kind::Number(_) => true,
            Kind::Enumeration(_) | Kind::Bitmask { .. } | Kind::Boolean | Kind::Text => false,
        }
    }

    /// The words for its values.
    pub(super) fn words(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Enumeration(words) => words.iter().map(|(_, word)| word.as_str()).collect(),
            Kind::Number(_) | Kind::Bitmask { .. } | Kind::Boolean | Kind::Text => Vec::new(),
        }
    }

    /// How its numbers are shown, if it has any.
    pub(super) const fn scaling(&self) -> Option<Scaling> {
        match self.kind {
            Kind::Number(scale) => Some(scale),
            Kind::Enumeration(_) | Kind::Bitmask { .. } | Kind::Boolean | Kind::Text => None,
        }
    }

    /// What a value means; `place` is its place in an array that the key names as a whole.
    pub(super) fn explain(&self, place: Option<usize>, value: &Value) -> Explained {
        let raw = plain(value);
        let number = match &self.kind {
            Kind::Number(scale) => number(value).map(|raw| raw.mul_add(scale.factor, scale.offset)),
            Kind::Enumeration(_) | Kind::Bitmask { .. } | Kind::Boolean | Kind::Text => None,
        };
        let mask = match &self.kind {
            Kind::Bitmask { base, .. } => bits(value, *base),
            Kind::Number(_) | Kind::Enumeration(_) | Kind::Boolean | Kind::Text => None,
        };
        let shown = match (&self.kind, number, mask) {
            (Kind::Number(scale), Some(number), _) => scale.show(number, value),
            (Kind::Enumeration(words), _, _) => words
                .iter()
                .find_map(|(known, word)| same(known, value, &raw).then(|| word.clone()))
                .unwrap_or(raw.clone()),
            (Kind::Bitmask { bits, .. }, _, Some(mask)) => named_bits(bits, mask),
            (Kind::Boolean, _, _) => truth(value, &raw),
            (Kind::Number(_) | Kind::Bitmask { .. } | Kind::Text, _, _) => raw.clone(),
        };
        let holds = |when: &When| match when {
            When::Bits(bits) => mask.is_some_and(|mask| mask & bits != 0),
            When::Value(known) => same(known, value, &raw),
            When::Below(least) => number.is_some_and(|number| number < *least),
            When::Above(most) => number.is_some_and(|number| number > *most),
        };
        let alarms = self.alarms.iter().filter(|(when, _)| holds(when)).map(|(_, alarm)| alarm.clone());
        Explained {
            label: self.label(place),
            shown,
            unit: self.unit.clone(),
            class: self.class,
            outside: self.outside(number),
            alarms: alarms.collect(),
        }
    }

    fn label(&self, place: Option<usize>) -> String {
        match place {
            None => self.label.clone(),
            Some(place) => match self.places.get(place) {
                Some(label) => label.clone(),
                None => format!("{} {place}", self.label),
            },
        }
    }

    fn outside(&self, number: Option<f64>) -> Option<Bound> {
        let (Kind::Number(scale), Some(number)) = (&self.kind, number) else { return None };
        if scale.min.is_some_and(|min| number < min) {
            Some(Bound::Below)
        } else if scale.max.is_some_and(|max| number > max) {
            Some(Bound::Above)
        } else {
            None
        }
    }
}

impl Scaling {
    fn show(&self, number: f64, value: &Value) -> String {
        let unscaled = (self.factor - 1.0).abs() < f64::EPSILON && self.offset == 0.0;
        match self.precision {
            Some(digits) => format!("{number:.digits$}"),
            // A whole number that is not scaled loses nothing on the way through a real one.
            None if unscaled => plain(value),
            None => {
                let text = format!("{number:.6}");
                let text = text.trim_end_matches('0').trim_end_matches('.');
                if text == "-0" { "0".to_owned() } else { text.to_owned() }
            }
        }
    }
}

/// A value as text, as it was sent; a gap is empty.
pub(super) fn plain(value: &Value) -> String {
    value.plain().unwrap_or_default()
}

/// A number, also one that came as a numeral in a text (§4.1).
#[expect(clippy::cast_precision_loss, reason = "what is shown has far fewer digits than a real number keeps")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Bool(_) | Value::Gap(_) => None,
    }
}

/// A bit mask: a whole number, or its digits in a text. `0x` and `0b` say the base themselves.
fn bits(value: &Value, base: u32) -> Option<u64> {
    match value {
        Value::Integer(value) => u64::try_from(*value).ok(),
        Value::Bool(value) => Some(u64::from(*value)),
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            if let Some(digits) = text.strip_prefix("0x") {
                return u64::from_str_radix(digits, 16).ok();
            }
            match text.strip_prefix("0b") {
                Some(digits) => u64::from_str_radix(digits, 2).ok(),
                None => u64::from_str_radix(&text, base).ok(),
            }
        }
        Value::Real(_) | Value::Gap(_) => None,
    }
}

/// The words of the bits that are set; bits without a word are told in hex.
fn named_bits(known: &[(u64, String)], mask: u64) -> String {
    if mask == 0 {
        return known.iter().find(|(bits, _)| *bits == 0).map_or("none", |(_, word)| word).to_owned();
    }
    let mut left = mask;
    let mut words = Vec::new();
    for (bits, word) in known.iter().filter(|(bits, _)| bits & mask != 0) {
        words.push(word.clone());
        left &= !bits;
    }
    if left != 0 {
        words.push(format!("{left:#x}"));
    }
    words.join(", ")
}

fn truth(value: &Value, raw: &str) -> String {
    match value {
        Value::Bool(true) | Value::Integer(1) => "yes".to_owned(),
        Value::Bool(false) | Value::Integer(0) => "no".to_owned(),
        Value::Text(text) if text.eq_ignore_ascii_case("true") || text == "1" => "yes".to_owned(),
        Value::Text(text) if text.eq_ignore_ascii_case("false") || text == "0" => "no".to_owned(),
        Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Gap(_) => raw.to_owned(),
    }
}

/// Whether a value is the one a file names: the same text, or the same number in another spelling.
fn same(known: &str, value: &Value, raw: &str) -> bool {
    if known == raw && !matches!(value, Value::Gap(_)) {
        return true;
    }
    match (known.trim().parse::<f64>(), number(value)) {
        (Ok(known), Some(number)) => (known - number).abs() < f64::EPSILON,
        (Ok(_) | Err(_), _) => false,
    }
}
