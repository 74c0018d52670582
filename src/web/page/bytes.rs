//! Exact bytes as people read them: as text, and in hex beside it. Pure.

use std::fmt::Write as _;

/// Bytes of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// The beginning, in one line.
    pub(super) brief: String,
    /// As text; what is no text is a mark.
    pub(super) text: String,
    /// Sixteen to a line: the place of the first, each in hex, and as a letter.
    pub(super) hex: String,
    /// Bytes that are not shown.
    pub(super) more: usize,
}

impl Bytes {
    /// Shows bytes.
    pub(super) fn of(raw: &[u8]) -> Self {
        let shown = raw.get(..SHOWN_MAX).unwrap_or(raw);
        let text = String::from_utf8_lossy(shown).into_owned();
        let mut brief: String = text
            .chars()
            .take(BRIEF_CHARS)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        if brief.len() < text.len() {
            brief.push('…');
        }
        Self { brief, text, hex: hex(shown), more: raw.len() - shown.len() }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 5);
    for (line, row) in bytes.chunks(ROW).enumerate() {
        // A string takes whatever is written to it.
        let _ = write!(out, "{:04x} ", line * ROW);
        for byte in row {
            let _ = write!(out, " {byte:02x}");
        }
        let _ = write!(out, "{:pad$}  ", "", pad = (ROW - row.len()) * 3);
        out.extend(row.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }));
        out.push('\n');
    }
    out
}

const ROW: usize = 16;
/// More of a message is a link away.
const SHOWN_MAX: usize = 1024;
const BRIEF_CHARS: usize = 140;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_and_hex() {
        let bytes = Bytes::of(b"GET \xff\r\n12345678abc");
        assert_eq!(bytes.text, "GET \u{fffd}\r\n12345678abc");
        assert_eq!(bytes.brief, "GET \u{fffd}  12345678abc");
        assert_eq!(
            bytes.hex,
            "0000  47 45 54 20 ff 0d 0a 31 32 33 34 35 36 37 38 61  GET ...12345678a\n\
             0010  62 63                                            bc\n"
        );
        assert_eq!(bytes.more, 0);
    }

    #[test]
    fn a_long_message_is_cut() {
        let bytes = Bytes::of(&[b'x'; 3000]);
        assert_eq!((bytes.more, bytes.hex.lines().count(), bytes.text.len()), (1976, 64, 1024));
        assert_eq!(bytes.brief.chars().count(), BRIEF_CHARS + 1);
        assert_eq!(Bytes::of(b""), Bytes::default());
    }
}
