//! Answers that an owner may write: JSON with places to be filled (`cwm-oke.md §3.1, §3.4`). Pure.

use serde::de::IgnoredAny;

/// Fills the places of a template: `{name}` becomes the value, escaped as the inside of a JSON string, so that line
/// ends are `\n`. Anything else in braces is JSON and stays.
///
/// # Errors
/// The name of a place that `value` does not know.
pub(super) fn fill<'v>(
    template: &str,
    value: impl Fn(&str) -> Option<std::borrow::Cow<'v, str>>,
) -> Result<String, String> {
    let mut answer = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        answer.push_str(before);
        let width = after.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
        match after.split_at_checked(width) {
            Some((name, tail)) if width > 0 && tail.starts_with('}') => {
                let value = value(name).ok_or_else(|| name.to_owned())?;
                let quoted = serde_json::Value::from(value).to_string();
                answer.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
                rest = tail.get(1..).unwrap_or_default();
            }
            _ => {
                answer.push('{');
                rest = after;
            }
        }
    }
    answer.push_str(rest);
    Ok(answer)
}

/// Says what is wrong with a template, before a device meets it.
///
/// # Errors
/// A place that has another name than these, or a text that is no JSON when its places are filled.
pub(super) fn check(template: &str, places: &[&str]) -> Result<(), String> {
    let sample = |name: &str| places.contains(&name).then_some(std::borrow::Cow::Borrowed("0"));
    let filled = fill(template, sample).map_err(|name| {
        let known: Vec<String> = places.iter().map(|place| format!("{{{place}}}")).collect();
        format!("there is no {{{name}}}: use {}", known.join(", "))
    })?;
    match serde_json::from_str::<IgnoredAny>(&filled) {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(format!("it is not JSON when filled: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        fill(template, |name| match name {
            "ts" => Some("2024-03-01T12:00:00".into()),
            "client_cert" => Some("-----BEGIN \"X\"-----\nAA\\\n".into()),
            _ => None,
        })
    }

    #[test]
    fn places_are_filled_and_json_stays() {
        assert_eq!(
            filled(r#"{"t":"{ts}","c":"{client_cert}","e":{},"n":{"{x":1}}"#).unwrap(),
            r#"{"t":"2024-03-01T12:00:00","c":"-----BEGIN \"X\"-----\nAA\\\n","e":{},"n":{"{x":1}}"#
        );
        assert_eq!(filled("").unwrap(), "");
        assert_eq!(filled("{ts").unwrap(), "{ts");
        assert_eq!(filled("{").unwrap(), "{");
    }

    #[test]
    fn a_value_is_not_filled_again() {
        assert_eq!(fill(r#""{a}""#, |_| Some("{a}".into())).unwrap(), r#""{a}""#);
    }

    #[test]
    fn a_fault_is_named() {
        assert_eq!(filled(r#"{"a":"{nothing}"}"#), Err("nothing".to_owned()));
        assert!(check(r#"{"a":"{ts}"}"#, &["ts"]).is_ok());
        assert!(check(r#"{"a":"{tz}"}"#, &["ts", "utc"]).unwrap_err().contains("use {ts}, {utc}"));
        assert!(check(r#"{"a":{ts}"#, &["ts"]).unwrap_err().contains("not JSON"));
    }

    proptest::proptest! {
        #[test]
        fn any_value_stays_json(value: String) {
            let answer = fill(r#"{"a":"{a}"}"#, |_| Some(value.as_str().into())).unwrap();
            let read: serde_json::Value = serde_json::from_str(&answer).unwrap();
            proptest::prop_assert_eq!(read["a"].as_str(), Some(value.as_str()));
        }

        #[test]
        fn any_template_is_survived(template: String) {
            drop(check(&template, &["a"]));
        }
    }
}
