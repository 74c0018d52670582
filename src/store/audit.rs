//! Walks the ledger and says where it is not what was written.

use std::fmt;

use super::ledger::Entry;
use super::{Reader, StoreError};
use crate::model::Seq;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Entries looked at.
    pub entries: i64,
    /// What is wrong, oldest first; at most [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
}

/// A place where the ledger is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Entries are missing.
    Gap {
        /// The first that is missing.
        from: Seq,
        /// The last that is missing.
        to: Seq,
    },
    /// The entry's row, or the one before it, was changed.
    Hash(Seq),
    /// The entry's body was changed.
    Body(Seq),
}

/// Faults that are listed before the audit stops: one more says nothing new.
pub const FAULTS_MAX: usize = 1000;

const PAGE_ENTRIES: u32 = 1000;

/// Walks the whole ledger. `progress` is told how many entries were looked at so far.
///
/// # Errors
/// Whatever kept the ledger from being read; faults of the ledger itself are findings.
pub async fn check(
    reader: &dyn Reader,
    progress: &mut (dyn FnMut(i64) + Send),
) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let mut next = 1;
    loop {
        let page = reader.ledger(Seq(next), PAGE_ENTRIES).await?;
        if page.entries.is_empty() {
            return Ok(findings);
        }
        for entry in &page.entries {
            findings.look_at(entry, next);
            next = entry.seq.0 + 1;
        }
        progress(findings.entries);
        if findings.faults.len() >= FAULTS_MAX {
            findings.faults.truncate(FAULTS_MAX);
            return Ok(findings);
        }
    }
}

impl Findings {
    /// Whether the ledger is what was written.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn look_at(&mut self, entry: &Entry, due: i64) {
        self.entries += 1;
        if entry.seq.0 > due {
            // The hash of an entry after a gap covers one that is not there: the gap says it all.
            self.faults.push(Fault::Gap { from: Seq(due), to: Seq(entry.seq.0 - 1) });
        } else if entry.hash != entry.expected {
            self.faults.push(Fault::Hash(entry.seq));
        }
        if entry.computed.is_some_and(|computed| computed != entry.digest) {
            self.faults.push(Fault::Body(entry.seq));
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Gap { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Hash(seq) => write!(f, "entry {seq}: it or the entry before it was changed"),
            Self::Body(seq) => write!(f, "entry {seq}: its body was changed"),
        }
    }
}
