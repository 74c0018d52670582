//! A body → measurements with their rows still as text (`sca11h.md §4.3`). Pure.
//!
//! Elements are found by their local names, whatever their letter case, namespace and place. A document type or an
//! entity of one's own ends the reading at once; other faults leave it to [`super::salvage`].

use std::ops::Range;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::columns::{Column, Columns};

/// One `Measurement`, or what takes its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Measurement {
    /// `Network@id`.
    pub(super) network: Option<String>,
    /// `Node@id`.
    pub(super) node: Option<String>,
    /// `Measurement@time`, as it stands there.
    pub(super) time: Option<String>,
    /// What the columns of the rows are.
    pub(super) columns: Columns,
    /// The rows.
    pub(super) rows: String,
    /// Where the node's element stands in the text.
    pub(super) span: Range<usize>,
}

/// Why a body is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// `<!DOCTYPE`
    #[error("it has a document type, which is never read")]
    DocumentType,
    /// `&name;` that XML itself does not define.
    #[error("it has an entity that XML does not define")]
    Entity,
    /// Elements in elements in elements.
    #[error("its elements nest deeper than {DEPTH_MAX}")]
    Depth,
    /// More measurements than a message may have.
    #[error("it has more than {MEASUREMENTS_MAX} measurements")]
    TooMany,
    /// Not XML.
    #[error("it is no XML: {0}")]
    Syntax(String),
    /// Nothing in it is a row.
    #[error("it has no rows")]
    Rowless,
}

impl Fault {
    /// Whether something may be looked for in spite of it.
    pub(super) const fn may_be_salvaged(&self) -> bool {
        match self {
            Self::Syntax(_) | Self::Rowless => true,
            Self::DocumentType | Self::Entity | Self::Depth | Self::TooMany => false,
        }
    }
}

/// Reads a whole document.
pub(super) fn read(text: &str) -> Result<Vec<Measurement>, Fault> {
    let mut walk = Walk::default();
    let mut reader = Reader::from_str(text);
    loop {
        let before = place(&reader);
        match reader.read_event().map_err(|error| Fault::Syntax(error.to_string()))? {
            Event::Start(start) => walk.open(&start, before)?,
            Event::Empty(start) => {
                walk.open(&start, before)?;
                walk.close(place(&reader))?;
            }
            Event::End(_) => walk.close(place(&reader))?,
            Event::Text(found) => walk.text(&found),
            Event::CData(found) => walk.text(&found),
            Event::GeneralRef(found) => walk.text(reference(&found)?.encode_utf8(&mut [0; 4])),
            Event::DocType(_) => return Err(Fault::DocumentType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match walk.path.last() {
        Some(_) => Err(Fault::Syntax("it ends within an element".to_owned())),
        None if walk.found.is_empty() => Err(Fault::Rowless),
        None => Ok(walk.found),
    }
}

/// What is known between two tags.
#[derive(Default)]
struct Walk {
    /// The open elements, and where each began.
    path: Vec<(Element, usize)>,
    network: Option<String>,
    node: Option<String>,
    time: Option<String>,
    components: Vec<Option<Column>>,
    rows: Option<String>,
    found: Vec<Measurement>,
    /// How many of the found ones lie before the node that is open.
    of_others: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Network,
    Node,
    Measurement,
    Component,
    Values,
    Other,
}

impl Element {
    fn of(name: &str) -> Self {
        const KNOWN: [(&str, Element); 5] = [
            ("component", Element::Component),
            ("values", Element::Values),
            ("measurement", Element::Measurement),
            ("node", Element::Node),
            ("network", Element::Network),
        ];
        let known = KNOWN.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        known.map_or(Self::Other, |(_, element)| element)
    }
}

impl Walk {
    fn open(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), Fault> {
        if self.path.len() >= DEPTH_MAX {
            return Err(Fault::Depth);
        }
        let element = Element::of(start.local_name().into_inner());
        self.path.push((element, at));
        match element {
            Element::Network => self.network = attribute(start, "id")?,
            Element::Node => {
                self.node = attribute(start, "id")?;
                self.of_others = self.found.len();
            }
            Element::Measurement => {
                self.time = attribute(start, "time")?;
                self.components.clear();
            }
            Element::Component => self.components.push(column(start)?),
            Element::Values => self.rows = Some(String::new()),
            Element::Other => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        match self.path.last() {
            Some((Element::Values, _)) => {
                if let Some(rows) = &mut self.rows {
                    rows.push_str(text);
                }
            }
            Some((Element::Component, _)) => {
                if let Some(column) = self.components.last_mut() {
                    *column = column.or_else(|| Column::of(text));
                }
            }
            Some((Element::Network | Element::Node | Element::Measurement | Element::Other, _)) | None => {}
        }
    }

    fn close(&mut self, at: usize) -> Result<(), Fault> {
        let Some((element, began)) = self.path.pop() else { return Ok(()) };
        match element {
            Element::Values => self.take()?,
            Element::Node => {
                for measurement in self.found.iter_mut().skip(self.of_others) {
                    measurement.span = began..at;
                }
                self.node = None;
            }
            Element::Network => self.network = None,
            Element::Measurement => self.time = None,
            Element::Component | Element::Other => {}
        }
        Ok(())
    }

    fn take(&mut self) -> Result<(), Fault> {
        let Some(rows) = self.rows.take() else { return Ok(()) };
        if self.found.len() >= MEASUREMENTS_MAX {
            return Err(Fault::TooMany);
        }
        self.found.push(Measurement {
            network: self.network.clone(),
            node: self.node.clone(),
            time: self.time.clone(),
            columns: Columns::named(&self.components),
            rows,
            span: 0..0,
        });
        Ok(())
    }
}

/// An attribute by its local name.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Fault> {
    for found in start.attributes().with_checks(false) {
        let found = found.map_err(|error| Fault::Syntax(error.to_string()))?;
        if found.key.local_name().into_inner().eq_ignore_ascii_case(name) {
            let value = found.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Fault::Entity)?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// The column that any attribute of a `Component` names.
fn column(start: &BytesStart<'_>) -> Result<Option<Column>, Fault> {
    for found in start.attributes().with_checks(false) {
        let found = found.map_err(|error| Fault::Syntax(error.to_string()))?;
        let value = found.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Fault::Entity)?;
        if let Some(column) = Column::of(&value) {
            return Ok(Some(column));
        }
    }
    Ok(None)
}

/// The character of `&#…;` and of the five names that XML defines.
fn reference(found: &BytesRef<'_>) -> Result<char, Fault> {
    if let Some(letter) = found.resolve_char_ref().map_err(|_| Fault::Entity)? {
        return Ok(letter);
    }
    match &**found {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(Fault::Entity),
    }
}

fn place(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

/// Elements inside each other (`sca11h.md §4.3`); six are documented.
const DEPTH_MAX: usize = 16;
const MEASUREMENTS_MAX: usize = 256;

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
