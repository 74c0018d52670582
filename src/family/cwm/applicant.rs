//! Who asks `/provision`, and with what: a device ID and a certificate request, wherever they stand
//! (`cwm-oke.md §3.1`). Pure.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};

use super::draft::address_is_valid;
use super::names::CwmSettings;
use super::scan;
use crate::http::query::{self, Plus};

/// What a request to `/provision` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Applicant {
    /// The device it names.
    pub(super) devid: Option<String>,
    /// The certificate request in it (DER), in each way it can be read; `None` when there is none. An empty list
    /// is one that begins like a request and cannot be read.
    pub(super) requests: Option<Vec<Vec<u8>>>,
}

/// Reads a request of any form: query, form, JSON, or a bare PEM block.
pub(super) fn read(query: Option<&str>, body: &[u8], settings: &CwmSettings) -> Applicant {
    let query = query.unwrap_or_default().as_bytes();
    let mut gathered = Gathered { fields: Vec::new(), depth_max: settings.depth_max };
    gathered.pairs(query);
    match body.trim_ascii_start().first() {
        Some(b'{' | b'[') => gathered.json("", body, 0),
        Some(_) => gathered.pairs(body.trim_ascii()),
        None => {}
    }
    Applicant {
        devid: gathered.devid(&settings.names.device),
        requests: requests(query, body, &gathered.fields),
    }
}

/// Everything with a name, in the order in which it stands there.
struct Gathered {
    fields: Vec<(String, String)>,
    depth_max: usize,
}

impl Gathered {
    /// The first usable ID, by the rank of its name; the carrier of a message last.
    fn devid(&self, names: &[String]) -> Option<String> {
        names.iter().map(String::as_str).chain([SOURCE]).find_map(|name| {
            let so_called = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
            let mut values = self.fields.iter().filter(so_called).map(|(_, value)| value.trim());
            values.find(|value| address_is_valid(value)).map(str::to_owned)
        })
    }

    fn pairs(&mut self, text: &[u8]) {
        for (name, value) in query::pairs(text) {
            let name = scan::characters(&query::decode(name, Plus::Space)).into_owned();
            let mut value = query::decode(value, Plus::Literal);
            if value.trim_ascii_start().starts_with(b"%7B") || value.trim_ascii_start().starts_with(b"%7b") {
                value = query::decode(&value, Plus::Literal);
            }
            self.text(&name, &scan::characters(&value), 0);
        }
    }

    /// A text, and what is in it when it is itself an object.
    fn text(&mut self, name: &str, text: &str, depth: usize) {
        self.put(name, text);
        if text.trim_start().starts_with('{') {
            self.json(name, text.as_bytes(), depth + 1);
        }
    }

    fn json(&mut self, name: &str, literal: &[u8], depth: usize) {
        if depth > self.depth_max {
            return;
        }
        match literal.trim_ascii_start().first() {
            Some(b'{') => {
                for member in scan::members(literal, self.depth_max).unwrap_or_default() {
                    let value = literal.get(member.value).unwrap_or_default();
                    self.json(&member.name, value, depth + 1);
                }
            }
            Some(b'[') => {
                let places = scan::elements(literal, self.depth_max).ok().flatten().unwrap_or_default();
                // Of the sources of a message only the last is the module that speaks (§4.3).
                let first = if name == SOURCE { places.len().saturating_sub(1) } else { 0 };
                for place in places.into_iter().skip(first) {
                    self.json(name, literal.get(place).unwrap_or_default(), depth + 1);
                }
            }
            Some(b'"') => {
                if let Some(text) = scan::string(literal) {
                    self.text(name, &text, depth);
                }
            }
            Some(b'0'..=b'9') => self.put(name, &scan::characters(literal)),
            Some(_) | None => {}
        }
    }

    fn put(&mut self, name: &str, value: &str) {
        if self.fields.len() < FIELDS_MAX {
            self.fields.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Every reading of the first PEM block that asks for a certificate.
fn requests(query: &[u8], body: &[u8], fields: &[(String, String)]) -> Option<Vec<Vec<u8>>> {
    let mut texts: Vec<String> = fields.iter().map(|(_, value)| value.clone()).collect();
    texts.push(scan::characters(body).into_owned());
    for part in [query, body] {
        for plus in [Plus::Literal, Plus::Space] {
            let once = query::decode(part, plus);
            texts.push(scan::characters(&query::decode(&once, plus)).into_owned());
            texts.push(scan::characters(&once).into_owned());
        }
    }
    let mut found: Option<Vec<Vec<u8>>> = None;
    for request in texts.iter().filter_map(|text| pem(text)) {
        let found = found.get_or_insert_default();
        if let Ok(der) = request
            && found.len() < READINGS_MAX
            && !found.contains(&der)
        {
            found.push(der);
        }
    }
    found
}

/// The bytes of a certificate request in PEM form, if the text has one. Line ends may be
/// missing, or written as `\n`; a space may stand as `+`.
fn pem(text: &str) -> Option<Result<Vec<u8>, DecodeError>> {
    let begins = text.match_indices(BEGIN).find_map(|(at, _)| {
        let (label, rest) = text.get(at + BEGIN.len()..)?.split_once("-----")?;
        let label = label.replace('+', " ");
        let asks = matches!(label.trim(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
        asks.then_some(rest)
    })?;
    let Some((inside, _)) = begins.split_once("-----END") else {
        return Some(Err(DecodeError::InvalidLength(0)));
    };
    let inside = inside.replace("\\r", "").replace("\\n", "").replace('\\', "");
    let letters: String = inside.chars().filter(|letter| !letter.is_whitespace()).collect();
    Some(STANDARD.decode(letters))
}

const BEGIN: &str = "-----BEGIN";
/// The member of a message that names its sender and its carrier.
const SOURCE: &str = "_src";
/// More named things than any request for certificates has.
const FIELDS_MAX: usize = 256;
const READINGS_MAX: usize = 4;

#[cfg(test)]
#[path = "applicant_tests.rs"]
mod tests;
