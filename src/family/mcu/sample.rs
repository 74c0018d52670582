//! A board's message → its number and its values (`websocket-mcu.md §4, §9`). Pure.

use crate::model::Value;

/// What one message says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// The board's number: 0 to 999,999.
    pub(super) id: u32,
    /// What stands behind it, in its order.
    pub(super) fields: Vec<Field>,
    /// Fields beyond the most there may be.
    pub(super) beyond: usize,
}

/// One field behind the number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    /// A finite number.
    Number(Value),
    /// Nothing stands there.
    Empty,
    /// Something stands there that is no finite number.
    Bad(String),
}

/// Why a message is nobody's. It is kept and counted, and the connection stays (§9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The first field is no whole number.
    #[error("its first field is not the board's number")]
    NoNumber,
    /// The number is below zero.
    #[error("the board's number is negative")]
    Negative,
    /// The number has more digits than there may be.
    #[error("the board's number is over 999999")]
    TooLarge,
}

/// Reads a message; `None` when there is nothing in it but blanks. At most `fields_max` fields count, the number among
/// them.
pub(super) fn read(bytes: &[u8], fields_max: usize) -> Result<Option<Sample>, Fault> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|letter: char| matches!(letter, ' ' | '\t' | '\r' | '\n' | '\0'));
    if text.is_empty() {
        return Ok(None);
    }
    let separator = separator(text);
    // A board may end its line with one.
    let text = text.strip_suffix(separator).unwrap_or(text);
    let mut fields = text.split(separator).map(|field| field.trim_matches([' ', '\t']));
    let id = number(fields.next().unwrap_or_default())?;
    let mut sample = Sample { id, fields: Vec::new(), beyond: 0 };
    for text in fields {
        if sample.fields.len() + 1 < fields_max {
            sample.fields.push(field(text));
        } else {
            sample.beyond += 1;
        }
    }
    Ok(Some(sample))
}

/// A comma; only where there is none, something else may stand for it.
fn separator(text: &str) -> char {
    [',', ';', '\t'].into_iter().find(|letter| text.contains(*letter)).unwrap_or(',')
}

fn number(text: &str) -> Result<u32, Fault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::NoNumber);
    }
    if text.starts_with('-') {
        return Err(Fault::Negative);
    }
    if digits.len() > NUMBER_DIGITS_MAX {
        return Err(Fault::TooLarge);
    }
    digits.parse().map_err(|_| Fault::TooLarge)
}

fn field(text: &str) -> Field {
    if text.is_empty() {
        return Field::Empty;
    }
    decimal(text).map_or_else(|| Field::Bad(text.chars().take(BAD_CHARS_MAX).collect()), Field::Number)
}

/// A finite number in digits, with sign, point and exponent as a C program writes them. A whole number stays one as
/// long as it fits.
pub(super) fn decimal(text: &str) -> Option<Value> {
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(allowed) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Integer(whole));
    }
    text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::Real)
}

/// `999999` has so many (§4).
const NUMBER_DIGITS_MAX: usize = 6;
/// So much of what is no number is shown to people.
const BAD_CHARS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(number: i64) -> Field {
        Field::Number(Value::Integer(number))
    }

    fn real(number: f64) -> Field {
        Field::Number(Value::Real(number))
    }

    fn sample(id: u32, fields: &[Field]) -> Sample {
        Sample { id, fields: fields.to_vec(), beyond: 0 }
    }

    #[test]
    fn what_boards_send_is_read() {
        let cases: &[(&str, Sample)] = &[
            ("5,17,31.25", sample(5, &[whole(17), real(31.25)])),
            ("5, 17, 31.250", sample(5, &[whole(17), real(31.25)])),
            (" 5 ,\t17 , 31.25 \r\n\0", sample(5, &[whole(17), real(31.25)])),
            ("005,17.000000,31.250000,0.5", sample(5, &[real(17.0), real(31.25), real(0.5)])),
            ("+5,+17,-3.5e1", sample(5, &[whole(17), real(-35.0)])),
            ("5;17;31.25", sample(5, &[whole(17), real(31.25)])),
            ("5\t17\t31.25", sample(5, &[whole(17), real(31.25)])),
            ("5,17;18", sample(5, &[Field::Bad("17;18".to_owned())])),
            ("5,17,31.25,", sample(5, &[whole(17), real(31.25)])),
            ("5,,31.25", sample(5, &[Field::Empty, real(31.25)])),
            ("5", sample(5, &[])),
            ("5,", sample(5, &[])),
            ("0,1", sample(0, &[whole(1)])),
            ("999999,1", sample(999_999, &[whole(1)])),
        ];
        for (text, wanted) in cases {
            assert_eq!(read(text.as_bytes(), 32).as_ref(), Ok(&Some(wanted.clone())), "{text:?}");
        }
    }

    #[test]
    fn a_bad_field_spoils_no_other() {
        for bad in ["abc", "nan", "inf", "-inf", "1e999", "0x10", "1 2", "--1", "1.2.3", "é"] {
            let text = format!("5,17,{bad},2");
            let wanted = sample(5, &[whole(17), Field::Bad(bad.to_owned()), whole(2)]);
            assert_eq!(read(text.as_bytes(), 32), Ok(Some(wanted)), "{text}");
        }
        let Ok(Some(read)) = read(b"5,\xff\xfe,2", 32) else { panic!("not read") };
        assert!(matches!(read.fields.as_slice(), [Field::Bad(_), Field::Number(_)]));
    }

    #[test]
    fn nobodys_messages_are_refused_and_empty_ones_ignored() {
        let cases: &[(&str, Fault)] = &[
            ("abc,1,2", Fault::NoNumber),
            ("1.0,1,2", Fault::NoNumber),
            (",1,2", Fault::NoNumber),
            ("5 6,1", Fault::NoNumber),
            ("-5,1,2", Fault::Negative),
            ("1000000,1,2", Fault::TooLarge),
            ("99999999999999999999,1", Fault::TooLarge),
        ];
        for (text, fault) in cases {
            assert_eq!(read(text.as_bytes(), 32), Err(*fault), "{text}");
        }
        for empty in ["", " ", "\r\n", "\0"] {
            assert_eq!(read(empty.as_bytes(), 32), Ok(None));
        }
    }

    #[test]
    fn fields_beyond_the_most_are_counted() {
        let text = (0..40).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let read = read(text.as_bytes(), 32).unwrap().unwrap();
        assert_eq!((read.fields.len(), read.beyond), (31, 8));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(0_u8..=255, 0..600)) {
            if let Ok(Some(sample)) = read(&bytes, 32) {
                assert!(sample.id <= 999_999 && sample.fields.len() < 32);
            }
        }

        #[test]
        fn what_is_written_is_read_back(id in 0_u32..1_000_000, count in 0_i64..1_000_000, temperature in -40.0_f64..125.0) {
            let read = read(format!("{id}, {count}, {temperature:.3}").as_bytes(), 32).unwrap().unwrap();
            assert_eq!(read.id, id);
            assert_eq!(read.fields[0], whole(count));
            assert_eq!(read.fields.len(), 2);
        }
    }
}
