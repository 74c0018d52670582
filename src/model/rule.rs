//! What people want to be told of: rules, and which devices and sensors they are for. Pure.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alarm::{Holds, Side};
use super::{DeviceId, FamilyName, Timestamp, UserId, Value};

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id: random text.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The devices it is for.
    pub target: Target,
    /// The sensors: a name, or one with `*` for any run of characters, such as `act_temp.*`. `None` is every sensor of a
    /// rule on bounds, and the device as a whole of a rule on silence.
    pub sensor: Option<String>,
    /// What is looked at.
    pub check: Check,
    /// How long it must be so before it fires, in seconds.
    pub hold_s: u64,
    /// How long it must be over before it clears, in seconds.
    pub clear_hold_s: u64,
    /// People are told again so often while it fires, in seconds; `None` is never.
    pub remind_every_s: Option<u64>,
    /// Who is told: `webhook:<id>` or `mail:<address>`. None is only the pages and the stream.
    pub channels: Vec<String>,
    /// Whether it is looked at.
    pub enabled: bool,
    /// Nobody is told before.
    pub mute_until: Option<Timestamp>,
    /// Whose devices a rule for many is for; `None` is the house's.
    pub owner: Option<UserId>,
    /// Who made it.
    pub by: String,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// The devices a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One.
    Device(DeviceId),
    /// Those with a tag.
    Tag(String),
    /// Those of a family.
    Family(FamilyName),
    /// All.
    All,
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Values, as they are stored.
    Bounds(Bounds),
    /// That no value comes.
    NoData {
        /// For so many expected periods.
        periods: f64,
        /// The period in seconds; `None` is the device's own rhythm, once it is learned.
        period_s: Option<u64>,
    },
    /// That the device is offline, by its own rhythm.
    Offline,
}

/// Bounds of a value; what equals a bound is inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The lower one.
    pub low: Option<f64>,
    /// The upper one.
    pub high: Option<f64>,
    /// How far inside a value must be for it to be over, in the value's own unit; `None` is 2 % of the span between the
    /// bounds, or of the only bound's amount.
    pub hysteresis: Option<f64>,
}

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoRule {
    /// The field at fault, as the API calls it.
    pub field: &'static str,
    /// The sentence.
    pub message: String,
}

impl Rule {
    /// A new id, sorted by the time it was made.
    pub fn fresh_id() -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }

    /// The hold times.
    pub const fn holds(&self) -> Holds {
        Holds { fire: Duration::from_secs(self.hold_s), clear: Duration::from_secs(self.clear_hold_s) }
    }

    /// Whether a sensor is one of the rule's.
    pub fn is_for(&self, sensor: &str) -> bool {
        self.sensor.as_deref().is_none_or(|pattern| fits(pattern.as_bytes(), sensor.as_bytes()))
    }

    /// Whether people are not to be told now.
    pub fn is_muted(&self, now: Timestamp) -> bool {
        self.mute_until.is_some_and(|until| now < until)
    }

    /// Says what is wrong with it, if anything.
    ///
    /// # Errors
    /// The first field at fault.
    pub fn check(&self) -> Result<(), NoRule> {
        let no = |field, message: String| Err(NoRule { field, message });
        if !is_text(&self.name, NAME_CHARS_MAX) {
            return no(
                "name",
                format!("a name has 1 to {NAME_CHARS_MAX} characters, none a control character"),
            );
        }
        if self.sensor.as_deref().is_some_and(|sensor| !is_text(sensor, NAME_CHARS_MAX)) {
            return no(
                "sensor",
                format!("a sensor has 1 to {NAME_CHARS_MAX} characters, none a control character"),
            );
        }
        for (field, seconds) in [
            ("hold_s", Some(self.hold_s)),
            ("clear_hold_s", Some(self.clear_hold_s)),
            ("remind_every_s", self.remind_every_s),
        ] {
            if seconds.is_some_and(|seconds| seconds > SPAN_MAX_S) {
                return no(field, format!("{field} is at most {SPAN_MAX_S}, which is 31 days"));
            }
        }
        if self.remind_every_s.is_some_and(|every| every < REMIND_MIN_S) {
            return no("remind_every_s", format!("people are reminded each {REMIND_MIN_S} s at most"));
        }
        if self.channels.len() > CHANNELS_MAX {
            return no("channels", format!("a rule has at most {CHANNELS_MAX} channels"));
        }
        self.check.check()
    }
}

impl Check {
    /// The word used in the API.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Bounds(_) => "bounds",
            Self::NoData { .. } => "no_data",
            Self::Offline => "offline",
        }
    }

    fn check(&self) -> Result<(), NoRule> {
        let no = |field, message: String| Err(NoRule { field, message });
        match self {
            Self::Bounds(bounds) => bounds.check(),
            Self::NoData { periods, .. } if !(1.0..=PERIODS_MAX).contains(periods) => {
                no("periods", format!("periods is 1 to {PERIODS_MAX}"))
            }
            Self::NoData { period_s: Some(seconds), .. } if !(1..=SPAN_MAX_S).contains(seconds) => {
                no("period_s", format!("period_s is 1 to {SPAN_MAX_S}"))
            }
            Self::NoData { .. } | Self::Offline => Ok(()),
        }
    }
}

impl Bounds {
    /// How far inside a value must be for it to be over.
    pub fn slack(&self) -> f64 {
        let usual = || match (self.low, self.high) {
            (Some(low), Some(high)) => (high - low) * HYSTERESIS,
            (Some(bound), None) | (None, Some(bound)) => bound.abs() * HYSTERESIS,
            (None, None) => 0.0,
        };
        self.hysteresis.unwrap_or_else(usual)
    }

    /// The side on which a value is outside, and the bound that it crossed.
    pub fn outside(&self, value: f64) -> Option<(Side, f64)> {
        match (self.low, self.high) {
            (Some(low), _) if value < low => Some((Side::Low, low)),
            (_, Some(high)) if value > high => Some((Side::High, high)),
            (_, _) => None,
        }
    }

    /// The same for a value that comes after one that was outside on a side: there, inside is inside by the hysteresis.
    pub fn still(&self, side: Side, value: f64) -> Option<(Side, f64)> {
        let near = match side {
            Side::Low => self.low.filter(|low| value < low + self.slack()),
            Side::High => self.high.filter(|high| value > high - self.slack()),
            Side::Silent => None,
        };
        near.map(|bound| (side, bound)).or_else(|| self.outside(value))
    }

    fn check(&self) -> Result<(), NoRule> {
        let no = |field, message: &str| Err(NoRule { field, message: message.to_owned() });
        for (field, number) in [("low", self.low), ("high", self.high), ("hysteresis", self.hysteresis)] {
            if number.is_some_and(|number| !number.is_finite()) {
                return no(field, "expected a number");
            }
        }
        match (self.low, self.high) {
            (None, None) => return no("high", "give low, high or both"),
            (Some(low), Some(high)) if low > high => return no("low", "low is above high"),
            (Some(low), Some(high)) if self.slack() > (high - low) / 2.0 => {
                return no(
                    "hysteresis",
                    "more than half of the span between the bounds: it would never be over",
                );
            }
            (_, _) => {}
        }
        if self.slack() < 0.0 { no("hysteresis", "hysteresis is 0 or more") } else { Ok(()) }
    }
}

/// The number that bounds apply to: what is stored, `true` as 1 and `false` as 0. Texts and gaps are none.
#[expect(clippy::cast_precision_loss, reason = "a whole number beyond 2^53 becomes the nearest real one")]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Integer(whole) => Some(*whole as f64),
        Value::Real(real) => Some(*real).filter(|real| real.is_finite()),
        Value::Text(_) | Value::Gap(_) => None,
    }
}

/// Whether a text fits a pattern in which `*` is any run of characters.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(from)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(wanted), Some(found)) if wanted == found => (at, from) = (at + 1, from + 1),
            (_, _) => match star {
                // The last star takes one more.
                Some((place, taken)) if taken < text.len() => {
                    star = Some((place, taken + 1));
                    (at, from) = (place + 1, taken + 1);
                }
                Some(_) | None => return false,
            },
        }
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Silent => "silent",
        })
    }
}

/// Of the span, when a rule does not say (`accounts-dashboard.md §5`).
const HYSTERESIS: f64 = 0.02;
const NAME_CHARS_MAX: usize = 64;
const SPAN_MAX_S: u64 = 31 * 86_400;
const REMIND_MIN_S: u64 = 60;
const PERIODS_MAX: f64 = 1000.0;
const CHANNELS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Gap;

    fn bounds(low: Option<f64>, high: Option<f64>) -> Bounds {
        Bounds { low, high, hysteresis: None }
    }

    #[test]
    fn what_equals_a_bound_is_inside() {
        let both = bounds(Some(10.0), Some(20.0));
        for (value, side) in
            [(10.0, None), (20.0, None), (15.0, None), (9.999, Some(Side::Low)), (20.001, Some(Side::High))]
        {
            assert_eq!(both.outside(value).map(|(side, _)| side), side, "{value}");
        }
        assert_eq!(bounds(None, Some(5.0)).outside(-1e9), None);
        assert_eq!(bounds(Some(5.0), None).outside(1e9), None);
    }

    #[test]
    fn the_hysteresis_is_of_the_span_or_of_the_only_bound() {
        for (bounds, slack) in [
            (bounds(Some(0.0), Some(100.0)), 2.0),
            (bounds(Some(-10.0), Some(-10.0)), 0.0),
            (bounds(None, Some(250.0)), 5.0),
            (bounds(Some(-50.0), None), 1.0),
            (bounds(Some(0.0), None), 0.0),
            (Bounds { hysteresis: Some(0.5), ..bounds(None, Some(250.0)) }, 0.5),
        ] {
            assert!((bounds.slack() - slack).abs() < 1e-9, "{bounds:?}");
            assert_eq!(bounds.check(), Ok(()));
        }
    }

    #[test]
    fn bounds_that_cannot_be_are_refused_with_their_field() {
        let wide = bounds(Some(0.0), Some(10.0));
        for (bounds, field) in [
            (bounds(None, None), "high"),
            (bounds(Some(2.0), Some(1.0)), "low"),
            (bounds(Some(f64::NAN), None), "low"),
            (bounds(None, Some(f64::INFINITY)), "high"),
            (Bounds { hysteresis: Some(-1.0), ..wide }, "hysteresis"),
            (Bounds { hysteresis: Some(5.1), ..wide }, "hysteresis"),
        ] {
            assert_eq!(bounds.check().unwrap_err().field, field, "{bounds:?}");
        }
    }

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (pattern, text, fit) in [
            ("act_temp.*", "act_temp.0", true),
            ("act_temp.*", "act_temp.", true),
            ("act_temp.*", "set_temp.0", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("temp", "temp", true),
            ("temp", "temp2", false),
            ("**x", "x", true),
            ("*x", "xy", false),
            ("ä*", "äö", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn numbers_and_truths_are_compared_and_nothing_else() {
        assert_eq!(number(&Value::Integer(-3)), Some(-3.0));
        assert_eq!(number(&Value::Bool(true)), Some(1.0));
        assert_eq!(number(&Value::Real(0.5)), Some(0.5));
        assert_eq!(number(&Value::Text("7".to_owned())), None);
        assert_eq!(number(&Value::Gap(Gap)), None);
    }
}
