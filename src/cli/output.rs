//! What is written where: results to standard output, all else to standard error.

use std::io::{self, Write as _};

use serde_json::Value;

/// Writes a result and a line end.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes a result as it is.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes a JSON result for a script.
pub(super) fn json(value: &Value) -> io::Result<()> {
    line(&serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()))
}

/// Writes a list: JSON for a script, else a table.
pub(super) fn list(rows: Vec<Value>, as_json: bool, columns: &[(&str, &str)]) -> io::Result<()> {
    if as_json { json(&Value::Array(rows)) } else { table(&rows, columns) }
}

/// Says something beside the result.
pub(super) fn note(text: &str) {
    // Nothing can be said when standard error is gone.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Says why the command failed.
pub(super) fn complain(text: &str) {
    note(&format!("homeport: {text}"));
}

/// Whether the reader of our results went away.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Writes a table: a column per name, the field of each row's object that it names.
pub(super) fn table(rows: &[Value], columns: &[(&str, &str)]) -> io::Result<()> {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|(_, field)| cell(row, field)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for cells in &lines {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    raw(text.as_bytes())
}

/// Text that may hold a device's own words, which must not drive the terminal.
pub(super) fn safe(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// A field as a person reads it; `a.b` looks into the object `a`.
pub(super) fn cell(row: &Value, field: &str) -> String {
    let found = field.split('.').try_fold(row, |value, name| value.get(name));
    match found {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => safe(text),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_safe_to_print() {
        let row =
            serde_json::json!({"name": "a\u{1b}[2Jb", "online": true, "device": {"id": "7"}, "n": null});
        assert_eq!(cell(&row, "name"), "a\u{fffd}[2Jb");
        assert_eq!(cell(&row, "online"), "yes");
        assert_eq!(cell(&row, "device.id"), "7");
        assert_eq!(cell(&row, "n"), "-");
        assert_eq!(cell(&row, "none"), "-");
    }
}
