//! What holds whatever is uploaded. The property tests and the fuzzer (`tests/fuzz/node.rs`) both ask this.

use super::body::{self, Fault};
use super::grammar::NUMBERS_MAX;
use super::readings;
use super::settings::TswarmSettings;

/// Any bytes as the body of an upload.
///
/// # Panics
/// When a truth does not hold.
pub fn body(input: &[u8]) {
    let said = match body::read(input) {
        Ok(said) => said,
        Err(Fault::Empty) => return assert!(input.trim_ascii().is_empty()),
        Err(_) => return,
    };
    assert!(said.name.as_deref().is_none_or(body::is_name), "a name can be a device's address");
    let numbers = &said.data.numbers;
    assert!((1..=NUMBERS_MAX).contains(&numbers.len()));
    assert!(numbers.iter().any(Option::is_some), "something was measured");
    assert!(numbers.iter().flatten().all(|number| number.is_finite()));
    let flags = readings::flags(&said, &TswarmSettings::default());
    let stored = readings::readings(&said, &flags);
    assert_eq!(stored.len(), numbers.len() + usize::from(!flags.is_empty()));
    assert!(stored.iter().all(|one| (1..=64).contains(&one.sensor.len())));
    assert_eq!(body::read(input).as_ref(), Ok(&said), "the same bytes say the same");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::body as reader;

    /// A node's body with a piece cut out, put in, or turned.
    fn like_an_upload() -> impl Strategy<Value = Vec<u8>> {
        const BODY: &[u8] = br#"{"name":"node1","data":"23 45"}"#;
        let piece = prop_oneof![
            Just("nan".to_owned()),
            Just(r#","data":[1,null,"2 %"]"#.to_owned()),
            Just(r#"{"t":1e400}"#.to_owned()),
            Just("\u{f6}\u{20ac}".to_owned()),
            "[{}\\[\\]\":, 0-9.eE+%/\\\\a-zA-Z-]{0,16}",
        ];
        (0..=BODY.len(), 0..20_usize, piece).prop_map(|(at, cut, piece)| {
            let end = (at + cut).min(BODY.len());
            [&BODY[..at], piece.as_bytes(), &BODY[end..]].concat()
        })
    }

    proptest! {
        #[test]
        fn of_uploads(input in prop_oneof![like_an_upload(), proptest::collection::vec(any::<u8>(), 0..256)]) {
            super::body(&input);
        }

        /// A library that counts characters loses the end of what it sends: a number that lost a digit is never taken.
        #[test]
        fn no_digit_is_lost(name in "[a-zäöüé€]{1,12}", t in -40..120_i32, h in 0..=100_i32) {
            let whole = format!("{{\"name\":\"{name}\",\"data\":\"{t} {h}\"}}");
            let sent = &whole.as_bytes()[..whole.chars().count()];
            if let Ok(said) = reader::read(sent) {
                prop_assert_eq!(said.data.numbers, [Some(f64::from(t)), Some(f64::from(h))]);
                prop_assert_eq!(said.name, Some(name));
            }
        }
    }
}
