//! Turns a JSON payload into readings. Pure; knows no dialect: a family says which part of its message is
//! the payload and what its values are called.

use std::fmt;

use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
    /// The names of the payload's members.
    pub keys: Vec<String>,
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

/// Flattens a payload's text, which must be a JSON object: `a.b` for `b` inside `a`, `a.0` for the first of an array,
/// `null` as a gap. Members of the object that `lifted` names are called by their own names and come first. A key that
/// stands twice is read twice.
///
/// # Errors
/// The text is no JSON object, or a number in it is beyond what a computer can hold.
pub fn flatten(
    payload: &str,
    lifted: Option<&str>,
    created: Option<Timestamp>,
    limits: Limits,
) -> serde_json::Result<Flattened> {
    let mut walk = Walk {
        name: String::with_capacity(limits.name_chars_max),
        created,
        limits,
        lifted,
        front: Vec::new(),
        rest: Vec::new(),
        in_front: false,
        told: Flattened::default(),
    };
    let mut text = serde_json::Deserializer::from_str(payload);
    Whole(&mut walk).deserialize(&mut text)?;
    text.end()?;
    let Walk { front, rest, mut told, .. } = walk;
    told.readings = front;
    told.readings.extend(rest);
    Ok(told)
}

struct Walk<'a> {
    name: String,
    created: Option<Timestamp>,
    limits: Limits,
    lifted: Option<&'a str>,
    /// Values of the object that is lifted.
    front: Vec<Reading>,
    rest: Vec<Reading>,
    in_front: bool,
    /// All but the readings.
    told: Flattened,
}

/// What is to be made of the value that a key or a place leads to.
#[derive(Clone, Copy)]
enum Way {
    /// It is read.
    Open,
    /// It is read; if it is an object, its members stand for themselves.
    Lifted,
    /// It is left out.
    Shut,
}

impl Walk<'_> {
    /// Goes one level in.
    fn enter(&mut self, key: &str, depth: usize) -> Way {
        let lifted = depth == 0 && !self.in_front && self.lifted == Some(key);
        if !lifted && self.is_full() {
            self.lose(Why::TooMany);
            return Way::Shut;
        }
        if !self.name.is_empty() {
            self.name.push('.');
        }
        self.name.push_str(key);
        if lifted {
            return Way::Lifted;
        }
        let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if (!plain && (key.is_empty() || key.chars().any(char::is_control))) || self.name_is_long() {
            self.lose(Why::BadName);
            return Way::Shut;
        }
        Way::Open
    }

    fn is_full(&self) -> bool {
        let readings = if self.in_front { &self.front } else { &self.rest };
        readings.len() >= self.limits.readings_max
    }

    fn keep(&mut self, value: Value) {
        if self.name.is_empty() || self.name_is_long() {
            return self.lose(Why::BadName);
        }
        if self.is_full() {
            return self.lose(Why::TooMany);
        }
        let reading =
            Reading { sensor: self.name.as_str().into(), value, created: self.created, counts: true };
        let readings = if self.in_front { &mut self.front } else { &mut self.rest };
        readings.push(reading);
    }

    fn cut(&mut self, text: &str) -> String {
        // Bytes first: no text with few bytes has many characters.
        let most = self.limits.text_chars_max;
        match text.char_indices().nth(most).filter(|_| text.len() > most) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.lose(Why::TextCut);
                text.get(..end).unwrap_or_default().to_owned()
            }
        }
    }

    fn name_is_long(&self) -> bool {
        self.name.len() > self.limits.name_chars_max && self.name.chars().count() > self.limits.name_chars_max
    }

    fn lose(&mut self, why: Why) {
        self.told.losses_total += 1;
        if self.told.losses.len() < LOSSES_MAX {
            let place =
                self.name.chars().take(self.limits.name_chars_max).filter(|c| !c.is_control()).collect();
            self.told.losses.push(Loss { place, why });
        }
    }
}

/// The payload itself.
struct Whole<'w, 'a>(&'w mut Walk<'a>);

impl<'de> DeserializeSeed<'de> for Whole<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        members(self.0, 0, map)
    }
}

/// One value, so many levels deep.
struct Node<'w, 'a> {
    walk: &'w mut Walk<'a>,
    depth: usize,
    way: Way,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        match self.way {
            Way::Open | Way::Lifted => text.deserialize_any(self),
            Way::Shut => IgnoredAny::deserialize(text).map(drop),
        }
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.walk.keep(Value::Bool(truth));
        Ok(())
    }

    fn visit_i64<E>(self, whole: i64) -> Result<(), E> {
        self.walk.keep(Value::Integer(whole));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a number beyond 63 bits becomes the nearest real one")]
    fn visit_u64<E>(self, whole: u64) -> Result<(), E> {
        self.walk.keep(i64::try_from(whole).map_or(Value::Real(whole as f64), Value::Integer));
        Ok(())
    }

    fn visit_f64<E>(self, real: f64) -> Result<(), E> {
        self.walk.keep(Value::Real(real));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let text = self.walk.cut(text);
        self.walk.keep(Value::Text(text));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.walk.keep(Value::Gap(Gap));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { walk, depth, .. } = self;
        if depth >= walk.limits.depth_max {
            walk.lose(Why::TooDeep);
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let mut place = 0;
        while seq.next_element_seed(Element { walk: &mut *walk, depth, place })?.is_some() {
            place += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, depth, way } = self;
        if matches!(way, Way::Lifted) {
            let name = std::mem::take(&mut walk.name);
            walk.in_front = true;
            members(walk, 0, map)?;
            walk.in_front = false;
            walk.name = name;
            return Ok(());
        }
        if depth >= walk.limits.depth_max {
            walk.lose(Why::TooDeep);
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        members(walk, depth, map)
    }
}

fn members<'de, A: MapAccess<'de>>(walk: &mut Walk<'_>, depth: usize, mut map: A) -> Result<(), A::Error> {
    loop {
        let before = walk.name.len();
        let Some(way) = map.next_key_seed(Key { walk: &mut *walk, depth })? else { return Ok(()) };
        map.next_value_seed(Node { walk: &mut *walk, depth: depth + 1, way })?;
        walk.name.truncate(before);
    }
}

/// A member's name.
struct Key<'w, 'a> {
    walk: &'w mut Walk<'a>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Way;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Way, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Way;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Way, E> {
        if self.depth == 0 && !self.walk.in_front {
            self.walk.told.keys.push(key.to_owned());
        }
        Ok(self.walk.enter(key, self.depth))
    }
}

/// The element of an array at a place.
struct Element<'w, 'a> {
    walk: &'w mut Walk<'a>,
    depth: usize,
    place: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        let Self { walk, depth, place } = self;
        let before = walk.name.len();
        let way = walk.enter(&place.to_string(), depth);
        Node { walk: &mut *walk, depth: depth + 1, way }.deserialize(text)?;
        walk.name.truncate(before);
        Ok(())
    }
}

/// How many losses are told one by one.
const LOSSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn flat(payload: &Json) -> Flattened {
        flatten(&payload.to_string(), None, None, Limits::default()).unwrap()
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
        assert_eq!(flat.keys, ["a", "b", "c", "d", "e", "f", "h"]);
    }

    #[test]
    fn numbers_beyond_64_bits_become_real_and_those_beyond_all_are_refused() {
        let flat = flat(&json!({ "big": u64::MAX }));
        assert_eq!(flat.readings[0].value, Value::Real(18_446_744_073_709_551_615.0));
        assert!(flatten(r#"{"a":1e999}"#, None, None, Limits::default()).is_err());
    }

    #[test]
    fn only_an_object_is_a_payload() {
        for text in ["7", "[]", "null", r#""a""#, "{", "{} x", ""] {
            assert!(flatten(text, None, None, Limits::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_beyond_a_limit_is_dropped_and_told() {
        let mut deep = json!(1);
        for _ in 0..20 {
            deep = json!({ "x": deep });
        }
        let mut deep_list = json!([1]);
        for _ in 0..20 {
            deep_list = json!([deep_list]);
        }
        let long = "n".repeat(65);
        let flat = flat(
            &json!({ "deep": deep, "list": deep_list, long.as_str(): [1, {"a": 2}], "": 2, "a\nb": 3, "ok": 4 }),
        );
        assert_eq!(names(&flat), ["ok"]);
        assert_eq!(flat.losses_total, 5);
        assert_eq!(flat.losses.iter().filter(|loss| loss.why == Why::TooDeep).count(), 2);
        assert_eq!(flat.losses.iter().filter(|loss| loss.why == Why::BadName).count(), 3);
        assert!(flat.losses.iter().all(|loss| loss.place.chars().count() <= 64));
    }

    #[test]
    fn too_many_values_end_the_walk() {
        let flat = flat(&json!({ "all": (0..600).map(|n| json!({ "v": n })).collect::<Vec<_>>() }));
        assert_eq!(flat.readings.len(), 512);
        assert_eq!(flat.losses_total, 88);
        assert_eq!(flat.losses.len(), LOSSES_MAX);
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let flat = flat(&json!({ "t": "ä".repeat(300), "u": "ä".repeat(256) }));
        assert_eq!(flat.readings[0].value, Value::Text("ä".repeat(256)));
        assert_eq!(flat.readings[1].value, Value::Text("ä".repeat(256)));
        assert_eq!(flat.losses, [Loss { place: "t".into(), why: Why::TextCut }]);
    }

    #[test]
    fn what_is_lifted_comes_first_and_by_its_own_names() {
        let lifted =
            |payload: &Json| flatten(&payload.to_string(), Some("_hbt"), None, Limits::default()).unwrap();
        let flat = lifted(&json!({ "a": 1, "_hbt": { "b": [2], "_hbt": { "c": 3 } }, "d": { "_hbt": 4 } }));
        assert_eq!(names(&flat), ["b.0", "_hbt.c", "a", "d._hbt"]);
        assert_eq!(flat.keys, ["a", "_hbt", "d"]);
        assert_eq!(names(&lifted(&json!({ "_hbt": 5, "e": 6 }))), ["_hbt", "e"]);
        assert_eq!(names(&lifted(&json!({ "_hbt": [5] }))), ["_hbt.0"]);
    }
}
