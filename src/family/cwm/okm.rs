//! One OpenKitchen Message (OKM): exact text → typed message and verdict (`cwm-oke.md §4, §5`). Pure.

use std::borrow::Cow;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::crc;
use super::draft::{ADDRESSES_MAX, address_is_valid};
use super::names::CwmSettings;
use super::scan::{self, Fault, Member};
use super::telemetry::{self, Said};
use crate::model::{Timestamp, Verdict, WireId};

/// A text and what was found in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    /// What the check found.
    pub(super) verdict: Verdict,
    /// Why it is malformed, for the log.
    pub(super) fault: Option<Unsound>,
    /// As much of the message as could be read.
    pub(super) okm: Okm,
    /// What makes two messages the same one; `None` when it has no number or no time.
    pub(super) fingerprint: Option<[u8; 16]>,
}

/// A message's fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Okm {
    /// Who it is from, the sender first and the module that passed it on last.
    pub(super) src: Vec<String>,
    /// Its number, if it has one of 16 bits.
    pub(super) id: Option<WireId>,
    /// When it was made, by the device's clock.
    pub(super) created: Option<Timestamp>,
    /// What it says.
    pub(super) payload: Option<Said>,
}

/// Why a message is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsound {
    /// Not one JSON object.
    #[error(transparent)]
    Text(#[from] Fault),
    /// An object without a single header field.
    #[error("it has no field of a message's header")]
    Headless,
    /// A header field of the wrong kind.
    #[error("{0} is not what it must be")]
    Field(&'static str),
    /// A header field twice: which one counts?
    #[error("{0} stands twice")]
    Twice(&'static str),
}

/// Reads a text. Whatever it is, the answer says what to store.
pub(super) fn read(text: &[u8], settings: &CwmSettings) -> Read {
    read_members(text, scan::members(text, settings.depth_max), settings)
}

/// The payload of a text that is a message, whole.
pub(super) fn payload(text: &[u8], settings: &CwmSettings) -> Option<serde_json::Value> {
    let members = scan::members(text, settings.depth_max).ok()?;
    let place = members.into_iter().find(|member| member.name == "_pld")?.value;
    serde_json::from_str(&scan::characters(text.get(place)?)).ok()
}

/// Reads a text whose members were found already.
pub(super) fn read_members(
    text: &[u8],
    members: Result<Vec<Member<'_>>, Fault>,
    settings: &CwmSettings,
) -> Read {
    let (fields, fault) = match members {
        Ok(members) => Fields::sort(text, members),
        Err(fault) => (Fields::default(), Some(Unsound::Text(fault))),
    };
    let (okm, fault) = fields.typed(fault, settings);
    let body = trimmed(text);
    let (verdict, computed) = match (&fault, &fields.crc) {
        (Some(_), _) => (Verdict::Malformed, 0),
        (None, None) => (Verdict::NoCrc, crc::plain(body)),
        (None, Some(literal)) => fields.check(text, literal),
    };
    let fingerprint = fields.fingerprint(&okm, computed).filter(|_| fault.is_none());
    Read { verdict, fault, okm, fingerprint }
}

/// The header's values as they stand in the text.
#[derive(Default)]
struct Fields<'a> {
    src: Option<&'a [u8]>,
    cmd: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    ts: Option<&'a [u8]>,
    crc: Option<Range<usize>>,
    stated: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn sort(text: &'a [u8], members: Vec<Member<'_>>) -> (Self, Option<Unsound>) {
        let mut fields = Self::default();
        let mut fault = None;
        for Member { name, value } in members {
            let literal = text.get(value.clone());
            let (name, slot) = match &*name {
                "_src" => ("_src", &mut fields.src),
                "_cmd" => ("_cmd", &mut fields.cmd),
                "_id" => ("_id", &mut fields.id),
                "_ts" => ("_ts", &mut fields.ts),
                "_crc" => {
                    fields.crc = Some(value);
                    ("_crc", &mut fields.stated)
                }
                "_pld" => ("_pld", &mut fields.payload),
                _ => continue, // kept in the text, never refused (§4.3)
            };
            if slot.is_some() {
                fault = Some(Unsound::Twice(name));
            }
            *slot = literal;
        }
        let known = [fields.src, fields.cmd, fields.id, fields.ts, fields.stated, fields.payload];
        if known.iter().all(Option::is_none) {
            fault = Some(Unsound::Headless);
        }
        (fields, fault)
    }

    /// The typed fields; the first fault found stays.
    fn typed(&self, mut fault: Option<Unsound>, settings: &CwmSettings) -> (Okm, Option<Unsound>) {
        let mut okm = Okm::default();
        let mut note = |name| {
            if fault.is_none() {
                fault = Some(Unsound::Field(name));
            }
        };
        match self.src.map(sources) {
            Some(Some(src)) => okm.src = src,
            Some(None) => note("_src"),
            None => {}
        }
        if self.cmd.is_some_and(|literal| scan::string(literal).is_none()) {
            note("_cmd");
        }
        match self.id.map(number) {
            Some(Some(id)) => okm.id = WireId::try_from(id).ok(),
            Some(None) => note("_id"),
            None => {}
        }
        match self.ts.map(scan::string) {
            Some(Some(ts)) => okm.created = Timestamp::parse(&ts),
            Some(None) => note("_ts"),
            None => {}
        }
        let said = |literal| telemetry::read(&scan::characters(literal), okm.created, settings);
        match self.payload.map(said) {
            Some(Ok(said)) => okm.payload = Some(said),
            Some(Err(_)) => note("_pld"),
            None => {}
        }
        (okm, fault)
    }

    /// The checksum over the received text, its four digits read as `0000`.
    fn check(&self, text: &[u8], value: &Range<usize>) -> (Verdict, u16) {
        let Some([b'"', digits @ .., b'"']) = self.stated else {
            return (Verdict::BadCrc, crc::plain(trimmed(text)));
        };
        // The text may have white space before its brace; the checksum starts at the brace (§5.1).
        let start = text.iter().position(|&byte| byte == b'{').unwrap_or_default();
        let body = trimmed(text);
        let computed = crc::over(body, value.start + 1 - start..value.end - 1 - start);
        let verdict = if crc::parse(digits) == Some(computed) { Verdict::Ok } else { Verdict::BadCrc };
        (verdict, computed)
    }

    /// Over source, number, time and checksum (§3.2). The computed checksum is in it too, so that a message
    /// spoilt on its way does not make its sound repeat a duplicate.
    fn fingerprint(&self, okm: &Okm, computed: u16) -> Option<[u8; 16]> {
        let (id, ts) = (self.id?, self.ts?);
        let mut hash = Sha256::new();
        for name in &okm.src {
            let small = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
            let name = if small { Cow::Borrowed(name) } else { Cow::Owned(name.to_lowercase()) };
            feed(&mut hash, name.as_bytes());
        }
        for field in [&b""[..], id, ts, self.stated.unwrap_or_default(), &computed.to_be_bytes()] {
            feed(&mut hash, field);
        }
        hash.finalize().first_chunk().copied()
    }
}

/// The length first, so that no two different messages feed the hash the same bytes.
fn feed(hash: &mut Sha256, field: &[u8]) {
    hash.update((field.len() as u64).to_be_bytes());
    hash.update(field);
}

/// From the first brace to the last: what the checksum covers.
fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    let end = text.iter().rposition(|&byte| byte == b'}').map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or_default()
}

/// One to eight device IDs in an array, or one bare.
fn sources(literal: &[u8]) -> Option<Vec<String>> {
    let names = match scan::string(literal) {
        Some(name) => vec![name.into_owned()],
        None => serde_json::from_str(&scan::characters(literal)).ok()?,
    };
    let sound = (1..=ADDRESSES_MAX).contains(&names.len()) && names.iter().all(|name| address_is_valid(name));
    sound.then_some(names)
}

/// A whole number, or one in a string (§4.1).
fn number(literal: &[u8]) -> Option<i64> {
    match scan::string(literal) {
        Some(text) => text.trim().parse().ok(),
        None => std::str::from_utf8(literal).ok()?.parse().ok(),
    }
}

#[cfg(test)]
#[path = "okm_tests.rs"]
mod tests;
