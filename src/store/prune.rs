//! Removing what is old, a bounded piece at a time. The ledger's entries and their hashes always stay.

use bytes::Bytes;

use crate::model::{Seq, Timestamp};

/// What hangs on a ledger entry and can be removed while the entry stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// The exact bytes of a message. Their digest and size stay, and the chain can still be checked.
    Raw,
    /// What a message measured. The newest value of each sensor stays. The room comes free a page at a time; what is
    /// pruned of a page that goes on is not listed any more.
    Readings,
}

/// One piece of work. It takes the database a few milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prune {
    /// Goes on where the last piece ended, and stops before the entry `below`.
    Entries {
        /// What is removed.
        what: Bulk,
        /// The first entry that keeps what it has.
        below: Seq,
        /// Entries looked at, at most.
        limit: u32,
        /// Ends with the entry that makes it so many bytes; `None` has no such end.
        bytes: Option<u64>,
    },
    /// Fingerprints of messages before `below`: the same message coming again is then taken for a new one.
    Fingerprints {
        /// The first entry whose fingerprint stays.
        below: Seq,
        /// Where the last piece ended; `None` begins.
        after: Option<Place>,
        /// Fingerprints looked at, at most.
        limit: u32,
    },
    /// Commands, with their transitions, that were made before a time and that nothing will happen to any
    /// more: all but queued ones and those on their way.
    Commands {
        /// The time.
        before: Timestamp,
        /// Commands removed, at most.
        limit: u32,
    },
    /// Rows of the audit log from before a time.
    Audit {
        /// The time.
        before: Timestamp,
        /// Rows removed, at most.
        limit: u32,
    },
}

/// A place in a walk. Only the engine that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(pub(super) Bytes);

/// What one piece of work did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows that were removed or emptied; of values those that hold many messages.
    pub rows: u64,
    /// The room they took, counted as [`super::Reader::weigh`] counts it.
    pub bytes: u64,
    /// Of entries the one that was pruned last before this piece, and after it; `None` when there was nothing
    /// to do.
    pub stretch: Option<(Seq, Seq)>,
    /// Where a walk goes on; `None` at its end.
    pub place: Option<Place>,
    /// Whether there is more to do.
    pub more: bool,
}

/// What a stretch of the ledger holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// The last entry of the stretch; `None` when there was none left.
    pub upto: Option<Seq>,
    /// Bytes as sent; of values those of their pages, and [`PAGE_BYTES`] for each.
    pub bytes: u64,
}

/// What a page of values takes beside its bytes, about.
pub const PAGE_BYTES: u32 = 64;

impl Bulk {
    /// The name of the note that says how far pruning has come.
    pub(super) const fn note(self) -> &'static str {
        match self {
            Self::Raw => "pruned_raw",
            Self::Readings => "pruned_readings",
        }
    }
}

/// What a note of how far pruning has come says.
pub(super) fn mark(note: Option<&[u8]>) -> Seq {
    Seq(note.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0))
}
