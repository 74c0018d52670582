//! The six calibration parameters of a node (`sca11h.md §6`): read from what people and nodes write, checked, written.

use std::fmt;

use serde_json::Value as Json;

/// Six parameters in the order of the wire. Whether a node would take them is [`Pars::check`]'s to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pars([i64; COUNT]);

/// A parameter: what it is called and what a node takes (§6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name in the node's API.
    pub(super) name: &'static str,
    /// What the node's own web page calls it; `None` where that page does not show it.
    pub(super) page_name: Option<&'static str>,
    /// The least value.
    pub(super) least: i64,
    /// The largest value.
    pub(super) most: i64,
}

/// Every parameter, in the order of the wire.
pub(super) const FIELDS: [Field; COUNT] = [
    Field { name: "var_level_1", page_name: Some("signal high"), least: 1000, most: 30_000 },
    Field { name: "var_level_2", page_name: Some("signal low"), least: 100, most: 10_000 },
    Field { name: "stroke_vol", page_name: Some("min amplitude"), least: 500, most: 20_000 },
    Field { name: "tentative_stroke_vol", page_name: None, least: 0, most: 20_000 },
    Field { name: "signal_range", page_name: Some("typ amplitude"), least: 100, most: 10_000 },
    Field { name: "to_micro_g", page_name: Some("scale"), least: 2, most: 15 },
];

/// Why a text holds no parameters that a node may be sent. The sentence names the field and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(String);

/// Parameters as somebody wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The parameters.
    pub(super) pars: Pars,
    /// Whether they came in the five-field order of the node's web page, which leaves `tentative_stroke_vol` out.
    pub(super) five: bool,
}

impl Pars {
    /// These numbers, in the order of the wire.
    pub(super) const fn new(values: [i64; COUNT]) -> Self {
        Self(values)
    }

    /// The numbers, in the order of the wire.
    pub(super) const fn values(self) -> [i64; COUNT] {
        self.0
    }

    /// Each parameter with its value.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'static Field, i64)> {
        FIELDS.iter().zip(self.0)
    }

    /// Whether a node would take them: each in its range, and the empty bed below the moving one.
    ///
    /// # Errors
    /// The first field that is out of its range, with the range.
    pub(super) fn check(self) -> Result<Self, Wrong> {
        for (field, value) in self.fields() {
            if !(field.least..=field.most).contains(&value) {
                return Err(Wrong(format!(
                    "{} is {value}: a node takes {} to {}",
                    field.name, field.least, field.most
                )));
            }
        }
        let [high, low, ..] = self.0;
        if low >= high {
            return Err(Wrong(format!(
                "var_level_2 is {low}: it must be below var_level_1, which is {high}"
            )));
        }
        Ok(self)
    }

    /// The reply that sets them (§5.3): compact JSON, no blanks, no leading zeros.
    pub(super) fn reply(self) -> String {
        format!(r#"{{"pars":"{self}"}}"#)
    }

    /// Each parameter by its name, for people.
    pub(super) fn named(self) -> Json {
        Json::Object(self.fields().map(|(field, value)| (field.name.to_owned(), Json::from(value))).collect())
    }
}

impl Written {
    /// What a person typed as a payload: JSON, or bare numbers with commas between.
    ///
    /// # Errors
    /// What is wrong with it; ranges are not looked at.
    pub(super) fn typed(text: &str) -> Result<Self, Wrong> {
        match serde_json::from_str(text) {
            Ok(json @ (Json::String(_) | Json::Array(_) | Json::Object(_))) => Self::read(&json),
            Ok(Json::Null | Json::Bool(_) | Json::Number(_)) | Err(_) => Self::of_text(text),
        }
    }

    /// Parameters as JSON: the text of the wire, a list of numbers, or an object of named fields, or one of those
    /// under `pars`.
    ///
    /// # Errors
    /// What is wrong with it; ranges are not looked at.
    pub(super) fn read(json: &Json) -> Result<Self, Wrong> {
        match json {
            Json::String(text) => Self::of_text(text),
            Json::Array(list) => {
                let numbers = list.iter().enumerate().map(|(at, item)| number(at, item));
                Self::of_numbers(&numbers.collect::<Result<Vec<_>, _>>()?)
            }
            Json::Object(members) => match members.get("pars") {
                Some(inner @ (Json::String(_) | Json::Array(_))) if members.len() == 1 => Self::read(inner),
                Some(_) | None => Self::of_members(members),
            },
            Json::Null | Json::Bool(_) | Json::Number(_) => Err(Wrong(EXPECTED.to_owned())),
        }
    }

    /// Whether a node that reports `self` has what it was sent. One that reports five fields does not say what its
    /// `tentative_stroke_vol` is.
    pub(super) fn shows(self, sent: Pars) -> bool {
        let pairs = self.pars.0.into_iter().zip(sent.0).enumerate();
        pairs.into_iter().all(|(at, (one, other))| one == other || (self.five && at == TENTATIVE))
    }

    fn of_text(text: &str) -> Result<Self, Wrong> {
        let numbers = text.split(',').enumerate().map(|(at, part)| {
            let part = part.trim();
            let sound = part.len() <= DIGITS_MAX;
            sound.then(|| part.parse().ok()).flatten().ok_or_else(|| no_number(at, &format!("{part:?}")))
        });
        Self::of_numbers(&numbers.collect::<Result<Vec<_>, _>>()?)
    }

    fn of_numbers(numbers: &[i64]) -> Result<Self, Wrong> {
        if let Ok(values) = numbers.try_into() {
            return Ok(Self { pars: Pars(values), five: false });
        }
        match *numbers {
            [high, low, stroke, range, scale] => {
                Ok(Self { pars: Pars([high, low, stroke, TENTATIVE_ZERO, range, scale]), five: true })
            }
            _ => Err(Wrong(format!("there are {} numbers: {EXPECTED}", numbers.len()))),
        }
    }

    fn of_members(members: &serde_json::Map<String, Json>) -> Result<Self, Wrong> {
        if let Some(name) = members.keys().find(|name| FIELDS.iter().all(|field| field.name != **name)) {
            let names = FIELDS.map(|field| field.name).join(", ");
            return Err(Wrong(format!("{name} is no parameter: they are {names}")));
        }
        let mut values = [TENTATIVE_ZERO; COUNT];
        let mut five = false;
        for (at, (field, value)) in FIELDS.iter().zip(&mut values).enumerate() {
            match members.get(field.name) {
                Some(member) => *value = number(at, member)?,
                None if field.page_name.is_none() => five = true,
                None => {
                    return Err(Wrong(format!(
                        "{} is missing: a node takes all parameters at once",
                        field.name
                    )));
                }
            }
        }
        Ok(Self { pars: Pars(values), five })
    }
}

impl fmt::Display for Pars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            value.fmt(f)?;
        }
        Ok(())
    }
}

fn number(at: usize, json: &Json) -> Result<i64, Wrong> {
    json.as_i64().ok_or_else(|| no_number(at, &json.to_string()))
}

fn no_number(at: usize, found: &str) -> Wrong {
    let found: String = found.chars().take(SHOWN_CHARS_MAX).collect();
    Wrong(format!("number {} is {found}: each is a whole number", at + 1))
}

const COUNT: usize = 6;
/// The place of `tentative_stroke_vol`.
const TENTATIVE: usize = 3;
/// What stands for it where the five-field order leaves it out (§6).
const TENTATIVE_ZERO: i64 = 0;
/// More digits than any number that fits.
const DIGITS_MAX: usize = 18;
const SHOWN_CHARS_MAX: usize = 40;
const EXPECTED: &str = "write six whole numbers such as \"7000,270,5000,0,1400,7\" (var_level_1, var_level_2, \
     stroke_vol, tentative_stroke_vol, signal_range, to_micro_g), or five in the order of the node's web page";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MURATA: Pars = Pars([7000, 270, 5000, 0, 1400, 7]);

    #[test]
    fn every_spelling_is_read() {
        let six = Written { pars: MURATA, five: false };
        let five = Written { pars: MURATA, five: true };
        for (typed, want) in [
            (r#""7000,270,5000,0,1400,7""#, six),
            ("7000,270,5000,0,1400,7", six),
            (r#"" 7000, 0270,5000 ,+0,1400,7""#, six),
            ("[7000,270,5000,0,1400,7]", six),
            (r#"{"pars":"7000,270,5000,0,1400,7"}"#, six),
            (r#"{"pars":[7000,270,5000,0,1400,7]}"#, six),
            (r#""7000,270,5000,1400,7""#, five),
            ("7000,270,5000,1400,7", five),
            ("[7000,270,5000,1400,7]", five),
            (
                r#"{"to_micro_g":7,"var_level_1":7000,"var_level_2":270,"stroke_vol":5000,"tentative_stroke_vol":0,"signal_range":1400}"#,
                six,
            ),
            (
                r#"{"var_level_1":7000,"var_level_2":270,"stroke_vol":5000,"signal_range":1400,"to_micro_g":7}"#,
                five,
            ),
        ] {
            assert_eq!(Written::typed(typed), Ok(want), "{typed}");
        }
    }

    #[test]
    fn what_is_not_six_numbers_is_refused_with_its_reason() {
        for (typed, reason) in [
            ("", "number 1 is \"\""),
            ("null", "number 1 is \"null\""),
            ("7", "there are 1 numbers"),
            ("1,2,3,4,5,6,7", "there are 7 numbers"),
            ("7000,270,5000,0,1400,x", "number 6 is \"x\""),
            ("7000,270,,0,1400,7", "number 3 is \"\""),
            ("7000,270,5000,0,1400,7.5", "number 6 is \"7.5\""),
            ("[7000,270,5000,0,1400,\"7\"]", "number 6 is \"7\""),
            ("[7000,270,5000,0,1400,7.0]", "number 6 is 7.0"),
            ("99999999999999999999,1,1,1,1,1", "number 1 is"),
            (r#"{"var_level_1":7000}"#, "var_level_2 is missing"),
            (r#"{"pars":"1,2","x":1}"#, "pars is no parameter"),
            (r#"{"Var_Level_1":7000}"#, "Var_Level_1 is no parameter"),
        ] {
            let wrong = Written::typed(typed).unwrap_err().to_string();
            assert!(wrong.contains(reason), "{typed}: {wrong}");
        }
    }

    #[test]
    fn each_field_has_its_range() {
        assert_eq!(MURATA.check(), Ok(MURATA));
        for (at, field) in FIELDS.iter().enumerate() {
            for (value, sound) in
                [(field.least - 1, false), (field.least, true), (field.most, true), (field.most + 1, false)]
            {
                // So that the order of the two levels is right, whichever of them is tried.
                let mut values = [30_000, 100, 5000, 0, 1400, 7];
                values[at] = value;
                let checked = Pars::new(values).check();
                assert_eq!(checked.is_ok(), sound, "{} {value}", field.name);
                if let Err(wrong) = checked {
                    let range =
                        format!("{} is {value}: a node takes {} to {}", field.name, field.least, field.most);
                    assert_eq!(wrong.to_string(), range);
                }
            }
        }
        let upside_down = Pars::new([5000, 5000, 5000, 0, 1400, 7]).check().unwrap_err();
        assert!(upside_down.to_string().contains("below var_level_1"));
    }

    #[test]
    fn the_reply_is_compact_and_as_long_as_the_page_says() {
        assert_eq!(MURATA.reply(), r#"{"pars":"7000,270,5000,0,1400,7"}"#);
        assert_eq!(MURATA.reply().len(), 0x21, "§3.4: 11 bytes and the text");
        let padded = Written::typed("07000, 270,5000,00,1400,7").unwrap().pars;
        assert_eq!(padded.reply(), MURATA.reply());
    }

    #[test]
    fn a_node_that_reports_five_fields_says_nothing_of_the_sixth() {
        let sent = Pars::new([7000, 270, 5000, 5000, 1400, 7]);
        let six = Written::read(&json!("7000,270,5000,0,1400,7")).unwrap();
        let five = Written::read(&json!([7000, 270, 5000, 1400, 7])).unwrap();
        assert!(!six.shows(sent) && five.shows(sent) && six.shows(MURATA));
        assert!(!five.shows(Pars::new([7001, 270, 5000, 5000, 1400, 7])));
    }
}
