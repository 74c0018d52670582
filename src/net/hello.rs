//! A client's hello, read from its raw bytes: rustls shows none of one that it cannot use, and an operator wants to
//! know why. Pure; tolerates a hello that breaks off.

use std::fmt;

use rustls::{NamedGroup, ProtocolVersion, SignatureScheme};

use super::{suites, tls};

/// What a client offered, in the order it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The name it asked for (SNI).
    pub sni: Option<String>,
    /// Protocol versions: those of the extension, else the one in the hello itself.
    pub versions: Vec<String>,
    /// Cipher suites by registered name; unknown ones by number.
    pub suites: Vec<String>,
    /// Signature schemes; `None` when it sent no such extension.
    pub signatures: Option<Vec<String>>,
    /// Groups for the key exchange; `None` when it sent no such extension.
    pub groups: Option<Vec<String>>,
    /// Application protocols (ALPN).
    pub alpn: Vec<String>,
}

impl Offer {
    /// Reads the records at the start of a connection. `None` when they do not begin a hello.
    pub(super) fn read(seen: &[u8]) -> Option<Self> {
        let message = handshake_bytes(seen);
        let mut hello = Bytes(&message);
        if hello.number(1)? != CLIENT_HELLO {
            return None;
        }
        let length = hello.number(3)?;
        let mut hello = Bytes(hello.0.get(..length).unwrap_or(hello.0));
        let mut offer = Self::default();
        let own = u16::try_from(hello.number(2)?).ok()?;
        offer.versions.push(tls::version(ProtocolVersion::from(own)));
        offer.rest(&mut hello);
        Some(offer)
    }

    /// What follows the version; ends early where the hello does.
    fn rest(&mut self, hello: &mut Bytes<'_>) -> Option<()> {
        hello.take(32)?; // random
        hello.list(1)?; // session id
        self.suites = named(hello.list(2)?, suites::name);
        hello.list(1)?; // compression
        hello.number(2)?;
        let mut extensions = Bytes(hello.0); // the hello ends with them
        while let Some(kind) = extensions.number(2) {
            let body = extensions.list(2)?;
            self.extension(kind, body);
        }
        Some(())
    }

    fn extension(&mut self, kind: usize, body: &[u8]) -> Option<()> {
        let mut body = Bytes(body);
        match kind {
            SERVER_NAME => {
                let mut names = Bytes(body.list(2)?);
                names.number(1)?;
                self.sni = Some(printable(names.list(2)?));
            }
            GROUPS => {
                self.groups = Some(named(body.list(2)?, |number| format!("{:?}", NamedGroup::from(number))));
            }
            SIGNATURES => {
                let schemes = named(body.list(2)?, |number| format!("{:?}", SignatureScheme::from(number)));
                self.signatures = Some(schemes);
            }
            PROTOCOLS => {
                let mut all = Bytes(body.list(2)?);
                while let Some(one) = all.list(1) {
                    self.alpn.push(printable(one));
                }
            }
            VERSIONS => {
                self.versions = named(body.list(1)?, |number| tls::version(ProtocolVersion::from(number)));
            }
            _ => {} // says nothing about why two cannot agree
        }
        Some(())
    }
}

/// For the log: in one line.
impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |words: &Option<Vec<String>>| words.as_ref().map_or("none".to_owned(), |words| words.join(" "));
        write!(
            f,
            "versions {}; suites {}; signatures {}; groups {}; name {}",
            self.versions.join(", "),
            self.suites.join(" "),
            list(&self.signatures),
            list(&self.groups),
            self.sni.as_deref().unwrap_or("none")
        )
    }
}

/// The handshake bytes of all whole or begun records, put together.
fn handshake_bytes(seen: &[u8]) -> Vec<u8> {
    let mut records = Bytes(seen);
    let mut message = Vec::new();
    while records.number(1) == Some(HANDSHAKE) {
        let Some(()) = records.take(2).map(drop) else { break };
        let Some(length) = records.number(2) else { break };
        let part = records.0.get(..length).unwrap_or(records.0);
        message.extend_from_slice(part);
        records.0 = records.0.get(length..).unwrap_or_default();
    }
    message
}

/// Two-byte numbers in words, without the dummies of RFC 8701.
fn named(list: &[u8], name: impl Fn(u16) -> String) -> Vec<String> {
    let numbers =
        list.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(u16::from_be_bytes);
    let dummy = |number: &u16| number & 0x0F0F == 0x0A0A && number >> 8 == number & 0xFF;
    numbers.filter(|number| !dummy(number)).take(NAMES_MAX_COUNT).map(name).collect()
}

/// A stranger's text, safe to print.
fn printable(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().take(TEXT_MAX_CHARS).collect();
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Bytes being read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        Some(self.take(width)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A list with its length, of so many bytes, before it.
    fn list(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }
}

const HANDSHAKE: usize = 22;
const CLIENT_HELLO: usize = 1;
const SERVER_NAME: usize = 0;
const GROUPS: usize = 10;
const SIGNATURES: usize = 13;
const PROTOCOLS: usize = 16;
const VERSIONS: usize = 43;
/// A stranger's lists are cut here.
const NAMES_MAX_COUNT: usize = 64;
const TEXT_MAX_CHARS: usize = 255;

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
