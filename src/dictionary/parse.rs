//! One TOML text → a checked dictionary, or the line that is wrong and why.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::entry::{Alarm, Class, Entry, Kind, Scaling, When};
use super::matching::Match;
use super::{Dictionary, Problem};

/// Reads a dictionary. `file` is where the text came from, for complaints; `None` is built in.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(text: &str, file: Option<&Path>) -> Result<Dictionary, Problem> {
    let problem = |at: Option<usize>, message: String| Problem {
        file: file.map(Path::to_owned),
        line: at.map(|at| line_of(text, at)),
        message,
    };
    let raw: RawFile = toml::from_str(text)
        .map_err(|error| problem(error.span().map(|span| span.start), error.message().to_owned()))?;
    let mut dictionary = Dictionary {
        name: named(raw.name, file),
        file: file.map(Path::to_owned),
        fits: raw.fits.compile(),
        exact: HashMap::new(),
        patterns: Vec::new(),
    };
    if raw.keys.len() > KEYS_MAX {
        return Err(problem(None, format!("it has {} keys, the most is {KEYS_MAX}", raw.keys.len())));
    }
    for (key, raw) in raw.keys {
        let at = key.span().start;
        let entry = raw
            .compile(key.get_ref())
            .and_then(|entry| check_key(key.get_ref()).map(|()| Entry { at, ..entry }))
            .map_err(|message| problem(Some(at), format!("`{}`: {message}", key.get_ref())))?;
        let key = key.into_inner();
        if key.split('.').any(|piece| piece == "*") {
            dictionary.patterns.push((key, entry));
        } else {
            dictionary.exact.insert(key, entry);
        }
    }
    Ok(dictionary)
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    name: Option<String>,
    #[serde(default, rename = "match")]
    fits: RawMatch,
    #[serde(default)]
    keys: BTreeMap<Spanned<String>, RawKey>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMatch {
    family: Option<String>,
    /// What the dialect calls the device's kind, where it has a word for that.
    profile: Option<String>,
    /// Patterns of addresses.
    #[serde(default)]
    addresses: Vec<String>,
    /// What addresses begin with: the MODEL_ID given out by the vendor.
    #[serde(default)]
    models: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    label: Option<String>,
    #[serde(default)]
    places: Vec<String>,
    #[serde(default, rename = "type")]
    kind: RawKind,
    #[serde(default)]
    class: Class,
    unit: Option<String>,
    /// How many of the last values are shown together, the newest first.
    recent: Option<u32>,
    scale: Option<f64>,
    offset: Option<f64>,
    precision: Option<usize>,
    min: Option<f64>,
    max: Option<f64>,
    values: Option<BTreeMap<String, String>>,
    bits: Option<BTreeMap<String, String>>,
    base: Option<u32>,
    #[serde(default)]
    alarms: Vec<RawAlarm>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    #[default]
    Number,
    Enumeration,
    Bitmask,
    Boolean,
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlarm {
    bit: Option<toml::Value>,
    value: Option<toml::Value>,
    below: Option<f64>,
    above: Option<f64>,
    message: String,
    condition: Option<String>,
    cause: Option<String>,
    remedy: Option<String>,
}

impl RawMatch {
    fn compile(self) -> Match {
        let models = self.models.iter().map(|model| format!("{}*", model.to_lowercase()));
        let addresses = self.addresses.iter().map(|address| address.to_lowercase());
        Match { family: self.family, profile: self.profile, addresses: addresses.chain(models).collect() }
    }
}

impl RawKey {
    fn compile(self, key: &str) -> Result<Entry, String> {
        let kind = self.kind()?;
        let mut alarms = Vec::with_capacity(self.alarms.len());
        for alarm in self.alarms {
            alarms.push(alarm.compile(&kind)?);
        }
        if self.recent.is_some_and(|count| count == 0 || count > RECENT_MAX) {
            return Err(format!("recent is 1 to {RECENT_MAX}: how many of the last values are shown"));
        }
        Ok(Entry {
            at: 0,
            label: self.label.filter(|label| !label.trim().is_empty()).unwrap_or_else(|| key.to_owned()),
            places: self.places,
            class: self.class,
            unit: self.unit.filter(|unit| !unit.is_empty()),
            recent: self.recent.unwrap_or(1),
            kind,
            alarms,
        })
    }

    fn kind(&self) -> Result<Kind, String> {
        let numeric = [("scale", self.scale), ("offset", self.offset), ("min", self.min), ("max", self.max)];
        for (name, value) in &numeric {
            match value {
                Some(_) if self.kind != RawKind::Number => return Err(format!("{name} is for numbers only")),
                Some(value) if !value.is_finite() => return Err(format!("{name} is not a finite number")),
                Some(_) | None => {}
            }
        }
        if self.precision.is_some() && self.kind != RawKind::Number {
            return Err("precision is for numbers only".to_owned());
        }
        if self.values.is_some() && self.kind != RawKind::Enumeration {
            return Err("values are for type = \"enumeration\" only".to_owned());
        }
        if (self.bits.is_some() || self.base.is_some()) && self.kind != RawKind::Bitmask {
            return Err("bits and base are for type = \"bitmask\" only".to_owned());
        }
        match self.kind {
            RawKind::Number => self.number().map(Kind::Number),
            RawKind::Enumeration => match &self.values {
                Some(values) if !values.is_empty() => {
                    Ok(Kind::Enumeration(values.clone().into_iter().collect()))
                }
                Some(_) | None => Err("an enumeration needs values, such as { 0 = \"closed\" }".to_owned()),
            },
            RawKind::Bitmask => self.bitmask(),
            RawKind::Boolean => Ok(Kind::Boolean),
            RawKind::Text | RawKind::Json => Ok(Kind::Text),
        }
    }

    fn number(&self) -> Result<Scaling, String> {
        let scale = self.scale.unwrap_or(1.0);
        if scale == 0.0 {
            return Err("scale is 0: every value would look the same".to_owned());
        }
        if self.precision.is_some_and(|digits| digits > PRECISION_MAX) {
            return Err(format!("precision is more than {PRECISION_MAX} digits"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("min {min} is more than max {max}"));
        }
        Ok(Scaling {
            factor: scale,
            offset: self.offset.unwrap_or(0.0),
            precision: self.precision,
            min: self.min,
            max: self.max,
        })
    }

    fn bitmask(&self) -> Result<Kind, String> {
        let base = self.base.unwrap_or(10);
        if !matches!(base, 2 | 10 | 16) {
            return Err("base is 2, 10 or 16: that of digits sent as text".to_owned());
        }
        let mut bits = Vec::new();
        for (mask, word) in self.bits.iter().flatten() {
            bits.push((mask_of(mask)?, word.clone()));
        }
        bits.sort_by_key(|(mask, _)| *mask);
        if bits.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Err("a bit stands twice".to_owned());
        }
        Ok(Kind::Bitmask { bits, base })
    }
}

impl RawAlarm {
    fn compile(self, kind: &Kind) -> Result<(When, Alarm), String> {
        let when = match (&self.bit, &self.value, self.below, self.above) {
            (Some(bit), None, None, None) => match kind {
                Kind::Bitmask { .. } => When::Bits(mask_of(&spelt(bit)?)?),
                Kind::Number(_) | Kind::Enumeration(_) | Kind::Boolean | Kind::Text => {
                    return Err("an alarm on a bit needs type = \"bitmask\"".to_owned());
                }
            },
            (None, Some(value), None, None) => When::Value(spelt(value)?),
            (None, None, Some(least), None) => When::Below(least),
            (None, None, None, Some(most)) => When::Above(most),
            (_, _, _, _) => return Err("an alarm has one of: bit, value, below, above".to_owned()),
        };
        if matches!(when, When::Below(_) | When::Above(_)) && !matches!(kind, Kind::Number(_)) {
            return Err("below and above are for numbers only".to_owned());
        }
        if matches!(when, When::Bits(0)) {
            return Err("an alarm's bit is 0: it could never be set".to_owned());
        }
        let Self { message, condition, cause, remedy, .. } = self;
        Ok((when, Alarm { message, condition, cause, remedy }))
    }
}

/// A value in a file as the text that a device would send.
fn spelt(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            Err("a bit or value is a number, a text, true or false".to_owned())
        }
    }
}

/// A mask: decimal, or hex behind `0x`.
fn mask_of(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let read = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.map_err(|_| format!("`{text}` is no bit mask: write 1, 2, 4, 8 … or 0x10"))
}

fn check_key(key: &str) -> Result<(), String> {
    let length = key.chars().count();
    if key.is_empty() || length > SENSOR_CHARS_MAX || key.split('.').any(str::is_empty) {
        return Err(format!(
            "a key is a sensor's name: 1 to {SENSOR_CHARS_MAX} characters, `.` between levels"
        ));
    }
    Ok(())
}

fn named(name: Option<String>, file: Option<&Path>) -> String {
    let stem = || file.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    name.filter(|name| !name.trim().is_empty()).or_else(stem).unwrap_or_else(|| "unnamed".to_owned())
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Keys of one dictionary.
const KEYS_MAX: usize = 10_000;
/// Digits after the point.
const PRECISION_MAX: usize = 9;
/// Values of one sensor that are shown together.
const RECENT_MAX: u32 = 50;
/// As long as a sensor's name may be.
const SENSOR_CHARS_MAX: usize = 64;
