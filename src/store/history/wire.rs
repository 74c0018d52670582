//! Bytes of a page: numbers, texts, and what reads them again. What reads accepts exactly what was written.

/// A stretch of bytes that is read from its front. Every reader is `None` at the first thing that is not as it was
/// written.
#[derive(Clone, Copy)]
pub(in crate::store) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(in crate::store) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing is left.
    pub(in crate::store) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub(in crate::store) const fn len(self) -> usize {
        self.0.len()
    }

    pub(in crate::store) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(in crate::store) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number as [`put`] wrote it: seven bits a byte, the low ones first, in as few bytes as it needs.
    pub(in crate::store) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if place == 9 && bits > 1 {
                return None;
            }
            number |= bits << (7 * place);
            if byte & 0x80 == 0 {
                // A last byte of nothing would be a second spelling.
                return (byte != 0 || place == 0).then_some(number);
            }
        }
        None
    }

    /// A number that counts something, at most `max`.
    pub(in crate::store) fn count(&mut self, max: usize) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= max)
    }

    pub(in crate::store) fn signed(&mut self) -> Option<i64> {
        self.number().map(unfold)
    }

    pub(in crate::store) fn text(&mut self) -> Option<&'a str> {
        let length = self.count(self.0.len())?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

pub(in crate::store) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

pub(in crate::store) fn put_count(out: &mut Vec<u8>, count: usize) {
    put(out, count as u64);
}

pub(in crate::store) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, fold(number));
}

pub(in crate::store) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend(text.as_bytes());
}

/// How many bytes [`put`] makes of a number.
pub(in crate::store) const fn length(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Small numbers of either sign become small ones without: 0, -1, 1, -2 …
pub(in crate::store) const fn fold(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

const fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

pub(in crate::store) const fn low_byte(number: u64) -> u8 {
    (number & 0xff) as u8
}
