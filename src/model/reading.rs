//! What devices measure.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

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

impl Value {
    /// The value in plain text, as it was sent; `None` of a gap.
    pub fn plain(&self) -> Option<String> {
        match self {
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Integer(whole) => Some(whole.to_string()),
            Self::Real(real) => Some(real.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Gap(_) => None,
        }
    }
}

impl utoipa::PartialSchema for Value {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
        let kinds = SchemaType::from_iter([Type::Boolean, Type::Number, Type::String, Type::Null]);
        ObjectBuilder::new().schema_type(kinds).description(Some("A measured value; `null` is a gap.")).into()
    }
}

impl utoipa::ToSchema for Value {
    fn name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
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

/// A sensor's name within its device: 1 to 64 characters, `.` between levels, `.0` for places in an array. A clone
/// costs no more than a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(transparent)]
pub struct SensorName(Arc<str>);

impl SensorName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SensorName {
    /// A name that was met lately shares its text: devices say the same names with every message.
    fn from(name: &str) -> Self {
        // FNV-1a: the names are short, and one that is pushed out by another costs only a copy.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        MET.with_borrow_mut(|met| {
            let place = usize::try_from(hash ^ (hash >> 16)).unwrap_or_default() % MET_MAX;
            match met.get_mut(place) {
                Some(Some(known)) if &**known == name => Self(Arc::clone(known)),
                Some(place) => Self(Arc::clone(place.insert(Arc::from(name)))),
                None => Self(Arc::from(name)),
            }
        })
    }
}

thread_local! {
    /// Names that were met lately on this thread, each in its one place.
    static MET: RefCell<[Option<Arc<str>>; MET_MAX]> = const { RefCell::new([const { None }; MET_MAX]) };
}

/// Names that are remembered, about 50 bytes each.
const MET_MAX: usize = 512;

impl From<String> for SensorName {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

impl From<SensorName> for String {
    fn from(name: SensorName) -> Self {
        name.as_str().to_owned()
    }
}

impl Deref for SensorName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SensorName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SensorName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SensorName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for SensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SensorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One value of one sensor, before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which sensor.
    pub sensor: SensorName,
    /// What was measured.
    pub value: Value,
    /// When, by the device's clock, if it said.
    pub created: Option<Timestamp>,
    /// Whether buckets and summaries take it in, if it is a number. Not so for one that its device calls invalid: it
    /// is stored and listed all the same.
    pub counts: bool,
}

/// One stored value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = StoredDatum)]
pub struct Datum {
    /// Which sensor.
    pub sensor: SensorName,
    /// What was measured.
    pub value: Value,
    /// When it reached this server.
    pub time_received: Timestamp,
    /// When, by the device's clock, if it said.
    pub time_created: Option<Timestamp>,
    /// The ledger entry it came in.
    pub seq: Seq,
    /// Whether it counts, as [`Reading::counts`]. Not told.
    #[serde(skip, default = "counts")]
    pub counts: bool,
}

impl Datum {
    /// The time that its device gave, if that is within [`TRUSTED`] of the arrival, else the arrival.
    pub fn time(&self) -> Timestamp {
        let trusted = u64::try_from(TRUSTED.as_micros()).unwrap_or(u64::MAX);
        let near = |created: &Timestamp| created.micros().abs_diff(self.time_received.micros()) <= trusted;
        self.time_created.filter(near).unwrap_or(self.time_received)
    }
}

/// How far a device's clock may be from ours, for its times to count.
pub const TRUSTED: Duration = Duration::from_mins(10);

const fn counts() -> bool {
    true
}
