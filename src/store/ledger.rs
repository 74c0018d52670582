//! The hash chain: what one entry's hash covers. Pure; engines store it, the auditor checks it.

use sha2::{Digest as _, Sha256};

use crate::model::{Direction, Seq, Timestamp, Verdict};

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// What the chain covers of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Its place.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// `family` and `address` of the device, empty when unknown.
    pub family: &'a str,
    /// See `family`.
    pub address: &'a str,
    /// Which way.
    pub direction: Direction,
    /// What the check found.
    pub verdict: Verdict,
    /// The peer's address.
    pub peer: &'a str,
    /// SHA-256 of the exact bytes, so that bodies may be pruned and the chain still be checked.
    pub digest: [u8; 32],
}

/// One entry as stored, for the auditor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// The hash as stored.
    pub hash: [u8; 32],
    /// The body's digest as stored.
    pub digest: [u8; 32],
    /// The body's digest as computed from the stored bytes; `None` when the body was pruned.
    pub computed: Option<[u8; 32]>,
    /// The hash as computed from the stored row and the hash before it. The reader fills it with
    /// [`Link::hash`] over the previous entry's *stored* hash.
    pub expected: [u8; 32],
}

/// SHA-256 of a body.
pub fn digest(raw: &[u8]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

impl Link<'_> {
    /// This entry's hash, chained to the one before.
    pub fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(self.seq.0.to_be_bytes());
        hash.update(self.at.micros().to_be_bytes());
        for text in [self.family, self.address, self.direction.as_str(), self.verdict.as_str(), self.peer] {
            // The length first, so that no two different rows feed the hash the same bytes.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(self.digest);
        hash.finalize().into()
    }
}
