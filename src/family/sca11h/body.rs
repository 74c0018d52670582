//! The bytes of a push → what each node in it says (`sca11h.md §4`). Pure; never fails, only finds nothing.

use std::borrow::Cow;

use bytes::Bytes;

use super::columns::Columns;
use super::rows::{self, Row};
use super::salvage;
use super::xml::{self, Fault, Measurement};

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// What each node says, in the order of their first words. Empty when nothing could be read.
    pub(super) nodes: Vec<Said>,
    /// What is wrong with it, for the log.
    pub(super) fault: Option<Fault>,
}

/// What one node says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `Node@id`; `None` when it has none, or is empty.
    pub(super) node: Option<String>,
    /// `Network@id`.
    pub(super) network: Option<String>,
    /// The measurements.
    pub(super) measured: Vec<Measured>,
    /// Rows that could not be read, or are too many.
    pub(super) skipped: usize,
    /// The bytes that say it, where others speak in the message too.
    pub(super) own: Option<Bytes>,
}

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// `Measurement@time` as it stands there.
    pub(super) time: Option<String>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
}

impl Said {
    /// Whether there is any row.
    pub(super) fn has_rows(&self) -> bool {
        self.measured.iter().any(|measured| !measured.rows.is_empty())
    }

    fn rows_count(&self) -> usize {
        self.measured.iter().map(|measured| measured.rows.len()).sum()
    }
}

/// Reads a body: XML, else what can be saved of it, else bare rows.
pub(super) fn read(raw: &Bytes) -> Message {
    let text = text_of(raw);
    let (measurements, fault) = match xml::read(&text) {
        Ok(found) => (found, None),
        Err(fault) if fault.may_be_salvaged() => (salvage::measurements(&text), Some(fault)),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    if measurements.is_empty() {
        return bare(&text, fault);
    }
    let several = measurements.iter().any(|one| measurements.first().is_some_and(|two| one.node != two.node));
    let mut nodes: Vec<Said> = Vec::new();
    for measurement in measurements {
        let at = nodes.iter().position(|said| said.node == measurement.node).unwrap_or(nodes.len());
        if at == nodes.len() {
            let own = several.then(|| own(raw, &text, &measurement));
            let (node, network) = (measurement.node.clone(), measurement.network.clone());
            nodes.push(Said { node, network, own, ..Said::default() });
        }
        if let Some(said) = nodes.get_mut(at) {
            let left = ROWS_MAX.saturating_sub(said.rows_count());
            let found = rows::read(&measurement.rows, &measurement.columns, left);
            said.skipped += found.skipped;
            said.measured.push(Measured { time: measurement.time, rows: found.rows });
        }
    }
    Message { nodes, fault }
}

/// Rows without anything around them: the line format of a node's own stream (§9 F).
fn bare(text: &str, fault: Option<Fault>) -> Message {
    let refused = fault.as_ref().is_some_and(|fault| !fault.may_be_salvaged());
    if refused || text.contains('<') {
        return Message { nodes: Vec::new(), fault };
    }
    let found = rows::read(text, &Columns::default(), ROWS_MAX);
    if found.rows.is_empty() {
        return Message { nodes: Vec::new(), fault };
    }
    let measured = vec![Measured { time: None, rows: found.rows }];
    Message { nodes: vec![Said { measured, skipped: found.skipped, ..Said::default() }], fault: None }
}

/// The text of a body: UTF-8, else UTF-16 if it says so, else a character a byte.
fn text_of(raw: &[u8]) -> Cow<'_, str> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = rest.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match raw {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(raw) {
            Ok(text) => {
                Cow::Borrowed(text.trim_start_matches(|c: char| c == '\u{FEFF}' || c.is_whitespace()))
            }
            Err(_) => Cow::Owned(raw.iter().copied().map(char::from).collect()),
        },
    }
}

/// The part of the body that one of several nodes says.
fn own(raw: &Bytes, text: &str, measurement: &Measurement) -> Bytes {
    let part = text.get(measurement.span.clone()).unwrap_or_default();
    // A text that was not re-coded is the end of the body.
    let before = raw.len().saturating_sub(text.len());
    let span = measurement.span.start + before..measurement.span.end + before;
    match raw.get(span.clone()) {
        Some(bytes) if bytes == part.as_bytes() => raw.slice(span),
        Some(_) | None => Bytes::copy_from_slice(part.as_bytes()),
    }
}

/// Rows of a node in one message: an hour of them. 90 are documented (§1.1).
const ROWS_MAX: usize = 3600;

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
