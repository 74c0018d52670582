//! Tests of `body`: what is read of which bytes.

use serde_json::json;

use super::*;

fn one(text: &str) -> Json {
    of_kind(text, None)
}

fn of_kind(text: &str, kind: Option<&str>) -> Json {
    let parts = read(text.as_bytes(), kind).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
    assert_eq!(parts.len(), 1, "{text:?}");
    parts[0].value.clone()
}

#[test]
fn json_is_read_whatever_its_type_is_called() {
    for kind in [
        None,
        Some("application/json"),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("?"),
    ] {
        assert_eq!(of_kind("21.5", kind), json!(21.5));
        assert_eq!(of_kind(" {\"tmp\":26,\"light\":80}\r\n\0", kind), json!({"tmp": 26, "light": 80}));
    }
    assert_eq!(read(b"\xEF\xBB\xBF{\"a\":1}", None).unwrap()[0].value, json!({"a": 1}));
    assert_eq!(one("null"), json!(null));
    assert_eq!(one("true"), json!(true));
    assert_eq!(one("\"on\""), json!("on"));
}

#[test]
fn forms_lines_and_bare_numbers_are_read() {
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(of_kind("tmp=21.5&light=80", form), json!({"tmp": 21.5, "light": 80}));
    assert_eq!(one("tmp=21.5&light=80"), json!({"tmp": 21.5, "light": 80}));
    assert_eq!(of_kind("state=on+fire&n%61me=%C3%A9", form), json!({"state": "on fire", "name": "é"}));
    assert_eq!(
        one("tmp = 21.5\r\nstate = on fire\n\nlight=+80"),
        json!({"tmp": 21.5, "state": "on fire", "light": 80})
    );
    assert_eq!(
        one("on=true&off=false&gap=&none=null"),
        json!({"on": true, "off": false, "gap": null, "none": null})
    );
    assert_eq!(one("data={\"tmp\":1}&seq=7"), json!({"data": {"tmp": 1}, "seq": 7}));
    for (text, number) in [
        ("+21", json!(21)),
        (".5", json!(0.5)),
        ("5.", json!(5.0)),
        ("-1e3", json!(-1000.0)),
        ("007", json!(7)),
    ] {
        assert_eq!(one(text), number, "{text}");
    }
    assert!(is_not_finite(&one("a=nan")["a"]) && is_not_finite(&one("a=1e999")["a"]));
}

#[test]
fn numbers_that_are_none_are_found_and_strings_left_alone() {
    for none in ["NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"] {
        assert!(is_not_finite(&one(none)), "{none}");
        let read = one(&format!("{{\"a\":{none},\"NaN\":\"NaN, \\\"inf\",\"b\":[1,{none}]}}"));
        assert!(is_not_finite(&read["a"]) && is_not_finite(&read["b"][1]), "{read}");
        assert_eq!((&read["NaN"], &read["b"][0]), (&json!("NaN, \"inf"), &json!(1)));
    }
}

#[test]
fn a_batch_is_cut_into_its_records() {
    let body = "\u{FEFF} [ {\"a\": NaN} ,{\"b\":[1,2]},\n5]";
    let parts = read(body.as_bytes(), None).unwrap();
    let cut: Vec<_> = parts.iter().map(|part| &body[part.bytes.clone()]).collect();
    assert_eq!(cut, ["{\"a\": NaN}", "{\"b\":[1,2]}", "5"]);
    assert!(is_not_finite(&parts[0].value["a"]));
    assert_eq!((&parts[1].value, &parts[2].value), (&json!({"b": [1, 2]}), &json!(5)));
    // A list of values is one value.
    assert_eq!(one("[1,2,[3]]"), json!([1, 2, [3]]));
    assert_eq!(one("[]"), json!([]));
}

#[test]
fn what_cannot_be_read_is_named() {
    for empty in ["", " ", "\r\n", "\0"] {
        assert_eq!(read(empty.as_bytes(), None), Err(Fault::Empty));
    }
    for bad in [
        "{",
        "{\"a\":}",
        "{\"a\"=1}",
        "[1,",
        "\"x",
        "hello",
        "a=1\nb",
        "{'a':1}",
        "1 2",
        "{\"a\":1}{\"b\":2}",
    ] {
        assert!(matches!(read(bad.as_bytes(), None), Err(Fault::BadJson(_))), "{bad}");
    }
    assert!(matches!(read(b"a=1", Some("application/json")), Err(Fault::BadJson(_))));
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(deep(16).as_bytes(), None).is_ok());
    assert_eq!(read(deep(17).as_bytes(), None), Err(Fault::TooDeep));
    assert_eq!(read("[".repeat(60_000).as_bytes(), None), Err(Fault::TooDeep));
    let batch = |count: usize| format!("[{}]", vec!["{\"a\":1}"; count].join(","));
    assert_eq!(read(batch(1000).as_bytes(), None).unwrap().len(), 1000);
    assert_eq!(read(batch(1001).as_bytes(), None), Err(Fault::TooMany(1001)));
    assert!(read(b"\xff\xfe", None).is_err());
}
