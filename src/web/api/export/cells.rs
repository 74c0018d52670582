//! Cells of CSV: text that no spreadsheet carries out, numbers as they are (`accounts-dashboard.md §4`).

use crate::model::Value;

/// A value's cell; a gap's is empty.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => inert(text.clone()),
        Value::Bool(_) | Value::Integer(_) | Value::Real(_) | Value::Gap(_) => {
            value.plain().unwrap_or_default()
        }
    }
}

/// Text that a spreadsheet would carry out becomes text that it shows.
pub(super) fn inert(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

/// A writer of rows that end as RFC 4180 has it.
pub(super) fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(Vec::new())
}
