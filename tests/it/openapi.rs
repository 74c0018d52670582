//! The API's description is the API, and what it says stays true.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use homeport::web::{self, Code};
use http::{Request, StatusCode};
use serde_json::Value;

use crate::web::Desk;

async fn description() -> Value {
    let desk = Desk::new().await;
    let got = desk.ask(Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "application/json"));
    got.json()
}

/// Method and path of every call that is described, with the role it needs.
fn calls(document: &Value) -> BTreeMap<(String, String), String> {
    let mut calls = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap().to_owned();
            calls.insert((method.to_uppercase(), path.clone()), role);
        }
    }
    calls
}

#[tokio::test]
async fn every_row_of_the_table_is_described_and_nothing_else() {
    let document = description().await;
    assert_eq!(document["openapi"], "3.1.0");
    let described = calls(&document);
    let mut rows = BTreeMap::new();
    for permit in web::permits().iter().filter(|row| !row.page && row.path.starts_with("/api/")) {
        let role = permit.need.map_or("none", |role| role.as_str());
        rows.insert((permit.method.to_owned(), permit.path.to_owned()), role.to_owned());
    }
    let (of_devices, of_people): (BTreeMap<_, _>, BTreeMap<_, _>) =
        described.into_iter().partition(|(_, role)| role == "device");
    assert_eq!(of_people, rows);
    let paths: BTreeSet<_> = of_devices.into_keys().map(|(_, path)| path).collect();
    assert_eq!(paths, BTreeSet::from(["/api/v1/data", "/api/v1/devices/{id}/data"].map(str::to_owned)));
}

#[tokio::test]
async fn every_call_says_what_it_is_and_what_it_refuses() {
    let document = description().await;
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(ids.insert(call["operationId"].as_str().unwrap().to_owned()), "{what}: two of one name");
            assert!(call["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{what}: no summary");
            let replies = call["responses"].as_object().unwrap();
            assert!(replies.keys().any(|status| status.starts_with('2')), "{what}: no success");
            let open = call["security"] == serde_json::json!([]);
            assert!(open || replies.contains_key("401"), "{what}: nothing for who is not signed in");
            for (status, reply) in replies.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let codes = reply["x-codes"].as_array().unwrap();
                assert!(!codes.is_empty(), "{what} {status}");
            }
        }
    }
}

#[tokio::test]
async fn every_shape_that_is_spoken_of_is_there() {
    let document = description().await;
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(path)) = members.get("$ref") {
                    let path = path.strip_prefix('#').unwrap();
                    assert!(document.pointer(path).is_some(), "{path} is not there");
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[test]
fn the_manual_has_every_code() {
    let manual = include_str!("../../docs/api.md");
    let mut rows = BTreeMap::new();
    for line in manual.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [code, status, meaning] = cells[..]
            && let Ok(status) = status.parse::<u16>()
        {
            rows.insert(code.trim_matches('`').to_owned(), (status, meaning.to_owned()));
        }
    }
    let codes: BTreeMap<_, _> = Code::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), (code.status().as_u16(), code.meaning().to_owned())))
        .collect();
    assert_eq!(rows, codes, "the table of codes in docs/api.md");
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_told_which_are() {
    let desk = Desk::new().await;
    let ask =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for method in ["PUT", "DELETE", "OPTIONS", "TRACE"] {
        let got = desk.ask(ask(method, "/api/v1/devices")).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        let allowed: BTreeSet<_> = got.header("allow").split(',').map(str::trim).collect();
        assert_eq!(allowed, BTreeSet::from(["GET", "HEAD", "POST"]), "{method}");
    }
    let head = desk.ask(ask("HEAD", "/api/v1/openapi.json")).await;
    assert_eq!((head.status, head.text().as_str()), (StatusCode::OK, ""));
    let strange = desk.ask(ask("HEAD", "/api/v1/devices")).await;
    assert_eq!(strange.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_page_of_the_api_lists_every_call() {
    let desk = Desk::new().await;
    let document = description().await;
    let page = desk.ask(Request::get("/api/docs").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = page.text();
    let scripts = text.matches("<script").count();
    assert_eq!(
        scripts,
        text.matches("<script type=\"module\" src=\"/assets/").count(),
        "only our own, from here"
    );
    for (method, path) in calls(&document).into_keys() {
        assert!(text.contains(&format!("<code>{method} {path}</code>")), "{method} {path}");
    }
}
