//! Lists with others' things between: pages are whole, in order, and end where the list ends.

use homeport::model::{DeviceId, Role, Sees, Verdict};
use http::StatusCode;
use serde_json::{Value, json};

use super::Caller;
use crate::web::Desk;

/// Everything of a list, read in pages of two; no page but the last may be shorter.
async fn pages(desk: &Desk, caller: &Caller, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{path}limit=2{cursor}");
        let page = desk.done(caller, "GET", &path, Value::Null, StatusCode::OK).await;
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(items.len(), 2, "{path}: {page}");
        cursor = format!("&cursor={next}");
    }
    found
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_of_devices_are_whole_although_others_lie_between() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let maria = desk.person("maria", Role::Viewer, Sees::House).await;
    // Of ten, every device but each third is Olga's.
    for n in 0..10 {
        let body =
            json!({"family": "cwm", "address": format!("000201020304050{n}"), "name": format!("d{n}")});
        let made = desk.call("POST", "/api/v1/devices", body).await.json();
        if n % 3 != 0 {
            desk.give(made["id"].as_str().unwrap(), Some(&olga.user)).await;
        }
    }
    let own = ["d1", "d2", "d4", "d5", "d7", "d8"];
    let house = ["d0", "d3", "d6", "d9"];
    assert_eq!(names(&pages(&desk, &olga, "/api/v1/devices?").await), own);
    assert_eq!(names(&pages(&desk, &maria, "/api/v1/devices?").await), house);
    assert_eq!(names(&pages(&desk, &maria, "/api/v1/devices?q=d&family=cwm&").await), house);
    assert!(pages(&desk, &maria, "/api/v1/devices?q=d1&").await.is_empty());
    assert!(pages(&desk, &olga, "/api/v1/devices?q=d3&").await.is_empty());
    assert_eq!(names(&pages(&desk, &olga, "/api/v1/devices?q=0205&").await), Vec::<&str>::new());
}

#[tokio::test]
async fn pages_of_messages_are_whole_although_others_lie_between() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let maria = desk.person("maria", Role::Viewer, Sees::House).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json!({"family": "cwm", "address": format!("000201020304050{n}")});
        let made = desk.call("POST", "/api/v1/devices", body).await.json();
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    for round in 0..5 {
        for n in 0..3 {
            desk.heard_from(&format!("000201020304050{n}"), &format!("{round} of {n}")).await;
        }
        // Of no device: for whoever sees the house.
        desk.heard_from_nobody(&format!("{round} of nobody"), Verdict::Malformed).await;
    }
    desk.give(&ids[0], Some(&olga.user)).await;
    desk.give(&ids[1], Some(&olga.user)).await;
    let text = |items: Vec<Value>| -> Vec<String> {
        items.iter().map(|item| item["raw"].as_str().unwrap().to_owned()).collect()
    };
    let rounds = |of: &[&str]| -> Vec<String> {
        (0..5).rev().flat_map(|round| of.iter().map(move |who| format!("{round} of {who}"))).collect()
    };
    assert_eq!(text(pages(&desk, &olga, "/api/v1/messages?").await), rounds(&["1", "0"]));
    assert_eq!(text(pages(&desk, &maria, "/api/v1/messages?").await), rounds(&["nobody", "2"]));
    let malformed = pages(&desk, &olga, "/api/v1/messages?verdict=malformed&").await;
    assert!(malformed.is_empty(), "{malformed:?}");
    // What is seen of the export is what is seen.
    let csv = desk.ask_as(&maria, "GET", "/api/v1/export.csv", Value::Null).await.text();
    assert!(!csv.contains("0002010203040500"), "{csv}");
    // What a forgotten device said stays its owner's.
    desk.hub.forget(&DeviceId::new(&ids[1])).await.unwrap();
    assert_eq!(text(pages(&desk, &maria, "/api/v1/messages?").await), rounds(&["nobody", "2"]));
}
