//! Data dictionaries: what a device's values are called, in which unit, and what their bits mean
//! (`cwm-oke.md §7.2`). Applied when values are shown or exported; never changes what is stored.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `parse` | one TOML text → a checked dictionary, or the line that is wrong |
//! | `entry` | one key: its kind, its texts, what it makes of a value |
//! | `matching` | which devices a dictionary is for |
//! | `shelf` | the files of a folder, and the handle everybody reads |

mod entry;
mod matching;
mod parse;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use entry::{Alarm, Bound, Class, Explained};
pub use parse::parse;
pub use shelf::{Dictionaries, Shelf, read_file};

use crate::model::{DeviceRef, Value};
use entry::Entry;
use matching::{Match, Rank};

/// One dictionary.
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// What people call it.
    pub name: String,
    /// The file it came from; `None` when it is built in.
    pub file: Option<PathBuf>,
    fits: Match,
    exact: HashMap<String, Entry>,
    /// Keys with a `*` in them, each for one piece of a sensor's name.
    patterns: Vec<(String, Entry)>,
}

impl Dictionary {
    /// How many keys it explains.
    pub fn keys(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    /// Which devices it is for, as a person reads it.
    pub fn devices(&self) -> String {
        self.fits.to_string()
    }

    /// The entry of a sensor and the place in its array: `act_temp` explains `act_temp.0` too.
    fn entry(&self, sensor: &str) -> Option<(&Entry, Option<usize>)> {
        if let Some(entry) = self.exact.get(sensor) {
            return Some((entry, None));
        }
        let array = sensor.rsplit_once('.').and_then(|(key, place)| Some((key, place.parse().ok()?)));
        if let Some((entry, place)) =
            array.and_then(|(key, place): (&str, usize)| Some((self.exact.get(key)?, place)))
        {
            return Some((entry, Some(place)));
        }
        let pattern = self.patterns.iter().find(|(pattern, _)| matching::pieces_fit(pattern, sensor));
        pattern.map(|(_, entry)| (entry, array.map(|(_, place)| place)))
    }
}

/// The dictionaries that explain one device, the closest first.
#[derive(Clone, Debug, Default)]
pub struct Chosen(Vec<Arc<Dictionary>>);

impl Chosen {
    /// What a value means; `None` when no dictionary knows the sensor.
    pub fn explain(&self, sensor: &str, value: &Value) -> Option<Explained> {
        self.0.iter().find_map(|dictionary| {
            let (entry, place) = dictionary.entry(sensor)?;
            Some(entry.explain(place, value))
        })
    }

    /// How many of a sensor's last values are shown together.
    pub fn recent(&self, sensor: &str) -> u32 {
        self.entry(sensor).map_or(1, |entry| entry.recent)
    }

    /// Whether a sensor's numbers are amounts, which may be averaged, and no codes. Those of an unknown one are.
    pub fn is_amount(&self, sensor: &str) -> bool {
        self.entry(sensor).is_none_or(Entry::is_amount)
    }

    /// What a sensor's number is multiplied by for people, and what is added then.
    pub fn scaling(&self, sensor: &str) -> (f64, f64) {
        self.entry(sensor).and_then(Entry::scaling).map_or((1.0, 0.0), |scale| (scale.factor, scale.offset))
    }

    /// The least and the most of a sensor's numbers that is in order, as shown.
    pub fn limits(&self, sensor: &str) -> (Option<f64>, Option<f64>) {
        self.entry(sensor).and_then(Entry::scaling).map_or((None, None), |scale| (scale.min, scale.max))
    }

    /// The words that stand for a sensor's values, in the order of the values; none for other kinds of sensors.
    pub fn words(&self, sensor: &str) -> Vec<&str> {
        self.entry(sensor).map(Entry::words).unwrap_or_default()
    }

    /// Where a sensor stands among those of its device, as the dictionaries have them: the closest dictionary first, in it
    /// the order of the file, then the places of an array. Sensors that none knows come last.
    pub fn order(&self, sensor: &str) -> (usize, usize, usize) {
        let found = self.0.iter().enumerate().find_map(|(number, dictionary)| {
            let (entry, place) = dictionary.entry(sensor)?;
            Some((number, entry.at, place.unwrap_or(0)))
        });
        found.unwrap_or((usize::MAX, 0, 0))
    }

    fn entry(&self, sensor: &str) -> Option<&Entry> {
        self.0.iter().find_map(|dictionary| dictionary.entry(sensor)).map(|(entry, _)| entry)
    }

    /// Their names, the closest first.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|dictionary| dictionary.name.as_str()).collect()
    }
}

/// What is wrong with a dictionary, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1; `None` when the file as a whole is meant.
    pub line: Option<usize>,
    /// The cause and the fix.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if self.file.is_some() || self.line.is_some() {
            write!(f, " ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

fn rank(dictionary: &Dictionary, names: &DeviceRef, profile: Option<&str>) -> Option<Rank> {
    dictionary.fits.rank(names, profile)
}
