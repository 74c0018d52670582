//! What devices measure.

use serde::{Deserialize, Serialize};

use super::{Seq, Timestamp};

/// A measured value. A gap (`null` on the wire) is kept, so that plots show it as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other finite number.
    Real(f64),
    /// Text, at most 256 characters; longer text is cut by whoever makes the reading.
    Text(String),
    /// Said to be absent.
    Gap(Gap),
}

/// The absent value; JSON `null`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "()", into = "()")]
pub struct Gap;

impl From<()> for Gap {
    fn from((): ()) -> Self {
        Self
    }
}

impl From<Gap> for () {
    fn from(_: Gap) -> Self {}
}

/// One value of one sensor, before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The sensor's name within its device: 1 to 64 characters, `.` between levels, `.0` for places in an array.
    pub sensor: String,
    /// What was measured.
    pub value: Value,
    /// When, by the device's clock, if it said.
    pub created: Option<Timestamp>,
}

/// One stored value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Datum {
    /// The sensor's name within its device.
    pub sensor: String,
    /// What was measured.
    pub value: Value,
    /// When it reached this server.
    pub time_received: Timestamp,
    /// When, by the device's clock, if it said.
    pub time_created: Option<Timestamp>,
    /// The ledger entry it came in.
    pub seq: Seq,
}
