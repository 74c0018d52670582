//! A page: what many messages of one device said, by sensor, in few bytes. Both engines keep pages and nothing else of
//! what was measured.
//!
//! ```text
//! page    = version, four bytes of the SHA-256 of the rest, rest
//! rest    = messages: count, row of ledger entries, row of arrival times in microseconds
//!           axes: count, each: row of values per message, row of "says when" (0, 1), row of the times said
//!           columns: count, each: name, length of what follows, axis, row of kinds, whole numbers, numbers with a
//!                    point, truth values, texts
//! ```
//!
//! A row is what [`super::ints`] writes. Sensors whose values came at the same times share an axis.

use super::ints;
use super::wire::{Bytes, put_count, put_text};
use crate::model::{Gap, SensorName, Value};
use crate::store::ledger;

/// Messages of one device, and what they said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// The messages, in the order of the ledger.
    pub(crate) messages: Vec<Head>,
    /// What they said, by sensor. In a page that was read they are in the order of their names.
    pub(crate) columns: Vec<Column>,
}

/// A message of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its ledger entry.
    pub(crate) seq: i64,
    /// When it arrived, in microseconds.
    pub(crate) at_us: i64,
}

/// The values of one sensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Which.
    pub(crate) sensor: SensorName,
    /// In the order of the messages; those of one message in theirs.
    pub(crate) points: Vec<Point>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// The place of its message in the page.
    pub(crate) message: usize,
    /// When it was measured, in microseconds, if the device said.
    pub(crate) created_us: Option<i64>,
    /// Whether buckets take it in.
    pub(crate) counts: bool,
    /// What was measured.
    pub(crate) value: Value,
}

impl Page {
    /// Adds a message behind all others.
    pub(crate) fn add(&mut self, head: Head) {
        self.messages.push(head);
    }

    /// Adds a value of the message added last, of which `nth` were added before.
    pub(crate) fn say(
        &mut self,
        nth: usize,
        sensor: &SensorName,
        created_us: Option<i64>,
        counts: bool,
        value: Value,
    ) {
        let message = self.messages.len().saturating_sub(1);
        let point = Point { message, created_us, counts, value };
        // Messages of a device name its sensors in the same order.
        let likely = self.columns.get(nth).is_some_and(|column| column.sensor == *sensor);
        let place =
            if likely { Some(nth) } else { self.columns.iter().position(|column| column.sensor == *sensor) };
        match place.and_then(|place| self.columns.get_mut(place)) {
            Some(column) => column.points.push(point),
            None => self.columns.push(Column { sensor: sensor.clone(), points: vec![point] }),
        }
    }

    /// Puts a page behind this one.
    pub(crate) fn append(&mut self, later: Self) {
        let offset = self.messages.len();
        self.messages.extend(later.messages);
        for column in later.columns {
            let points = column
                .points
                .into_iter()
                .map(|point| Point { message: point.message.saturating_add(offset), ..point });
            match self.columns.iter_mut().find(|known| known.sensor == column.sensor) {
                Some(known) => known.points.extend(points),
                None => self.columns.push(Column { sensor: column.sensor, points: points.collect() }),
            }
        }
    }

    /// The message of a point.
    pub(crate) fn head(&self, point: &Point) -> Option<Head> {
        self.messages.get(point.message).copied()
    }

    /// How many values it has.
    pub(crate) fn values(&self) -> usize {
        self.columns.iter().map(|column| column.points.len()).sum()
    }

    /// The first and the last ledger entry; `None` of an empty one.
    pub(crate) fn stretch(&self) -> Option<(i64, i64)> {
        Some((self.messages.first()?.seq, self.messages.last()?.seq))
    }

    /// The first and the last arrival; `None` of an empty one.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let times = self.messages.iter().map(|head| head.at_us);
        Some((times.clone().min()?, times.max()?))
    }

    /// Writes it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut columns: Vec<&Column> = self.columns.iter().collect();
        columns.sort_by(|one, other| one.sensor.cmp(&other.sensor));
        let mut rest = Vec::with_capacity(128 + 32 * columns.len() + 2 * self.values());
        let mut row = Vec::with_capacity(self.messages.len());
        put_count(&mut rest, self.messages.len());
        row.extend(self.messages.iter().map(|head| head.seq));
        ints::write(&mut rest, &row);
        row.clear();
        row.extend(self.messages.iter().map(|head| head.at_us));
        ints::write(&mut rest, &row);
        let mut axes: Vec<&Column> = Vec::new();
        let mut axis_of = Vec::with_capacity(columns.len());
        for column in &columns {
            let known = axes.iter().position(|axis| column.shares_axis(axis));
            axis_of.push(known.unwrap_or(axes.len()));
            if known.is_none() {
                axes.push(column);
            }
        }
        put_count(&mut rest, axes.len());
        for axis in &axes {
            axis.encode_axis(&mut rest, &mut row, self.messages.len());
        }
        put_count(&mut rest, columns.len());
        let (mut body, mut values) = (Vec::with_capacity(64), Values::default());
        for (column, axis) in columns.iter().zip(axis_of) {
            body.clear();
            put_count(&mut body, axis);
            values.take(column);
            values.write(&mut body);
            put_text(&mut rest, &column.sensor);
            put_count(&mut rest, body.len());
            rest.extend_from_slice(&body);
        }
        seal(&rest)
    }

    /// Reads it; of the columns those that are wanted. `None` when it is not as it was written.
    pub(crate) fn decode(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut rest = Bytes::new(unseal(bytes)?);
        let count = rest.count(MESSAGES_MAX)?;
        let seqs = ints::read(&mut rest, count)?;
        let times = ints::read(&mut rest, count)?;
        if !seqs.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let messages = seqs.into_iter().zip(times).map(|(seq, at_us)| Head { seq, at_us }).collect();
        let different = rest.count(rest.len())?;
        let axes = (0..different).map(|_| Axis::decode(&mut rest, count)).collect::<Option<Vec<_>>>()?;
        let mut columns: Vec<Column> = Vec::new();
        let mut before: Option<&str> = None;
        for _ in 0..rest.count(rest.len())? {
            let name = rest.text()?;
            if before.is_some_and(|before| before >= name) {
                return None;
            }
            before = Some(name);
            let length = rest.count(rest.len())?;
            let mut body = Bytes::new(rest.take(length)?);
            if wanted(name) {
                let place = body.count(axes.len())?;
                let points = axes.get(place)?.points(&mut body)?;
                columns.push(Column { sensor: name.into(), points });
                if !body.is_empty() {
                    return None;
                }
            }
        }
        rest.is_empty().then_some(Self { messages, columns })
    }
}

/// When the values of some sensors came.
struct Axis {
    /// For each value the place of its message, and when it was measured.
    places: Vec<(usize, Option<i64>)>,
}

impl Axis {
    fn decode(rest: &mut Bytes<'_>, messages: usize) -> Option<Self> {
        let counts = ints::read(rest, messages)?;
        let counts = counts.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>().ok()?;
        let total = counts.iter().try_fold(0_usize, |total, count| total.checked_add(*count))?;
        if total > VALUES_MAX {
            return None;
        }
        let said = ints::read(rest, total)?;
        if said.iter().any(|said| !(0..=1).contains(said)) {
            return None;
        }
        let times = said.iter().filter(|said| **said == 1).count();
        let mut times = ints::read(rest, times)?.into_iter();
        let mut said = said.into_iter();
        let mut places = Vec::with_capacity(total);
        for (message, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                let created = if said.next()? == 1 { Some(times.next()?) } else { None };
                places.push((message, created));
            }
        }
        Some(Self { places })
    }

    /// Reads the values of a sensor that came so.
    fn points(&self, body: &mut Bytes<'_>) -> Option<Vec<Point>> {
        let kinds = ints::read(body, self.places.len())?;
        let of = |wanted: i64| kinds.iter().filter(|kind| **kind & KIND == wanted).count();
        let mut whole = ints::read(body, of(INTEGER))?.into_iter();
        let mut reals = ints::read_reals(body, of(REAL))?.into_iter();
        let mut truths = ints::read(body, of(BOOL))?.into_iter();
        let mut texts = read_texts(body, of(TEXT))?.into_iter();
        let mut points = Vec::with_capacity(kinds.len());
        for (kind, (message, created_us)) in kinds.iter().zip(&self.places) {
            let value = match kind & KIND {
                GAP => Value::Gap(Gap),
                BOOL => match truths.next()? {
                    0 => Value::Bool(false),
                    1 => Value::Bool(true),
                    _ => return None,
                },
                INTEGER => Value::Integer(whole.next()?),
                REAL => Value::Real(reals.next()?),
                TEXT => Value::Text(texts.next()?.to_owned()),
                _ => return None,
            };
            if kind & !(KIND | IDLE) != 0 {
                return None;
            }
            let counts = kind & IDLE == 0;
            points.push(Point { message: *message, created_us: *created_us, counts, value });
        }
        Some(points)
    }
}

impl Column {
    fn shares_axis(&self, other: &Self) -> bool {
        self.points.len() == other.points.len()
            && self
                .points
                .iter()
                .zip(&other.points)
                .all(|(one, other)| (one.message, one.created_us) == (other.message, other.created_us))
    }

    fn encode_axis(&self, out: &mut Vec<u8>, row: &mut Vec<i64>, messages: usize) {
        row.clear();
        row.resize(messages, 0);
        for point in &self.points {
            if let Some(count) = row.get_mut(point.message) {
                *count += 1;
            }
        }
        ints::write(out, row);
        row.clear();
        row.extend(self.points.iter().map(|point| i64::from(point.created_us.is_some())));
        ints::write(out, row);
        row.clear();
        row.extend(self.points.iter().filter_map(|point| point.created_us));
        ints::write(out, row);
    }
}

/// The values of a column, each kind for itself. Used for one column after the other, so that each has not to ask for
/// memory anew.
#[derive(Default)]
struct Values<'a> {
    kinds: Vec<i64>,
    whole: Vec<i64>,
    reals: Vec<f64>,
    truths: Vec<i64>,
    texts: Vec<&'a str>,
}

impl<'a> Values<'a> {
    fn take(&mut self, column: &'a Column) {
        self.kinds.clear();
        self.whole.clear();
        self.reals.clear();
        self.truths.clear();
        self.texts.clear();
        for point in &column.points {
            let kind = match &point.value {
                Value::Gap(Gap) => GAP,
                Value::Bool(truth) => {
                    self.truths.push(i64::from(*truth));
                    BOOL
                }
                Value::Integer(number) => {
                    self.whole.push(*number);
                    INTEGER
                }
                Value::Real(number) => {
                    self.reals.push(*number);
                    REAL
                }
                Value::Text(text) => {
                    self.texts.push(text.as_str());
                    TEXT
                }
            };
            self.kinds.push(if point.counts { kind } else { kind | IDLE });
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        ints::write(out, &self.kinds);
        ints::write(out, &self.whole);
        ints::write_reals(out, &self.reals);
        ints::write(out, &self.truths);
        write_texts(out, &self.texts);
    }
}

/// Texts: those that differ, then which of them each one is.
fn write_texts(out: &mut Vec<u8>, texts: &[&str]) {
    if texts.is_empty() {
        return;
    }
    if let [first, rest @ ..] = texts
        && rest.iter().all(|text| text == first)
    {
        // What follows, of one text.
        put_count(out, 1);
        put_text(out, first);
        return ints::write_zeros(out, texts.len());
    }
    let mut different: Vec<&str> = texts.to_vec();
    different.sort_unstable();
    different.dedup();
    put_count(out, different.len());
    for text in &different {
        put_text(out, text);
    }
    let place = |text: &&str| i64::try_from(different.partition_point(|known| known < text));
    // A page has far fewer texts than an `i64` can count.
    ints::write(out, &texts.iter().map(|text| place(text).unwrap_or_default()).collect::<Vec<_>>());
}

fn read_texts<'a>(from: &mut Bytes<'a>, count: usize) -> Option<Vec<&'a str>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let different = from.count(count)?;
    let different = (0..different).map(|_| from.text()).collect::<Option<Vec<_>>>()?;
    let places = ints::read(from, count)?;
    places.into_iter().map(|place| different.get(usize::try_from(place).ok()?).copied()).collect()
}

/// Puts the version and the sum before what is to be kept.
pub(super) fn seal(rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rest.len() + SUM_BYTES + 1);
    bytes.push(VERSION);
    bytes.extend(ledger::digest(rest).iter().take(SUM_BYTES));
    bytes.extend(rest);
    bytes
}

/// What [`seal`] was given; `None` when a byte of it has changed.
pub(super) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (version, bytes) = bytes.split_first()?;
    let (sum, rest) = bytes.split_at_checked(SUM_BYTES)?;
    (*version == VERSION && ledger::digest(rest).starts_with(sum)).then_some(rest)
}

const VERSION: u8 = 1;
const SUM_BYTES: usize = 4;

/// Messages of a page at most.
pub(crate) const MESSAGES_MAX: usize = 1 << 14;
/// Values of a page at most: a bound on what reading one takes in memory. More than a message can hold.
pub(crate) const VALUES_MAX: usize = 1 << 18;

// Kinds of values, and the mark of one that buckets leave out.
const GAP: i64 = 0;
const BOOL: i64 = 1;
const INTEGER: i64 = 2;
const REAL: i64 = 3;
const TEXT: i64 = 4;
const KIND: i64 = 7;
const IDLE: i64 = 8;

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
