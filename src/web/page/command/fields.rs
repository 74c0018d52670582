//! A payload as fields to fill in: what an example has in it says what each field takes.

use serde_json::{Number, Value};

use crate::web::error::WebError;

/// One place of a payload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// Where it stands, as a JSON pointer.
    pub(super) pointer: String,
    /// The same for people.
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) value: String,
    /// What other examples of the same command have there.
    pub(super) choices: Vec<String>,
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Truth,
    Text,
}

/// The fields of an example, in its order. `others` are examples of the same command.
pub(super) fn of(example: &Value, others: &[Value]) -> Vec<Field> {
    let mut fields = Vec::new();
    walk(example, String::new(), &mut |pointer, kind, value| {
        let mut choices: Vec<String> = Vec::new();
        let known = std::iter::once(example).chain(others).filter_map(|other| other.pointer(&pointer));
        for known in known.filter_map(plain) {
            if !choices.contains(&known) {
                choices.push(known);
            }
        }
        if choices.len() < 2 || kind == Kind::Truth {
            choices.clear();
        }
        let label = pointer.trim_start_matches('/').replace('/', " › ").replace("~1", "/").replace("~0", "~");
        let label = if label.is_empty() { "value".to_owned() } else { label };
        fields.push(Field { pointer, label, kind, value, choices });
    });
    fields
}

/// The example with what was typed in its place. What was left out stays as it was.
///
/// # Errors
/// Names the field whose text is not of its kind.
pub(super) fn filled(example: &Value, typed: &[(String, String)]) -> Result<Value, WebError> {
    let mut payload = example.clone();
    for field in of(example, &[]) {
        let Some((_, text)) = typed.iter().find(|(pointer, _)| *pointer == field.pointer) else { continue };
        let text = text.trim();
        let wrong = |what: &str| WebError::field("payload", format!("{} takes {what}", field.label));
        let value = match field.kind {
            Kind::Number => Value::Number(text.parse::<Number>().map_err(|_| wrong("a number"))?),
            Kind::Truth => Value::Bool(text.parse().map_err(|_| wrong("true or false"))?),
            Kind::Text => Value::String(text.to_owned()),
        };
        if let Some(place) = payload.pointer_mut(&field.pointer) {
            *place = value;
        }
    }
    Ok(payload)
}

fn walk(value: &Value, pointer: String, each: &mut impl FnMut(String, Kind, String)) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(member, format!("{pointer}/{name}"), each);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                walk(item, format!("{pointer}/{place}"), each);
            }
        }
        Value::Number(number) => each(pointer, Kind::Number, number.to_string()),
        Value::Bool(truth) => each(pointer, Kind::Truth, truth.to_string()),
        Value::String(text) => each(pointer, Kind::Text, text.clone()),
        // Nothing to type there.
        Value::Null | Value::Object(_) | Value::Array(_) => {}
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Object(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_example_says_what_each_field_takes() {
        let port = json!({"oke": {"port": "232", "baud": 115_200, "on": true}});
        let others = [json!({"oke": {"port": "485"}}), json!({"oke": {"port": "232"}}), json!({"cmd": 1})];
        let fields = of(&port, &others);
        let told: Vec<_> = fields.iter().map(|field| (field.label.as_str(), field.kind)).collect();
        assert_eq!(
            told,
            [("oke › port", Kind::Text), ("oke › baud", Kind::Number), ("oke › on", Kind::Truth)]
        );
        assert_eq!(fields[0].choices, ["232", "485"]);
        assert!(fields[1].choices.is_empty());
    }

    #[test]
    fn a_payload_keeps_its_order_and_what_was_not_typed() {
        let port = json!({"oke": {"port": "232", "baud": 115_200}, "a": [1, false]});
        let typed = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let some = typed(&[("/oke/baud", " 9600 "), ("/a/1", "true"), ("/no/such", "1")]);
        let filled_in = filled(&port, &some).unwrap().to_string();
        assert_eq!(filled_in, r#"{"oke":{"port":"232","baud":9600},"a":[1,true]}"#);
        for (pointer, text) in [("/oke/baud", "fast"), ("/oke/baud", ""), ("/a/1", "maybe")] {
            assert!(filled(&port, &typed(&[(pointer, text)])).is_err(), "{pointer}: {text}");
        }
    }

    #[test]
    fn a_bare_value_and_strange_names_are_fields_too() {
        assert_eq!(of(&json!("7000,270"), &[])[0].label, "value");
        assert_eq!(filled(&json!("x"), &[(String::new(), "y".to_owned())]).unwrap(), json!("y"));
        let odd = json!({"a/b~c": 1});
        let field = &of(&odd, &[])[0];
        assert_eq!((field.label.as_str(), field.pointer.as_str()), ("a/b~c", "/a~1b~0c"));
        assert_eq!(filled(&odd, &[(field.pointer.clone(), "2".to_owned())]).unwrap(), json!({"a/b~c": 2}));
    }
}
