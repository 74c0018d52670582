//! What the fleet was told against what the server stored: nothing missing, nothing twice, nothing else. Pure: who
//! asks the server feeds it.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::book::{Book, Mark};
use super::office::StoredCommand;
use crate::family::simulator::{Habits, Orders};
use crate::model::{Direction, Verdict};

/// A message as the server's ledger has it.
#[derive(Clone, Copy, Debug)]
pub struct StoredMessage<'a> {
    /// Its number.
    pub seq: i64,
    /// The address of its device; empty when it has none.
    pub address: &'a str,
    /// Which way it went.
    pub direction: Direction,
    /// What the server found in it.
    pub verdict: Verdict,
    /// Its exact bytes.
    pub text: &'a [u8],
}

/// An audit under way.
#[derive(Debug)]
pub struct Audit {
    members: Vec<(Vec<String>, Book)>,
    places: HashMap<String, (usize, usize)>,
    /// Who sent messages that do not say whose they are.
    adrift: HashMap<Mark, usize>,
    habits: Habits,
    found: Found,
}

/// How it came out.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    /// Messages that the server said it has.
    pub confirmed: u64,
    /// Messages of the fleet in the ledger, repeats included.
    pub stored: u64,
    /// Commands that were compared.
    pub commands: u64,
    /// Newest values that were compared.
    pub values: u64,
    /// Values that must be stored, of those sensors that were counted.
    pub counted: u64,
    /// How many faults there are.
    pub faults_count: u64,
    /// The faults, the first hundred.
    pub faults: Vec<Finding>,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A message was confirmed more often than it is stored.
    Missing {
        /// Whose.
        address: String,
        /// Its how manieth.
        place: u32,
        /// How often it was confirmed.
        confirmed: u16,
        /// How often it is stored.
        stored: u16,
    },
    /// A message is stored as new more than once, or more often than it was sent.
    Twice {
        /// Whose.
        address: String,
        /// Its how manieth.
        place: u32,
        /// How often it is stored.
        stored: u16,
        /// How often it was sent.
        sent: u16,
    },
    /// The server found something else in a message than what is in it.
    Verdict {
        /// Its number.
        seq: i64,
        /// What is in it.
        expected: Verdict,
        /// What the server found.
        found: Verdict,
    },
    /// A message stands under another device than the one that it says it is from.
    Astray {
        /// Its number.
        seq: i64,
        /// Where it belongs.
        expected: String,
        /// Where it stands.
        found: String,
    },
    /// A message stands in the ledger that nobody of the fleet sent.
    Unsaid {
        /// Its number.
        seq: i64,
        /// Under whom.
        address: String,
    },
    /// A command is not what its device knows of it.
    Command {
        /// Its id.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// A newest value is not the one that was sent last.
    Value {
        /// Whose.
        address: String,
        /// The sensor.
        sensor: &'static str,
        /// What was sent last.
        expected: i64,
        /// What the server has.
        found: Option<i64>,
    },
    /// More or fewer values of a sensor are stored than were confirmed.
    Count {
        /// Whose.
        address: String,
        /// The sensor.
        sensor: &'static str,
        /// How many were confirmed.
        expected: u64,
        /// How many are stored.
        found: u64,
    },
    /// Anything else that should not be.
    Odd(String),
}

impl Audit {
    /// Begins an audit of what these devices were told.
    pub fn new(members: Vec<(Vec<String>, Book)>, habits: Habits) -> Self {
        let (mut places, mut adrift) = (HashMap::new(), HashMap::new());
        let mut found = Found::default();
        for (at, (addresses, book)) in members.iter().enumerate() {
            places.extend(
                addresses.iter().enumerate().map(|(from, name)| (name.to_ascii_lowercase(), (at, from))),
            );
            let nameless = book.said.iter().filter(|(_, said)| said.from.is_none());
            adrift.extend(nameless.map(|(mark, _)| (*mark, at)));
            found.confirmed += book.said.values().filter(|said| said.confirmed > 0).count() as u64;
        }
        Self { members, places, adrift, habits, found }
    }

    /// Takes a message of the ledger; one that is none of the fleet's is passed over.
    pub fn message(&mut self, stored: &StoredMessage<'_>) {
        let mark = Mark::of(stored.text);
        let place = self.places.get(&stored.address.to_ascii_lowercase()).copied();
        let place = match (place, self.adrift.get(&mark)) {
            (_, Some(&at)) if stored.direction == Direction::In => (at, None),
            (Some((at, from)), _) => (at, Some(from)),
            (None, _) => return,
        };
        let (at, from) = place;
        let Some((addresses, book)) = self.members.get_mut(at) else { return };
        match stored.direction {
            Direction::Out => {
                // One that was handed out and lost on its way comes again, or its command says so.
                if let Some(got) = book.got.get_mut(&mark) {
                    got.stored = got.stored.saturating_add(1);
                }
            }
            Direction::In => {
                self.found.stored += 1;
                let Some(said) = book.said.get_mut(&mark) else {
                    let (seq, address) = (stored.seq, stored.address.to_owned());
                    return self.found.note(Finding::Unsaid { seq, address });
                };
                let repeat = stored.verdict == Verdict::Duplicate;
                let count = if repeat { &mut said.repeats } else { &mut said.fresh };
                *count = count.saturating_add(1);
                let said = *said;
                if let (Some(wanted), Some(from)) = (said.from.map(usize::from), from)
                    && wanted != from
                {
                    let expected = addresses.get(wanted).cloned().unwrap_or_default();
                    let found = stored.address.to_owned();
                    self.found.note(Finding::Astray { seq: stored.seq, expected, found });
                }
                if !repeat && stored.verdict != said.verdict {
                    let (seq, expected, found) = (stored.seq, said.verdict, stored.verdict);
                    self.found.note(Finding::Verdict { seq, expected, found });
                }
            }
        }
    }

    /// Takes a command that was queued for the fleet; `address` is the device that was to fetch it.
    pub fn command(&mut self, address: &str, stored: &StoredCommand) {
        self.found.commands += 1;
        let place = self.places.get(&address.to_ascii_lowercase());
        let book = place.and_then(|(at, _)| self.members.get(*at)).map(|(_, book)| book);
        let got = book.and_then(|book| book.got.get(&Mark::of(stored.text.as_bytes())));
        let reply = stored.reply.as_ref().map(|text| Mark::of(text.as_bytes()));
        let silent = self.habits.orders == Orders::Silent;
        let what = match (stored.state.as_str(), got) {
            ("sent", Some(_)) if silent => return,
            // A connection that ends in the dark may take along what was sent on it.
            ("sent", None) if silent && book.is_some_and(|book| book.may_lose(&stored.id)) => {
                return;
            }
            ("sent", None) if silent => "the server says that it was sent, and the device never had it",
            ("accepted" | "answered", None) => {
                "the server says that it was taken, and the device never had it"
            }
            ("answered", Some(got)) if !reply.is_some_and(|reply| got.replies.contains(&reply)) => {
                "its reply is not the one that the device sent"
            }
            ("accepted", Some(got)) if !got.replies.is_empty() => {
                "the device replied and was confirmed, and the server has no reply"
            }
            ("accepted" | "answered", Some(_)) => return,
            (_, Some(_)) => "the device has it, and the server does not know",
            (_, None) => "it did not reach its device",
        };
        let what = format!("{what} (it is {})", stored.state);
        self.found.note(Finding::Command { id: stored.id.clone(), what });
    }

    /// Every newest value that the server should have: address, sensor, value.
    pub fn values(&self) -> Vec<(String, &'static str, i64)> {
        let of = |(addresses, book): &(Vec<String>, Book)| -> Vec<(String, &'static str, i64)> {
            let named = book
                .shows
                .iter()
                .filter_map(|((from, sensor), value)| Some((addresses.get(*from)?.clone(), *sensor, *value)));
            named.collect()
        };
        self.members.iter().flat_map(of).collect()
    }

    /// Takes a newest value.
    pub fn value(&mut self, address: &str, sensor: &'static str, expected: i64, found: Option<i64>) {
        self.found.values += 1;
        if found != Some(expected) {
            self.found.note(Finding::Value { address: address.to_owned(), sensor, expected, found });
        }
    }

    /// Every sensor whose values were counted, and its address.
    pub fn counts(&self) -> Vec<(String, &'static str)> {
        let of = |(addresses, book): &(Vec<String>, Book)| -> Vec<(String, &'static str)> {
            let named = book.holds.keys();
            named.filter_map(|(from, sensor)| Some((addresses.get(*from)?.clone(), *sensor))).collect()
        };
        self.members.iter().flat_map(of).collect()
    }

    /// Takes how many values of a sensor came to be stored.
    pub fn count(&mut self, address: &str, sensor: &'static str, found: u64) {
        let Some(&(at, from)) = self.places.get(&address.to_ascii_lowercase()) else { return };
        let book = self.members.get(at).map(|(_, book)| book);
        let (expected, beside) =
            book.and_then(|book| book.holds.get(&(from, sensor)).copied()).unwrap_or_default();
        self.found.counted += expected;
        if !(expected..=expected + beside).contains(&found) {
            self.found.note(Finding::Count { address: address.to_owned(), sensor, expected, found });
        }
    }

    /// Takes a fault that somebody else found.
    pub fn fault(&mut self, sentence: impl Into<String>) {
        self.found.note(Finding::Odd(sentence.into()));
    }

    /// Ends the audit: what nobody spoke of is missing.
    pub fn finish(mut self) -> Found {
        for (addresses, book) in &self.members {
            let name =
                |from: Option<u8>| addresses.get(usize::from(from.unwrap_or(0))).cloned().unwrap_or_default();
            for said in book.said.values() {
                let stored = said.fresh + said.repeats;
                let (address, place) = (name(said.from), said.place);
                if said.confirmed > stored || (said.confirmed > 0 && said.fresh == 0) {
                    let confirmed = said.confirmed;
                    self.found.note(Finding::Missing { address, place, confirmed, stored });
                } else if (said.fresh > 1 && !self.habits.alike_is_new) || stored > said.sent {
                    self.found.note(Finding::Twice { address, place, stored, sent: said.sent });
                }
            }
            for got in book.got.values().filter(|got| got.stored < got.times) {
                let (had, stored) = (got.times, got.stored);
                let who = name(Some(0));
                let sentence = format!("{who} had a command {had} times that the ledger has {stored} times");
                self.found.note(Finding::Odd(sentence));
            }
        }
        self.found
    }
}

impl Found {
    /// Whether all is well.
    pub fn is_clean(&self) -> bool {
        self.faults_count == 0
    }

    fn note(&mut self, finding: Finding) {
        self.faults_count += 1;
        if self.faults.len() < FINDINGS_KEPT {
            self.faults.push(finding);
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { address, place, confirmed, stored } => {
                write!(
                    f,
                    "missing: message {place} of {address} was confirmed {confirmed} times and is stored {stored} times"
                )
            }
            Self::Twice { address, place, stored, sent } => {
                write!(
                    f,
                    "twice: message {place} of {address} was sent {sent} times and is stored {stored} times, or more than once as new"
                )
            }
            Self::Verdict { seq, expected, found } => {
                write!(
                    f,
                    "wrong verdict: message {seq} is {}, and stored as {}",
                    expected.as_str(),
                    found.as_str()
                )
            }
            Self::Astray { seq, expected, found } => {
                write!(f, "astray: message {seq} is from {expected}, and stored under {found}")
            }
            Self::Unsaid { seq, address } => {
                write!(f, "never sent: message {seq} stands under {address}")
            }
            Self::Command { id, what } => write!(f, "command {id}: {what}"),
            Self::Value { address, sensor, expected, found } => {
                let found = found.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
                write!(f, "wrong value: {sensor} of {address} is {expected}, and the server has {found}")
            }
            Self::Count { address, sensor, expected, found } => {
                write!(
                    f,
                    "wrong count: {expected} values of {sensor} of {address} were confirmed, and {found} are stored"
                )
            }
            Self::Odd(sentence) => f.write_str(sentence),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const FINDINGS_KEPT: usize = 100;

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
