//! Turns a JSON payload into readings. Pure; knows no dialect: a family says which part of its message is
//! the payload and what its values are called.

use serde_json::Value as Json;

use crate::model::{Gap, Reading, Timestamp, Value};

/// How much one payload may hold. What is beyond is dropped and reported; the message itself is kept whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Levels of objects and arrays inside each other.
    pub depth_max: usize,
    /// Readings from one payload.
    pub readings_max: usize,
    /// Characters of a sensor's name.
    pub name_chars_max: usize,
    /// Characters of a text; longer text is cut.
    pub text_chars_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 8, readings_max: 512, name_chars_max: 64, text_chars_max: 256 }
    }
}

/// A payload as readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flattened {
    /// The values, in the payload's order.
    pub readings: Vec<Reading>,
    /// What was left out or cut, the first few.
    pub losses: Vec<Loss>,
    /// How much was left out or cut in all.
    pub losses_total: usize,
}

/// Something of a payload that is not a reading, or not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where it stood; cut to the length a sensor's name may have.
    pub place: String,
    /// Why.
    pub why: Why,
}

/// Why something of a payload was left out or cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Too many levels.
    #[error("too deep")]
    TooDeep,
    /// Too many values.
    #[error("too many values")]
    TooMany,
    /// The name is empty, too long, or has a control character in it.
    #[error("its name cannot be used")]
    BadName,
    /// The text was cut, the reading kept.
    #[error("text cut")]
    TextCut,
}

/// Flattens a payload: `a.b` for `b` inside `a`, `a.0` for the first of an array, `null` as a gap. `prefix`
/// goes before every name, with a dot; a payload that is a single value is called by the prefix.
pub fn flatten(payload: &Json, prefix: &str, created: Option<Timestamp>, limits: Limits) -> Flattened {
    let mut walk = Walk { name: prefix.to_owned(), created, limits, out: Flattened::default() };
    walk.visit(payload, 0);
    walk.out
}

/// Flattens the members of a payload, except one, each called by its own name. What is no object has no members.
pub fn flatten_without(
    payload: &Json,
    except: Option<&str>,
    created: Option<Timestamp>,
    limits: Limits,
) -> Flattened {
    let mut walk = Walk { name: String::new(), created, limits, out: Flattened::default() };
    for (key, inner) in
        payload.as_object().into_iter().flatten().filter(|(key, _)| Some(key.as_str()) != except)
    {
        walk.step(key, inner, 0);
    }
    walk.out
}

struct Walk {
    name: String,
    created: Option<Timestamp>,
    limits: Limits,
    out: Flattened,
}

impl Walk {
    fn visit(&mut self, json: &Json, depth: usize) {
        let value = match json {
            Json::Object(_) | Json::Array(_) if depth >= self.limits.depth_max => {
                return self.lose(Why::TooDeep);
            }
            Json::Object(fields) => {
                for (key, inner) in fields {
                    self.step(key, inner, depth);
                }
                return;
            }
            Json::Array(items) => {
                for (place, inner) in items.iter().enumerate() {
                    self.step(&place.to_string(), inner, depth);
                }
                return;
            }
            Json::Null => Value::Gap(Gap),
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Value::Integer(whole),
                (None, Some(real)) if real.is_finite() => Value::Real(real),
                (None, _) => Value::Text(number.to_string()),
            },
            Json::String(text) => Value::Text(self.cut(text)),
        };
        self.keep(value);
    }

    /// Goes one level in and back out.
    fn step(&mut self, key: &str, inner: &Json, depth: usize) {
        if self.out.readings.len() >= self.limits.readings_max {
            return self.lose(Why::TooMany);
        }
        let before = self.name.len();
        if before > 0 {
            self.name.push('.');
        }
        self.name.push_str(key);
        if key.is_empty() || key.chars().any(char::is_control) || self.name_is_long() {
            self.lose(Why::BadName);
        } else {
            self.visit(inner, depth + 1);
        }
        self.name.truncate(before);
    }

    fn keep(&mut self, value: Value) {
        if self.name.is_empty() || self.name_is_long() {
            return self.lose(Why::BadName);
        }
        if self.out.readings.len() >= self.limits.readings_max {
            return self.lose(Why::TooMany);
        }
        self.out.readings.push(Reading {
            sensor: self.name.as_str().into(),
            value,
            created: self.created,
            counts: true,
        });
    }

    fn cut(&mut self, text: &str) -> String {
        match text.char_indices().nth(self.limits.text_chars_max) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.lose(Why::TextCut);
                text.get(..end).unwrap_or_default().to_owned()
            }
        }
    }

    fn name_is_long(&self) -> bool {
        // Bytes first: no name with few bytes has many characters.
        self.name.len() > self.limits.name_chars_max && self.name.chars().count() > self.limits.name_chars_max
    }

    fn lose(&mut self, why: Why) {
        self.out.losses_total += 1;
        if self.out.losses.len() < LOSSES_MAX {
            let place =
                self.name.chars().take(self.limits.name_chars_max).filter(|c| !c.is_control()).collect();
            self.out.losses.push(Loss { place, why });
        }
    }
}

/// How many losses are told one by one.
const LOSSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(payload: &Json) -> Flattened {
        flatten(payload, "", None, Limits::default())
    }

    fn names(flat: &Flattened) -> Vec<&str> {
        flat.readings.iter().map(|reading| reading.sensor.as_str()).collect()
    }

    #[test]
    fn every_kind_of_value_is_kept() {
        let flat = flat(&json!({
            "a": 920, "b": 1.5, "c": "on", "d": true, "e": null, "f": [1, null, {"g": 2}], "h": {"i": {"j": -1}},
        }));
        let found: Vec<(&str, &Value)> =
            flat.readings.iter().map(|reading| (reading.sensor.as_str(), &reading.value)).collect();
        assert_eq!(
            found,
            [
                ("a", &Value::Integer(920)),
                ("b", &Value::Real(1.5)),
                ("c", &Value::Text("on".into())),
                ("d", &Value::Bool(true)),
                ("e", &Value::Gap(Gap)),
                ("f.0", &Value::Integer(1)),
                ("f.1", &Value::Gap(Gap)),
                ("f.2.g", &Value::Integer(2)),
                ("h.i.j", &Value::Integer(-1)),
            ]
        );
        assert_eq!(flat.losses_total, 0);
    }

    #[test]
    fn numbers_beyond_64_bits_become_real() {
        let flat = flat(&json!({ "big": u64::MAX }));
        assert_eq!(flat.readings[0].value, Value::Real(18_446_744_073_709_551_615.0));
    }

    #[test]
    fn what_is_beyond_a_limit_is_dropped_and_told() {
        let mut deep = json!(1);
        for _ in 0..20 {
            deep = json!({ "x": deep });
        }
        let long = "n".repeat(65);
        let flat = flat(&json!({ "deep": deep, long.as_str(): 1, "": 2, "a\nb": 3, "ok": 4 }));
        assert_eq!(names(&flat), ["ok"]);
        assert_eq!(flat.losses_total, 4);
        assert!(flat.losses.iter().any(|loss| loss.why == Why::TooDeep));
        assert_eq!(flat.losses.iter().filter(|loss| loss.why == Why::BadName).count(), 3);
        assert!(flat.losses.iter().all(|loss| loss.place.chars().count() <= 64));
    }

    #[test]
    fn too_many_values_end_the_walk() {
        let flat = flat(&Json::Array((0..600).map(|n| json!({ "v": n })).collect()));
        assert_eq!(flat.readings.len(), 512);
        assert_eq!(flat.losses_total, 88);
        assert_eq!(flat.losses.len(), LOSSES_MAX);
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let flat = flat(&json!({ "t": "ä".repeat(300) }));
        assert_eq!(flat.readings[0].value, Value::Text("ä".repeat(256)));
        assert_eq!(flat.losses, [Loss { place: "t".into(), why: Why::TextCut }]);
    }

    #[test]
    fn a_prefix_names_a_single_value() {
        let flat = flatten(&json!(7), "counter", None, Limits::default());
        assert_eq!(names(&flat), ["counter"]);
        let flat = flatten(&json!({ "a": 7 }), "p", None, Limits::default());
        assert_eq!(names(&flat), ["p.a"]);
        assert_eq!(flatten(&json!(7), "", None, Limits::default()).readings, []);
    }
}
