//! What one pretend device said and was told: all that an audit needs, in a few bytes a message.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;

use crate::family::simulator::Fact;
use crate::model::Verdict;

/// A device's book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Messages by their text's mark.
    pub(super) said: HashMap<Mark, Said>,
    /// Commands by their text's mark.
    pub(super) got: HashMap<Mark, Got>,
    /// The newest value of a sensor of one of its addresses.
    pub(super) shows: BTreeMap<(usize, &'static str), i64>,
    /// How many values of a sensor of one of its addresses the server must have, and how many it may have beside them.
    pub(super) holds: BTreeMap<(usize, &'static str), (u64, u64)>,
    /// How often its connection ended otherwise than in order.
    pub(super) vanished: u64,
    /// Commands that were queued for it, and how often its connection had vanished until then.
    pub(super) ordered: HashMap<String, u64>,
    /// Files that arrived whole.
    pub(super) files: Vec<(String, Bytes)>,
    /// Answers that the dialect does not provide for: the first few.
    pub(super) odd: Vec<String>,
    pub(super) odd_count: u64,
}

/// Stands for a text; two texts of one device have the same by a chance of one in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// The how manieth of the device it is, from 1.
    pub(super) place: u32,
    /// `None` when it does not say.
    pub(super) from: Option<u8>,
    pub(super) verdict: Verdict,
    /// How often it may have reached the server.
    pub(super) sent: u16,
    /// How often the server said that it has it.
    pub(super) confirmed: u16,
    /// How often it is stored as new, found by the audit.
    pub(super) fresh: u16,
    /// How often it is stored as a repeat, found by the audit.
    pub(super) repeats: u16,
}

/// A command.
#[derive(Clone, Debug, Default)]
pub(super) struct Got {
    pub(super) times: u16,
    /// The reply; several when one may have been heard and another was.
    pub(super) replies: Vec<Mark>,
    /// How often it stands in the ledger as handed out, found by the audit.
    pub(super) stored: u16,
}

impl Book {
    /// A command was queued for the device.
    pub(super) fn order(&mut self, id: &str) {
        self.ordered.insert(id.to_owned(), self.vanished);
    }

    /// Whether a command that was sent may be lost: the connection vanished after it was queued.
    pub(super) fn may_lose(&self, id: &str) -> bool {
        self.ordered.get(id).is_some_and(|before| *before < self.vanished)
    }

    /// Writes a fact down.
    pub(super) fn note(&mut self, fact: Fact) {
        match fact {
            Fact::Said { text, from, verdict, confirmed } => {
                let place = u32::try_from(self.said.len()).unwrap_or(u32::MAX).saturating_add(1);
                let from = from.map(|from| u8::try_from(from).unwrap_or(u8::MAX));
                let said = self.said.entry(Mark::of(&text)).or_insert(Said {
                    place,
                    from,
                    verdict,
                    sent: 0,
                    confirmed: 0,
                    fresh: 0,
                    repeats: 0,
                });
                said.sent = said.sent.saturating_add(1);
                said.confirmed = said.confirmed.saturating_add(u16::from(confirmed));
            }
            Fact::Sure { text } => {
                if let Some(said) = self.said.get_mut(&Mark::of(&text)) {
                    said.confirmed = said.confirmed.saturating_add(1);
                }
            }
            Fact::Vanished => self.vanished += 1,
            Fact::Got { text, first: _ } => {
                let got = self.got.entry(Mark::of(&text)).or_default();
                got.times = got.times.saturating_add(1);
            }
            Fact::Replied { to, text } => {
                self.got.entry(Mark::of(&to)).or_default().replies.push(Mark::of(&text));
            }
            Fact::Shows { from, sensor, value } => match value {
                Some(value) => drop(self.shows.insert((from, sensor), value)),
                None => drop(self.shows.remove(&(from, sensor))),
            },
            Fact::Holds { from, sensor, count, sure } => {
                let (must, may) = self.holds.entry((from, sensor)).or_default();
                *(if sure { must } else { may }) += count;
            }
            Fact::File { name, content } => self.files.push((name, content)),
            Fact::Odd(sentence) => {
                self.odd_count += 1;
                if self.odd.len() < ODD_KEPT {
                    self.odd.push(sentence);
                }
            }
        }
    }
}

const ODD_KEPT: usize = 3;
