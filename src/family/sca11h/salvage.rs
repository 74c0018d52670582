//! What can be saved of a body that is no XML (`sca11h.md §4.3`): the rows between `<Values …>` and `</Values>`, the
//! `id` of the `Node` before them and the `time` of the `Measurement`. Pure; one walk over the text.

use super::columns::Columns;
use super::xml::Measurement;

/// Every piece between the marks, with what stands before it.
pub(super) fn measurements(text: &str) -> Vec<Measurement> {
    let mut found = Vec::new();
    let (mut network, mut node, mut time) = (None, None, None);
    let mut from = 0;
    while let Some((inside, end)) = tag(text, from) {
        from = end;
        match name(inside).as_str() {
            "network" => network = attribute(inside, "id"),
            "node" => node = attribute(inside, "id"),
            "measurement" => time = attribute(inside, "time"),
            "values" if found.len() < PIECES_MAX => found.push(Measurement {
                network: network.clone(),
                node: node.clone(),
                time: time.clone(),
                columns: Columns::default(),
                rows: rows(text.get(end..).unwrap_or_default()).to_owned(),
                span: 0..text.len(),
            }),
            _ => {}
        }
    }
    found
}

/// What stands in the next tag, and where the text after it begins.
fn tag(text: &str, from: usize) -> Option<(&str, usize)> {
    let mut from = from;
    loop {
        let rest = text.get(from..)?;
        let end = rest.find('>')?;
        let before = rest.get(..end)?;
        let after = from + end + 1;
        match before.rfind('<') {
            Some(begin) => return Some((before.get(begin + 1..)?, after)),
            None => from = after,
        }
    }
}

/// The local name of an opening tag, in lower case.
fn name(inside: &str) -> String {
    let name =
        inside.split(|letter: char| letter.is_whitespace() || letter == '/').next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// The value of an attribute by its local name.
fn attribute(inside: &str, name: &str) -> Option<String> {
    let (_, mut rest) = inside.split_once(char::is_whitespace)?;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let (value, next) = after.get(1..)?.split_once(quote)?;
        if key.trim().rsplit(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            return (!value.contains('&')).then(|| value.to_owned());
        }
        rest = next;
    }
}

/// The rows at the start of a text. Without an end mark the last one may have been cut within a number: it is left out.
fn rows(rest: &str) -> &str {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("<![CDATA[").unwrap_or(rest);
    match rest.find(['<', ']']) {
        Some(end) => rest.get(..end).unwrap_or_default(),
        None => rest.rfind(['\n', '\r']).and_then(|end| rest.get(..end)).unwrap_or_default(),
    }
}

const PIECES_MAX: usize = 64;
