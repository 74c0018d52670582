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
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => match tail {
                [high, low, after @ ..] if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            b'+' if plus == Plus::Space => out.push(b' '),
            other => out.push(other),
        }
    }
    out
}

/// Splits `a=1&b=2` into raw pairs: neither side decoded, order and repetition kept. A part without `=` has an
/// empty value; empty parts are left out.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|&byte| byte == b'&').filter(|part| !part.is_empty()).map(|part| {
        let mut halves = part.splitn(2, |&byte| byte == b'=');
        (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
    })
}

/// The raw value of the first pair with this name, which is compared after decoding.
pub fn raw<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    pairs(text).find(|(key, _)| decode(key, Plus::Space) == name.as_bytes()).map(|(_, value)| value)
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

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
