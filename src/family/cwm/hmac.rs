//! `sha256hmac`: proves who made a request and that nobody changed it (`cwm-oke.md §2.2`). Pure.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::KeySpelling;

/// The spelling of the key under which `stated` is the HMAC of `text`: the one that held before is tried first.
/// `None` when it is under none. Compares in constant time; letter case of the digits does not count.
pub(super) fn holds(stated: &[u8], text: &[u8], key: &str, held: Option<KeySpelling>) -> Option<KeySpelling> {
    let stated = digits(stated.trim_ascii()).filter(|bytes| bytes.len() == 32)?;
    let others = KeySpelling::ALL.into_iter().filter(|spelling| Some(*spelling) != held);
    held.into_iter().chain(others).find(|spelling| {
        let mac = bytes(key, *spelling).and_then(|key| Hmac::<Sha256>::new_from_slice(&key).ok());
        mac.is_some_and(|mac| mac.chain_update(text).verify_slice(&stated).is_ok())
    })
}

/// The key's bytes; `None` when its text is not so spelt.
fn bytes(key: &str, spelling: KeySpelling) -> Option<Vec<u8>> {
    let bytes = match spelling {
        KeySpelling::Text => key.as_bytes().to_vec(),
        KeySpelling::Hex => digits(key.as_bytes())?,
        KeySpelling::Base64 => {
            [&STANDARD, &URL_SAFE].into_iter().find_map(|alphabet| alphabet.decode(key).ok())?
        }
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// Pairs of hex digits of either case, and nothing else.
fn digits(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const REQ: &[u8] = br#"{"devid":"0002010203040506","ts":"2020-09-16T12:13:47","lokm":true}"#;
    const HMAC: &[u8] = b"e089c5df8f2fec8e678e17438934f3cc25de782e37c0e9fd711243295e8803fb";

    /// The HMAC of the same text under other readings of the key, by Python's `hmac`.
    const UNDER_HEX: &[u8] = b"508e79d433d6997359670885d6456df313fb4f3b4a12ef49d5b41fa9f48ad870";
    const UNDER_BASE64: &[u8] = b"1582370e2b6a6334b6528cd6bc266ceb74f729744acdbefb30acc5a2eb763530";

    #[test]
    fn the_vector_of_the_protocol_page_holds() {
        assert_eq!(holds(HMAC, REQ, KEY, None), Some(KeySpelling::Text)); // cwm-oke.md §12
    }

    #[test]
    fn a_key_is_tried_in_three_spellings_whichever_held_before() {
        for (stated, spelling) in
            [(HMAC, KeySpelling::Text), (UNDER_HEX, KeySpelling::Hex), (UNDER_BASE64, KeySpelling::Base64)]
        {
            for held in [None, Some(KeySpelling::Text), Some(KeySpelling::Hex), Some(KeySpelling::Base64)] {
                assert_eq!(holds(stated, REQ, KEY, held), Some(spelling));
            }
        }
    }

    #[test]
    fn letter_case_does_not_count_and_every_byte_of_the_text_does() {
        assert!(holds(&HMAC.to_ascii_uppercase(), REQ, KEY, None).is_some());
        assert_eq!(holds(HMAC, &REQ[1..], KEY, None), None);
        assert_eq!(holds(HMAC, REQ, "another key", None), None);
        assert_eq!(holds(HMAC, REQ, "", None), None);
    }

    #[test]
    fn what_is_no_hmac_holds_under_no_key() {
        for stated in [&b""[..], b"00", &HMAC[1..], b"zz", &[0xFF; 64], &[b'0'; 66]] {
            assert_eq!(holds(stated, REQ, KEY, None), None);
        }
    }
}
