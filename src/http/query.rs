//! Tolerant reading of query strings and forms: nothing is refused, and the exact bytes are kept.

/// What a `+` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plus {
    /// A plus sign.
    Literal,
    /// A space, as browsers send it.
    Space,
}

/// Decodes percent-escapes once. An escape that is none stays as it is.
pub fn decode(text: &[u8], plus: Plus) -> Vec<u8> {
    let mut out = vec![0; text.len()];
    let mut filled = 0;
    let mut places = out.iter_mut();
    let mut rest = text;
    while let (Some((&first, tail)), Some(place)) = (rest.split_first(), places.next()) {
        (*place, rest) = match (first, tail) {
            (b'%', [high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                (value(*high) << 4 | value(*low), after)
            }
            (b'+', _) if plus == Plus::Space => (b' ', tail),
            _ => (first, tail),
        };
        filled += 1;
    }
    out.truncate(filled);
    out
}

/// Writes text as a part of a path or a query: everything but unreserved characters as escapes.
pub fn escape(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |four: u8| DIGITS.get(usize::from(four & 15)).map_or('0', |digit| char::from(*digit));
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', digit(byte >> 4), digit(byte)]);
        }
    }
    out
}

/// Splits `a=1&b=2` into raw pairs: neither side decoded, order and repetition kept. A part without `=` has an
/// empty value; empty parts are left out.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = Some(text);
    let parts = std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b'&', text);
        rest = end.and_then(|end| text.get(end + 1..));
        text.get(..end.unwrap_or(text.len()))
    });
    parts.filter(|part| !part.is_empty()).map(|part| match memchr::memchr(b'=', part) {
        Some(at) => (part.get(..at).unwrap_or_default(), part.get(at + 1..).unwrap_or_default()),
        None => (part, &[][..]),
    })
}

/// The raw value of the first pair with this name, which is compared after decoding.
pub fn raw<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let called = |key: &[u8]| {
        let plain = memchr::memchr2(b'%', b'+', key).is_none();
        if plain { key == name.as_bytes() } else { decode(key, Plus::Space) == name.as_bytes() }
    };
    pairs(text).find(|(key, _)| called(key)).map(|(_, value)| value)
}

fn is_hex(byte: u8) -> bool {
    value(byte) < 16
}

/// The value of a byte that [`is_hex`].
fn value(byte: u8) -> u8 {
    HEX.get(usize::from(byte)).copied().unwrap_or(16)
}

/// The value of each byte that is a hexadecimal digit; 16 for others.
#[expect(clippy::indexing_slicing, reason = "made by the compiler, which would say so")]
static HEX: [u8; 256] = {
    let mut all = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        all[b"0123456789abcdef"[digit as usize] as usize] = digit;
        all[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_are_decoded_once_and_broken_ones_stay() {
        assert_eq!(decode(b"a%2Bb+c", Plus::Literal), b"a+b+c");
        assert_eq!(decode(b"a%2Bb+c", Plus::Space), b"a+b c");
        assert_eq!(decode(b"%257B", Plus::Literal), b"%7B");
        assert_eq!(decode(b"100%", Plus::Literal), b"100%");
        assert_eq!(decode(b"%4", Plus::Literal), b"%4");
        assert_eq!(decode(b"%zz%41", Plus::Literal), b"%zzA");
    }

    #[test]
    fn text_is_escaped_for_paths_and_queries() {
        assert_eq!(escape("/a b?é"), "%2Fa%20b%3F%C3%A9");
        assert_eq!(escape("aZ09-._~"), "aZ09-._~");
    }

    #[test]
    fn pairs_keep_order_repetition_and_further_equal_signs() {
        let all: Vec<_> = pairs(b"a=1&&b&a=2=3&").collect();
        assert_eq!(all, [(&b"a"[..], &b"1"[..]), (b"b", b""), (b"a", b"2=3")]);
        assert_eq!(raw(b"x=1&r%65q=%7B%7D", "req"), Some(&b"%7B%7D"[..]));
        assert_eq!(raw(b"x=1", "req"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_survive_escaping(bytes: Vec<u8>) {
            let mut escaped = Vec::new();
            for byte in &bytes {
                escaped.push(b'%');
                escaped.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            }
            prop_assert_eq!(decode(&escaped, Plus::Space), bytes);
        }
    }
}
