//! The message's checksum: CRC-16/IBM-3740 over the exact text with the four digits read as `0000`
//! (`cwm-oke.md §5.1`).

use std::ops::Range;

use crc::{CRC_16_IBM_3740, Crc, Table};

use super::names::CrcCase;

/// The checksum of a text whose four digits stand at `digits`. The text ends at its closing brace: no NUL.
pub(super) fn over(text: &[u8], digits: Range<usize>) -> u16 {
    let mut digest = ALGORITHM.digest();
    digest.update(text.get(..digits.start).unwrap_or_default());
    digest.update(b"0000");
    digest.update(text.get(digits.end..).unwrap_or_default());
    digest.finalize()
}

/// The checksum of a text as it stands.
pub(super) fn plain(text: &[u8]) -> u16 {
    ALGORITHM.checksum(text)
}

/// The four digits as written.
pub(super) fn digits(crc: u16, case: CrcCase) -> String {
    match case {
        CrcCase::Upper => format!("{crc:04X}"),
        CrcCase::Lower => format!("{crc:04x}"),
    }
}

/// Reads exactly four hex digits of either case.
pub(super) fn parse(digits: &[u8]) -> Option<u16> {
    if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Sixteen bytes a step: a table of 8 KiB.
static ALGORITHM: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_IBM_3740);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_check_value_holds() {
        assert_eq!(plain(b"123456789"), 0x29B1); // cwm-oke.md §5.1
    }

    #[test]
    fn four_hex_digits_and_nothing_else_are_read() {
        assert_eq!(parse(b"0aF1"), Some(0x0AF1));
        for bad in [&b""[..], b"AF1", b"00AF1", b"+AF1", b"0xF1", b"GGGG", b"\xff\xff\xff\xff"] {
            assert_eq!(parse(bad), None);
        }
        assert_eq!(digits(0x59, CrcCase::Upper), "0059");
        assert_eq!(digits(0xAB, CrcCase::Lower), "00ab");
    }
}
