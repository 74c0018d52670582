//! The TOML file as a flat list: dotted key, line, value.

use toml::de::{DeTable, DeValue};

/// One key of the file with its place.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: toml::Value,
}

/// A fault in the file's own grammar.
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Reads a file's text. Sections named in `whole` are one entry each, with their table as value.
pub(super) fn entries(text: &str, whole: &[String]) -> Result<Vec<Entry>, Fault> {
    let fault = |error: &toml::de::Error| Fault {
        line: error.span().map_or(1, |span| line(text, span.start)),
        message: error.message().to_owned(),
    };
    let places = DeTable::parse(text).map_err(|error| fault(&error))?;
    let values: toml::Table = toml::from_str(text).map_err(|error| fault(&error))?;
    let mut found = Vec::new();
    walk(text, "", places.get_ref(), &values, whole, &mut found);
    found.sort_by_key(|entry| entry.line);
    Ok(found)
}

fn walk(
    text: &str,
    prefix: &str,
    places: &DeTable<'_>,
    values: &toml::Table,
    whole: &[String],
    found: &mut Vec<Entry>,
) {
    for (name, place) in places {
        let Some(value) = values.get(name.get_ref().as_ref()) else { continue };
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        match (place.get_ref(), value) {
            (DeValue::Table(places), toml::Value::Table(values)) if !whole.contains(&key) => {
                walk(text, &key, places, values, whole, found);
            }
            _ => found.push(Entry { key, line: line(text, name.span().start), value: value.clone() }),
        }
    }
}

/// The line, from 1, that holds this byte.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
