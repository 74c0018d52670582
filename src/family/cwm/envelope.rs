//! A request's arguments → exact texts (`cwm-oke.md §2.1`). Pure.
//!
//! The documented form puts `req` into the query even of a POST; newer firmware may put it elsewhere, escape it
//! twice, or mean a space by `+`. So several readings are made, and the one whose HMAC or checksum holds is the
//! right one. Both cover the exact decoded text.

use bytes::Bytes;

use super::names::{CwmNames, CwmSettings};
use super::okm::{self, Read};
use super::scan::{self, Member};
use crate::http::query::{self, Plus};
use crate::model::{HmacCheck, Verdict};

/// A message of a push.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    /// Its exact text.
    pub(super) text: Bytes,
    /// What was found in it.
    pub(super) read: Read,
}

/// What a pull says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Who asks, if it says.
    pub(super) devid: Option<String>,
    /// Whether the message of the pull before was taken.
    pub(super) taken: bool,
}

/// What a push says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Opened {
    /// Its messages; none when the request has nothing that could be one.
    pub(super) messages: Vec<Message>,
    /// Whether the HMAC of the reading that was taken holds.
    pub(super) hmac: HmacCheck,
}

/// The HMAC that a request states, wherever it stands.
pub(super) fn stated(query: Option<&str>, body: &[u8], settings: &CwmSettings) -> Option<Vec<u8>> {
    let name = &settings.names.hmac;
    let plain = |text: &[u8]| query::raw(text, name).map(|raw| query::decode(raw, Plus::Literal));
    let stated =
        plain(query.unwrap_or_default().as_bytes()).or_else(|| match body.trim_ascii_start().first() {
            None => None,
            Some(b'{' | b'[') => {
                let members = scan::members(body, depth(settings)).ok()?;
                member(body, &members, name).and_then(scan::string).map(|text| text.into_owned().into_bytes())
            }
            Some(_) => plain(body.trim_ascii()),
        });
    stated.filter(|stated| !stated.is_empty())
}

/// The messages of a push. `prove` says of a reading's exact text and its messages whether the HMAC holds.
pub(super) fn messages(
    query: Option<&str>,
    body: &[u8],
    settings: &CwmSettings,
    mut prove: impl FnMut(&[u8], &[Message]) -> HmacCheck,
) -> Opened {
    let mut best: Option<(u8, Opened)> = None;
    for text in readings(query, body, settings) {
        let text = Bytes::from(text);
        let messages = opened(&text, settings);
        let hmac = prove(&text, &messages);
        let rank = match hmac {
            HmacCheck::Ok => 0,
            HmacCheck::Bad | HmacCheck::Absent | HmacCheck::NoKey => {
                messages.iter().map(|message| rank(message.read.verdict)).max().unwrap_or(u8::MAX)
            }
        };
        if best.as_ref().is_none_or(|(before, _)| rank < *before) {
            best = Some((rank, Opened { messages, hmac }));
        }
        // The HMAC may yet hold for another reading of a sound message.
        if rank == 0 || (rank == 1 && hmac != HmacCheck::Bad) {
            break;
        }
    }
    best.map_or(Opened { messages: Vec::new(), hmac: HmacCheck::Absent }, |(_, opened)| opened)
}

/// What a pull says; `None` when it says something that cannot be read. `prove` says of the request's exact text
/// and the device it names whether the HMAC holds.
pub(super) fn asked(
    query: Option<&str>,
    body: &[u8],
    settings: &CwmSettings,
    mut prove: impl FnMut(&[u8], Option<&str>) -> HmacCheck,
) -> Option<(Asked, HmacCheck)> {
    let names = &settings.names;
    let texts: Vec<Vec<u8>> = readings(query, body, settings).collect();
    if texts.is_empty() {
        let plain = |name| {
            let raw = query::raw(query.unwrap_or_default().as_bytes(), name)?;
            Some(scan::characters(&query::decode(raw, Plus::Literal)).into_owned())
        };
        let taken = plain(&names.lokm).is_none_or(|word| !is_no(&word));
        // There is no request object that an HMAC could cover.
        return named(plain(&names.devid), taken).map(|asked| (asked, HmacCheck::Absent));
    }
    let mut first = None;
    for text in &texts {
        let Ok(members) = scan::members(text, settings.depth_max) else { continue };
        let asked = says(text, &members, names);
        let hmac = prove(text, asked.as_ref().and_then(|asked| asked.devid.as_deref()));
        if hmac == HmacCheck::Ok {
            return asked.map(|asked| (asked, hmac));
        }
        first = first.or(Some((asked, hmac)));
    }
    let (asked, hmac) = first?;
    asked.map(|asked| (asked, hmac))
}

fn says(text: &[u8], members: &[Member<'_>], names: &CwmNames) -> Option<Asked> {
    let value = |name: &str| {
        let literal = member(text, members, name)?;
        Some(scan::string(literal).unwrap_or_else(|| scan::characters(literal)).into_owned())
    };
    let taken = value(&names.lokm).is_none_or(|word| !is_no(&word));
    named(value(&names.devid), taken)
}

fn named(devid: Option<String>, taken: bool) -> Option<Asked> {
    match devid {
        Some(devid) if !super::draft::address_is_valid(&devid) => None,
        devid => Some(Asked { devid, taken }),
    }
}

fn is_no(word: &str) -> bool {
    matches!(word, "false" | "0")
}

/// Lower is better: all sound, then readable, then wrong, then not a message. Nothing is what a proven one has.
const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok | Verdict::Duplicate | Verdict::None => 1,
        Verdict::NoCrc => 2,
        Verdict::BadCrc => 3,
        Verdict::Malformed => 4,
    }
}

/// Every way to read the request object, the plainest first and each made only when it is asked for. Empty when there
/// is none.
fn readings<'a>(query: Option<&'a str>, body: &'a [u8], settings: &CwmSettings) -> Readings<'a> {
    let name = &settings.names.req;
    if let Some(raw) = query::raw(query.unwrap_or_default().as_bytes(), name).filter(|raw| !raw.is_empty()) {
        return Box::new(decodings(raw));
    }
    let trimmed = body.trim_ascii_start();
    match trimmed.first() {
        None => Box::new(std::iter::empty()),
        Some(b'{' | b'[') => Box::new(json_body(body, settings).into_iter()),
        Some(_) => match query::raw(trimmed, name).filter(|raw| !raw.is_empty()) {
            Some(raw) => Box::new(decodings(raw)),
            // A JSON body that somebody percent-encoded.
            None => Box::new(
                decodings(trimmed)
                    .filter(|text| matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))),
            ),
        },
    }
}

type Readings<'a> = Box<dyn Iterator<Item = Vec<u8>> + 'a>;

fn json_body(body: &[u8], settings: &CwmSettings) -> Vec<Vec<u8>> {
    let names = &settings.names;
    match scan::members(body, depth(settings)) {
        Ok(members) => match member(body, &members, &names.req) {
            Some(literal) => match scan::string(literal) {
                Some(text) => {
                    let mut all = vec![text.as_bytes().to_vec()];
                    all.extend(decodings(text.as_bytes()));
                    all
                }
                None => vec![literal.to_vec()],
            },
            None if members.iter().any(|member| member.name == names.okm || member.name.starts_with('_')) => {
                vec![body.to_vec()]
            }
            None => Vec::new(),
        },
        // Several messages without a request object, or a text that breaks off: the message reader will say.
        Err(_) => vec![body.to_vec()],
    }
}

/// Escapes undone once and twice, `+` as a plus and as a space, and the text as it came. Nearly always the first is
/// the right one.
fn decodings(raw: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let plainest = std::iter::once_with(|| query::decode(raw, Plus::Literal));
    plainest.chain(std::iter::once_with(|| other_decodings(raw)).flatten())
}

fn other_decodings(raw: &[u8]) -> Vec<Vec<u8>> {
    let plus = query::decode(raw, Plus::Literal);
    let space = query::decode(raw, Plus::Space);
    let all = [
        query::decode(&plus, Plus::Literal),
        query::decode(&plus, Plus::Space),
        query::decode(&space, Plus::Literal),
        raw.to_vec(),
    ];
    let mut unique = vec![plus];
    for text in std::iter::once(space).chain(all) {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    unique.remove(0);
    unique
}

/// The messages in a request object. What has none is itself the message, sound or not.
fn opened(request: &Bytes, settings: &CwmSettings) -> Vec<Message> {
    let read = |text: Bytes| Message { read: okm::read(&text, settings), text };
    let whole = || vec![read(request.clone())];
    let several = |list: Vec<Bytes>| list.into_iter().map(read).collect();
    let name = &settings.names.okm;
    let Ok((members, inner)) = scan::members_within(request, depth(settings), name) else {
        return list(request, settings).map_or_else(whole, several);
    };
    let first = members.iter().find(|member| member.name == *name).map(|member| member.value.clone());
    let Some(place) = first.filter(|place| request.get(place.clone()).is_some_and(|text| text != b"null"))
    else {
        return whole();
    };
    let literal = request.slice(place.clone());
    if let Some(inner) = inner.filter(|inner| inner.place == place && inner.levels <= settings.depth_max) {
        let read = okm::read_members(&literal, Ok(inner.members), settings);
        return vec![Message { read, text: literal }];
    }
    if let Some(text) = scan::string(&literal) {
        return vec![read(Bytes::copy_from_slice(text.as_bytes()))];
    }
    match literal.first() {
        Some(b'[') => list(&literal, settings).map_or_else(whole, several),
        _ => vec![read(literal)],
    }
}

/// The elements of an array, if it has some and not too many.
fn list(literal: &Bytes, settings: &CwmSettings) -> Option<Vec<Bytes>> {
    let places = scan::elements(literal, depth(settings)).ok()??;
    if places.is_empty() || places.len() > settings.push_okms_max {
        return None;
    }
    Some(places.into_iter().map(|place| literal.slice(place)).collect())
}

fn member<'a>(text: &'a [u8], members: &[Member<'_>], name: &str) -> Option<&'a [u8]> {
    let member = members.iter().find(|member| member.name == name)?;
    text.get(member.value.clone()).filter(|literal| *literal != b"null")
}

/// The request object and an array stand around a message.
const fn depth(settings: &CwmSettings) -> usize {
    settings.depth_max.saturating_add(2)
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
