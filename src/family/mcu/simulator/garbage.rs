//! Input that is bad, odd or none (`websocket-mcu.md §4, §9`), and what the server is to make of it. Pure.

use bytes::Bytes;

use super::outgoing::{Outgoing, Says};
use super::wire::{BINARY, Client, ENDS, TEXT, TEXT_BEGINS};
use crate::model::Verdict;

/// A kind of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Garbage {
    /// No number in front.
    NoNumber,
    /// A number below zero.
    Negative,
    /// One with too many digits.
    Huge,
    /// One that is not whole.
    Fraction,
    /// Bytes that are no text, in a binary frame.
    Noise,
    /// The number alone.
    Heartbeat,
    /// No temperature.
    Short,
    /// A temperature that is none.
    BadField,
    /// One that is no finite number.
    NotFinite,
    /// More fields than anybody knows.
    Long,
    /// Blanks, signs, exponents, `;` and an end of the line.
    Spelled,
    /// Nothing in a frame.
    Empty,
    /// A message in three frames.
    Fragments,
    /// More bytes than a message may have: ends the connection.
    TooLarge,
    /// Bytes that are no text, in a text frame: ends the connection.
    BadText,
    /// A bit that is reserved: ends the connection.
    Reserved,
}

impl Garbage {
    pub(super) const ALL: [Self; 16] = [
        Self::NoNumber,
        Self::Negative,
        Self::Huge,
        Self::Fraction,
        Self::Noise,
        Self::Heartbeat,
        Self::Short,
        Self::BadField,
        Self::NotFinite,
        Self::Long,
        Self::Spelled,
        Self::Empty,
        Self::Fragments,
        Self::TooLarge,
        Self::BadText,
        Self::Reserved,
    ];

    /// The message of a board; `place` makes it one that nobody else sends.
    pub(super) fn message(self, client: Client, id: u32, place: u32) -> Outgoing {
        let nobodys = |text: String| {
            let wire = client.frame(TEXT, text.as_bytes(), place);
            Outgoing::new(wire, Says { text: text.into(), named: false, verdict: Verdict::Malformed })
        };
        let usable = |text: String| {
            let wire = client.frame(TEXT, text.as_bytes(), place);
            Outgoing::new(wire, Says { text: text.into(), named: true, verdict: Verdict::Ok })
        };
        let ending = |wire| Outgoing { ends: true, ..Outgoing::silent(wire) };
        match self {
            Self::NoNumber => nobodys(format!("board{id},{place},31.25")),
            Self::Negative => nobodys(format!("-{id},{place},31.25")),
            Self::Huge => nobodys(format!("1{id:06},{place},31.25")),
            Self::Fraction => nobodys(format!("{id}.0,{place},31.25")),
            Self::Noise => {
                let mut text = format!("\u{1}{id},{place}").into_bytes();
                text.extend_from_slice(b"\xFF\xFE\x81\x00");
                let wire = client.frame(BINARY, &text, place);
                Outgoing::new(wire, Says { text: text.into(), named: false, verdict: Verdict::Malformed })
            }
            Self::Heartbeat => usable(id.to_string()),
            Self::Short => usable(format!("{id},{place}")),
            Self::BadField => usable(format!("{id},{place},warm")).with_temperature(),
            Self::NotFinite => usable(format!("{id},nan,-inf")).with_temperature(),
            Self::Long => usable(format!("{id},{place},31.25,1,2,3,4.5,,0x10")).with_temperature(),
            Self::Spelled => usable(format!("\t+{id} ; +{place};\t3.125e1\r\n\0")).with_temperature(),
            Self::Empty => Outgoing::silent(client.frame(TEXT, b"", place)),
            Self::Fragments => {
                let text = Bytes::from(format!("{id},{place},31.25"));
                let (one, rest) = text.split_at(2);
                let (two, three) = rest.split_at(3);
                let frames = [(TEXT_BEGINS, one), (0, two), (ENDS, three)];
                let wire =
                    frames.iter().flat_map(|(first, part)| client.frame(*first, part, place)).collect();
                Outgoing::new(wire, Says { text, named: true, verdict: Verdict::Ok }).with_temperature()
            }
            Self::TooLarge => {
                ending(client.frame(TEXT, format!("{id},{place},{}", "1".repeat(8000)).as_bytes(), place))
            }
            Self::BadText => ending(client.frame(TEXT, b"\xFF\xFE,1,2", place)),
            Self::Reserved => ending(client.frame(TEXT | 0x40, format!("{id},{place},1").as_bytes(), place)),
        }
    }
}
