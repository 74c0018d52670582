//! What a pretend board has to say, and what of it is under way.

use bytes::Bytes;

use crate::model::Verdict;

/// The connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) open: bool,
    /// Frames written.
    pub(super) frames: usize,
    /// What was said on it, and is not known to have arrived.
    pub(super) unsure: Vec<Bytes>,
    /// Of these, how many have a place for the temperature.
    pub(super) temperatures: u64,
    /// The counter in the last of them, where it is a sample.
    pub(super) newest: Option<i64>,
}

/// What waits to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    pub(super) wire: Vec<u8>,
    /// What it says; `None` when the server is to keep nothing of it.
    pub(super) says: Option<Says>,
    /// Whether the server has a value of the temperature then, a gap included.
    pub(super) temperature: bool,
    /// The counter, in a sample.
    pub(super) counter: Option<i64>,
    /// Whether the server ends the connection for it.
    pub(super) ends: bool,
    /// Whether the board starts anew in front of it.
    pub(super) reboots: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Says {
    pub(super) text: Bytes,
    /// Whether it says whose it is.
    pub(super) named: bool,
    pub(super) verdict: Verdict,
}

/// What the last stroke was.
#[derive(Debug, Default)]
pub(super) enum Asked {
    #[default]
    Nothing,
    /// A connection, with messages right behind the request.
    Open(Vec<Outgoing>),
    Say(Vec<Outgoing>),
    Leave,
    Vanish(Vec<Outgoing>),
}

/// Whether the connection is to end in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    /// Another follows, as soon as there is something to say.
    Renew,
    /// None follows before the next tick.
    Leave,
}

impl Outgoing {
    pub(super) fn new(wire: Vec<u8>, says: Says) -> Self {
        Self { wire, says: Some(says), ..Self::default() }
    }

    /// One of which the server keeps nothing.
    pub(super) fn silent(wire: Vec<u8>) -> Self {
        Self { wire, ..Self::default() }
    }

    pub(super) fn with_temperature(self) -> Self {
        Self { temperature: true, ..self }
    }

    /// Whether it may go together with others.
    pub(super) const fn is_plain(&self) -> bool {
        !self.ends && !self.reboots
    }
}
