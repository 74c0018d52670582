//! What a board writes, and how it reads what comes: as the firmware does, and as strictly (`websocket-mcu.md §2, §3,
//! §11`). Written from the page and from nothing of the server's side. Pure.

use bytes::{Buf as _, Bytes, BytesMut};

/// A kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The firmware: a constant key, and a masking key of zeros.
    Firmware,
    /// arduinoWebSockets (Links2004).
    Arduino,
    /// ArduinoWebsockets (gilmaimon), told to send frames unmasked.
    Unmasked,
    /// uwebsockets for MicroPython.
    MicroPython,
}

impl Client {
    /// The neighbours of the firmware on the same route (§11).
    pub(super) const NEIGHBOURS: [Self; 3] = [Self::Arduino, Self::Unmasked, Self::MicroPython];

    /// The opening handshake: the firmware's lines are a write each (§2), others send theirs at once.
    pub(super) fn request(self, path: &str, host: &str) -> Vec<Bytes> {
        let lines: Vec<String> = match self {
            Self::Firmware => [
                format!("GET {path} HTTP/1.1\r\n"),
                format!("Host: {host}\r\n"),
                "Upgrade: WebSocket\r\n".to_owned(),
                "Connection: Upgrade\r\n".to_owned(),
                format!("Sec-WebSocket-Key: {}\r\n", FIRMWARE.0),
                "Sec-WebSocket-Version: 13\r\n\r\n".to_owned(),
            ]
            .into(),
            Self::Arduino => vec![format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: arduino\r\n\
                 Origin: file://\r\nUser-Agent: arduino-WebSocket-Client\r\n\r\n",
                RFC_6455.0
            )],
            Self::Unmasked => vec![format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nUser-Agent: TinyWebsockets Client\r\n\
                 Origin: https://github.com/gilmaimon/TinyWebsockets\r\n\r\n",
                RFC_6455.0
            )],
            Self::MicroPython => vec![format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{}\r\n",
                RFC_6455.0,
                // Its own origin; where that is a public name, the server wants it listed.
                if host.starts_with(|first: char| first.is_ascii_digit()) {
                    format!("Origin: http://{host}\r\n")
                } else {
                    String::new()
                }
            )],
        };
        lines.into_iter().map(Bytes::from).collect()
    }

    /// Judges what the first read gave, which is to hold the whole head of the answer. Gives where that ends; the
    /// fault is a sentence.
    pub(super) fn accepts(self, first: &[u8]) -> Result<usize, String> {
        let accept = if self == Self::Firmware { FIRMWARE.1 } else { RFC_6455.1 };
        let shown = || String::from_utf8_lossy(first).chars().take(120).collect::<String>();
        if !first.windows(accept.len()).any(|part| part == accept.as_bytes()) {
            return Err(format!("no accept value in the first {} bytes: {}", first.len(), shown()));
        }
        if !first.starts_with(b"HTTP/1.1 101 ") {
            return Err(format!("another status line than `HTTP/1.1 101 …`: {}", shown()));
        }
        let end = first.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        end.filter(|end| *end < FIRST_READ_BYTES)
            .ok_or_else(|| format!("an answer of {FIRST_READ_BYTES} bytes or more: {}", shown()))
    }

    /// A frame: `first` has the opcode and the bit that says whether the message ends with it.
    pub(super) fn frame(self, first: u8, payload: &[u8], chance: u32) -> Vec<u8> {
        let mask = match self {
            Self::Firmware => Some([0; 4]),
            Self::Unmasked => None,
            Self::Arduino | Self::MicroPython => Some(chance.to_be_bytes()),
        };
        let bit = if mask.is_some() { 0x80 } else { 0 };
        let mut frame = vec![first];
        if let Ok(length @ ..126) = u8::try_from(payload.len()) {
            frame.push(bit | length);
        } else {
            frame.push(bit | LENGTH_FOLLOWS);
            let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        let Some(mask) = mask else {
            frame.extend_from_slice(payload);
            return frame;
        };
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }
}

/// What the server sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A command: its exact text.
    Command(Bytes),
    /// It closes the connection.
    Close,
    /// Something that the firmware would stumble over (§3). A sentence.
    Odd(String),
}

/// Takes the next thing from what came; `None` when it is not whole yet.
pub(super) fn hear(came: &mut BytesMut) -> Option<Heard> {
    let (first, length) = (*came.first()?, *came.get(1)?);
    let size = usize::from(length & 0x7F);
    let whole = came.len() >= 2 + size;
    match first {
        TEXT if !(1..126).contains(&length) => {
            came.clear();
            Some(Heard::Odd(format!("a text frame whose second byte is {length:#04x}")))
        }
        TEXT if whole => {
            came.advance(2);
            Some(heard(came.split_to(size).freeze()))
        }
        CLOSE if whole => {
            came.clear();
            Some(Heard::Close)
        }
        TEXT | CLOSE => None,
        _ => {
            came.clear();
            Some(Heard::Odd(format!("a frame that begins with {first:#04x}, which the firmware skips")))
        }
    }
}

/// A text as the firmware reads it: a whole number, a comma, a word that is a number (§5).
fn heard(text: Bytes) -> Heard {
    let shown = String::from_utf8_lossy(&text).into_owned();
    let read = shown.split_once(',').and_then(|(number, value)| {
        let value = value.split_ascii_whitespace().next()?;
        Some((number.parse::<u16>().ok()?, value.parse::<f64>().ok()?))
    });
    match read {
        Some((1.., value)) if value.is_finite() => Heard::Command(text),
        Some(_) | None => Heard::Odd(format!("the text `{shown}`, which is no command")),
    }
}

/// One whole text message.
pub(super) const TEXT: u8 = 0x81;
pub(super) const BINARY: u8 = 0x82;
pub(super) const CLOSE: u8 = 0x88;
/// A message that goes on in another frame, and the end of one.
pub(super) const TEXT_BEGINS: u8 = 0x01;
pub(super) const ENDS: u8 = 0x80;
/// The length is in the two bytes that follow.
const LENGTH_FOLLOWS: u8 = 0x7E;
/// The code of an end in order.
pub(super) const CLOSE_NORMAL: [u8; 2] = 1000_u16.to_be_bytes();
/// A key and the accept value that answers it: the firmware's (§2), and that of RFC 6455 §1.3.
const FIRMWARE: (&str, &str) = ("L159VM0TWUzyDxwJEIEzjw==", "DdLWT/1JcX+nQFHebYP+rqEx5xI=");
const RFC_6455: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// One more than the longest answer there may be (§2).
const FIRST_READ_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_page() {
        let said = Client::Firmware.frame(TEXT, b"5,17,31.25", 9);
        assert_eq!(said, *b"\x81\x8A\0\0\0\x005,17,31.25");
        assert_eq!(Client::Unmasked.frame(TEXT, b"5", 9), *b"\x81\x015");
        assert_eq!(Client::Arduino.frame(TEXT, b"5", 0x0100_0000), *b"\x81\x81\x01\0\0\x004");
        let long = Client::Firmware.frame(TEXT, &[b'1'; 200], 0);
        assert!(long.starts_with(&[0x81, 0xFE, 0, 200, 0, 0, 0, 0]) && long.len() == 208);
    }

    #[test]
    fn commands_are_read_and_what_the_firmware_would_skip_is_odd() {
        let hear = |bytes: &[u8]| {
            let mut came = BytesMut::from(bytes);
            let mut all = Vec::new();
            while let Some(heard) = hear(&mut came) {
                all.push(heard);
            }
            (all, came.len())
        };
        let command = |text: &'static str| Heard::Command(Bytes::from(text));
        assert_eq!(hear(b"\x81\x031,1\x81\x091, 0.500"), (vec![command("1,1")], 10));
        assert_eq!(hear(b"\x81\x071, 0.50\x88\x02\x03\xE8"), (vec![command("1, 0.50"), Heard::Close], 0));
        for odd in [&b"\x82\x031,1"[..], b"\x01\x031,1", b"\x89\x00", b"\x81\x00", b"\x81\x83\0\0\0\x001,1"] {
            assert!(matches!(hear(odd).0.as_slice(), [Heard::Odd(_)]), "{odd:02x?}");
        }
        for odd in ["0,1", "1", "1,x", "LED,1", "1,inf"] {
            assert!(matches!(heard(Bytes::from(odd)), Heard::Odd(_)), "{odd}");
        }
    }

    #[test]
    fn an_answer_is_judged_as_the_firmware_would() {
        let answer = |more: &str| {
            format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {}\r\n{more}\r\n", FIRMWARE.1)
        };
        let short = answer("");
        assert_eq!(Client::Firmware.accepts(short.as_bytes()), Ok(short.len()));
        assert!(Client::Arduino.accepts(short.as_bytes()).is_err(), "another key has another accept value");
        let long = answer(&format!("X-Padding: {}\r\n", "x".repeat(120)));
        assert!(Client::Firmware.accepts(long.as_bytes().get(..200).unwrap()).is_err());
        assert!(Client::Firmware.accepts(b"HTTP/1.1 403 Forbidden\r\n\r\n").is_err());
    }
}
