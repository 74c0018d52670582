//! Messages as the ledger keeps them.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DeviceRef, HmacCheck, Timestamp};

/// A message's place in the ledger: starts at 1, no gaps.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a device.
    In,
    /// To a device.
    Out,
}

impl Direction {
    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::In, Self::Out].into_iter().find(|way| way.as_str() == text)
    }
}

/// What was found when a message was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sound.
    Ok,
    /// It carries a checksum, and a wrong one.
    BadCrc,
    /// It should carry a checksum and has none.
    NoCrc,
    /// It cannot be read.
    Malformed,
    /// The same message was stored before.
    Duplicate,
    /// The dialect has nothing to check, or the message is ours.
    None,
}

impl Verdict {
    /// Every verdict, in the order of the API's documentation.
    pub const ALL: [Self; 6] =
        [Self::Ok, Self::BadCrc, Self::NoCrc, Self::Malformed, Self::Duplicate, Self::None];

    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::BadCrc => "bad_crc",
            Self::NoCrc => "no_crc",
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate",
            Self::None => "none",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its place.
    pub seq: Seq,
    /// When it arrived or left, by this server's clock.
    pub at: Timestamp,
    /// Whose it is; `None` when the message did not say.
    pub device: Option<DeviceRef>,
    /// Which way it went.
    pub direction: Direction,
    /// What the check found.
    pub verdict: Verdict,
    /// What the check of its HMAC found; `None` when it was not looked at.
    pub hmac: Option<HmacCheck>,
    /// The peer's address as text, without its port.
    pub peer: String,
    /// The exact bytes; empty once they were pruned.
    pub raw: Bytes,
    /// How many bytes it had.
    pub size: usize,
    /// Whether the bytes were pruned; their digest is still in the ledger.
    pub pruned: bool,
}
