//! What boards of one kind send and take: columns with names, commands with numbers (`websocket-mcu.md §4, §5, §8`). Pure.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// How boards of one kind speak: the no-code form of editing the original's constants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What people call it.
    pub name: String,
    /// Numbers of its boards, with `*` for any digits and `?` for one; none at all is every board.
    pub boards: Vec<String>,
    /// How a command is written: `{n}`, `{var}` and `{value}` are filled in.
    pub template: String,
    /// What stands behind the board's number, in its order. Columns beyond are called `v3`, `v4` and so on.
    pub columns: Vec<Column>,
    /// What boards can be told.
    pub commands: Vec<Action>,
}

/// One column of a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Column {
    /// The sensor's name.
    pub name: String,
    /// What people read instead of the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The unit of what is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Shown = sent × scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Decimal>,
    /// The least that is shown as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// The most that is shown as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    /// Whether it counts what the board sent: losses and restarts are told by it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

/// One command of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Action {
    /// What people call it.
    pub name: String,
    /// Its number on the wire, from 1.
    pub n: u16,
    /// What it is given.
    pub takes: Takes,
    /// The least of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Decimal>,
    /// The most of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Decimal>,
    /// Whether pages ask again before it goes out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
}

/// What a command is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takes {
    /// On or off: the firmware switches on for any number above zero (§5).
    #[default]
    Switch,
    /// A number.
    Number,
}

/// A finite number of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Decimal(f64);

impl Eq for Decimal {}

impl Decimal {
    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Decimal {
    type Error = &'static str;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        if number.is_finite() { Ok(Self(number)) } else { Err("expected a finite number") }
    }
}

impl From<Decimal> for f64 {
    fn from(number: Decimal) -> Self {
        number.0
    }
}

impl Default for Profile {
    /// The firmware as it was published (§4, §5).
    fn default() -> Self {
        let counter = Column {
            name: "SendCounter".to_owned(),
            label: Some("Send counter".to_owned()),
            counts: true,
            ..Column::default()
        };
        let temperature = Column {
            name: "TempSensor".to_owned(),
            label: Some("Temperature".to_owned()),
            unit: Some("°C".to_owned()),
            min: Some(Decimal(-40.0)),
            max: Some(Decimal(125.0)),
            ..Column::default()
        };
        Self {
            name: "board".to_owned(),
            boards: Vec::new(),
            template: "{n},{value}".to_owned(),
            columns: vec![counter, temperature],
            commands: vec![Action { name: "LED".to_owned(), n: 1, ..Action::default() }],
        }
    }
}

impl Profile {
    /// Whether it is for a board.
    pub(super) fn fits(&self, address: &str) -> bool {
        self.boards.is_empty()
            || self.boards.iter().any(|pattern| fits(pattern.as_bytes(), address.as_bytes()))
    }

    /// The command with a name, letter case aside, or with a number.
    pub(super) fn command(&self, word: &str) -> Option<&Action> {
        let number = word.parse::<u16>().ok();
        self.commands.iter().find(|action| action.name.eq_ignore_ascii_case(word) || number == Some(action.n))
    }

    /// What a board is sent: never more than [`WIRE_BYTES_MAX`] (§3).
    pub(super) fn wire(&self, action: &Action, value: &str) -> String {
        self.template
            .replace("{n}", &action.n.to_string())
            .replace("{var}", &action.n.saturating_sub(1).to_string())
            .replace("{value}", value)
    }

    /// What its columns mean: the text of a data dictionary for the boards that have this profile.
    pub(super) fn dictionary(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let name = quoted(&self.name);
        let mut text = format!("name = {name}\n[match]\nfamily = \"mcu\"\nprofile = {name}\n");
        for column in &self.columns {
            let _ = writeln!(text, "[keys.{}]", quoted(&column.name));
            let texts = [("label", &column.label), ("unit", &column.unit)];
            for (key, value) in texts.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
            let numbers = [("scale", column.scale), ("min", column.min), ("max", column.max)];
            for (key, value) in numbers.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                let _ = writeln!(text, "{key} = {:?}", value.get());
            }
        }
        text
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        let wrong = |what: String| Err(format!("`profiles`, `{}`: {what}", self.name));
        if !self.template.contains("{value}")
            || !self.template.is_ascii()
            || self.template.len() > TEMPLATE_MAX
        {
            return wrong(format!(
                "a template has {{value}} in it and at most {TEMPLATE_MAX} ASCII characters"
            ));
        }
        if let Some(board) = self.boards.iter().find(|board| !is_pattern(board)) {
            return wrong(format!("`{board}` is no number of boards: use digits, * and ?"));
        }
        let mut names = HashSet::new();
        for name in self.columns.iter().map(|column| column.name.as_str()) {
            let sound = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
            if !sound || OWN_SENSORS.contains(&name) || !names.insert(name) {
                return wrong(format!("the column `{name}` needs a name of its own, of 1 to 64 characters"));
            }
        }
        let mut numbers = HashSet::new();
        for action in &self.commands {
            let sound = (1..=64).contains(&action.name.len()) && action.name.parse::<u16>().is_err();
            if !sound || action.n == 0 || !numbers.insert(action.n) {
                return wrong(format!(
                    "the command `{}` needs a name and a number of its own, from 1",
                    action.name
                ));
            }
        }
        Ok(())
    }
}

fn is_pattern(board: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'?');
    (1..=16).contains(&board.len()) && board.bytes().all(letter)
}

/// Whether an address fits a pattern of digits, `*` and `?`. Both are short.
fn fits(pattern: &[u8], address: &[u8]) -> bool {
    match (pattern.split_first(), address.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, address) || address.split_first().is_some_and(|(_, behind)| fits(pattern, behind))
        }
        (Some((wanted, rest)), Some((found, behind))) => {
            (*wanted == b'?' || wanted == found) && fits(rest, behind)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// What a board's buffer and the shortest form of a frame take (§3).
pub(super) const WIRE_BYTES_MAX: usize = 125;
/// So that a value, 24 characters at most, always fits behind it.
const TEMPLATE_MAX: usize = 64;
/// What the server itself tells of a board; see `series`.
pub(super) const OWN_SENSORS: [&str; 3] = ["lost", "restarts", "repeats"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_find_their_profile() {
        let profile = |boards: &[&str]| Profile {
            boards: boards.iter().map(|board| (*board).to_owned()).collect(),
            ..Profile::default()
        };
        assert!(profile(&[]).fits("5"));
        assert!(profile(&["5"]).fits("5") && !profile(&["5"]).fits("55"));
        assert!(profile(&["1?"]).fits("17") && !profile(&["1?"]).fits("1") && !profile(&["1?"]).fits("170"));
        assert!(
            profile(&["7", "2*"]).fits("2") && profile(&["2*"]).fits("299") && !profile(&["2*"]).fits("12")
        );
    }

    #[test]
    fn both_dialects_of_commands_are_written() {
        let profile = Profile::default();
        let led = profile.command("led").unwrap();
        assert_eq!(profile.wire(led, "1"), "1,1");
        assert_eq!(profile.wire(profile.command("1").unwrap(), "0.0"), "1,0.0");
        assert_eq!(profile.command("fan"), None);
        // The firmware of 4 October 2016 (§5).
        let old = Profile { template: "1,{var},{value}".to_owned(), ..Profile::default() };
        assert_eq!(old.wire(old.command("LED").unwrap(), "1"), "1,0,1");
    }

    #[test]
    fn settings_are_read_and_wrong_ones_are_named() {
        let read = |text: &str| toml::from_str::<Profile>(text).map_err(|error| error.to_string());
        let profile = read("name = \"x\"\ncolumns = [{ name = \"a\", min = -40, scale = 0.1 }]").unwrap();
        assert_eq!(profile.columns[0].min, Some(Decimal(-40.0)));
        assert_eq!(profile.check(), Ok(()));
        assert_eq!(Profile::default().check(), Ok(()));
        for (text, part) in [
            ("name = \"x\"\ntemplate = \"{n}\"", "{value}"),
            ("name = \"x\"\ncolumns = [{ name = \"lost\" }]", "`lost`"),
            ("name = \"x\"\ncolumns = [{ name = \"a\" }, { name = \"a\" }]", "`a`"),
            ("name = \"x\"\nboards = [\"abc\"]", "`abc`"),
            ("name = \"x\"\ncommands = [{ name = \"fan\" }]", "`fan`"),
        ] {
            let fault = read(text).unwrap().check().unwrap_err();
            assert!(fault.contains(part) && fault.contains("`x`"), "{text}: {fault}");
        }
        assert!(read("min = nan").is_err());
    }

    #[test]
    fn its_dictionary_is_one() {
        let text = Profile { boards: vec!["5".to_owned()], ..Profile::default() }.dictionary();
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["match"]["profile"].as_str(), Some("board"));
        assert_eq!(read["keys"]["TempSensor"]["min"].as_float(), Some(-40.0));
        assert_eq!(read["keys"]["TempSensor"]["unit"].as_str(), Some("°C"));
    }
}
