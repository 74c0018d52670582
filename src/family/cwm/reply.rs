//! Answers, byte for byte: no white space, `okm` before `pull` (`cwm-oke.md §3.2, §3.3`). Pure.

use std::borrow::Cow;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::names::CwmNames;

/// The answer to a push.
pub(super) fn pushed(names: &CwmNames, taken: bool, pending: bool) -> Bytes {
    let word = |truth| if truth { "true" } else { "false" };
    let parts =
        ["{", &*quoted(&names.push), ":", word(taken), ",", &*quoted(&names.pull), ":", word(pending), "}"];
    Bytes::from(parts.concat())
}

/// The answer to a pull when nothing is queued, and the vendor's own check of a fresh server.
pub(super) fn nothing(names: &CwmNames) -> Bytes {
    Bytes::from(format!("{{{}:false}}", quoted(&names.pull)))
}

/// The answer to a pull with a message: the very bytes its checksum was made over.
pub(super) fn message(names: &CwmNames, okm: &[u8], more: bool) -> Bytes {
    let mut answer = BytesMut::with_capacity(okm.len() + 32);
    answer.put_slice(format!("{{{}:", quoted(&names.okm)).as_bytes());
    answer.put_slice(okm);
    answer.put_slice(format!(",{}:{more}}}", quoted(&names.pull)).as_bytes());
    answer.freeze()
}

fn quoted(name: &str) -> Cow<'static, str> {
    match name {
        // As they are unless an owner changed them.
        "push" => Cow::Borrowed("\"push\""),
        "pull" => Cow::Borrowed("\"pull\""),
        "okm" => Cow::Borrowed("\"okm\""),
        other => Cow::Owned(serde_json::Value::from(other).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_no_space_in_them() {
        let names = CwmNames::default();
        assert_eq!(pushed(&names, true, false), r#"{"push":true,"pull":false}"#);
        assert_eq!(pushed(&names, true, true), r#"{"push":true,"pull":true}"#);
        assert_eq!(nothing(&names), r#"{"pull":false}"#);
        assert_eq!(message(&names, b"{\"_id\":1}", true), r#"{"okm":{"_id":1},"pull":true}"#);
    }
}
