//! What people look at all day, asked through the router: what it weighs, and what it leaves out.

use bytes::Bytes;
use homeport::core::{Claim, Event, Report};
use homeport::model::{FamilyName, Reading, Value as Measured, Verdict};
use http::StatusCode;
use serde_json::{Value, json};

use crate::web::Desk;

/// A page of people.
async fn page(desk: &Desk, path: &str) -> String {
    let got = desk.call("GET", path, Value::Null).await;
    assert_eq!(got.status, StatusCode::OK, "{path}: {}", got.text());
    got.text()
}

fn reading(sensor: &str, value: i64) -> Reading {
    Reading { sensor: sensor.into(), value: Measured::Integer(value), created: None, counts: true }
}

/// A message of a device that has not been heard before.
async fn hear(desk: &Desk, address: &str) {
    let known = desk.hub.claim(Claim { family: &FamilyName::new("cwm"), address, parent: None }).unwrap();
    let readings = ["act_temp.0", "act_temp.1", "set_temp", "ti"].map(|sensor| reading(sensor, 1620));
    let report = Report {
        device: Some(known),
        at: desk.hub.now(),
        raw: Bytes::from_static(b"{}"),
        verdict: Verdict::Ok,
        hmac: None,
        fingerprint: None,
        events: vec![Event::Readings(readings.to_vec())],
        peer: "192.0.2.1".to_owned(),
    };
    desk.hub.accept(report).await.unwrap();
}

#[tokio::test]
async fn a_thousand_devices_are_a_page_of_less_than_300_kilobytes() {
    let desk = Desk::new().await;
    for number in 0..1000 {
        hear(&desk, &format!("{number:016}")).await;
    }
    for path in ["/?limit=1000", "/?view=list&limit=1000&sort=attention"] {
        let text = page(&desk, path).await;
        assert_eq!(text.matches("<a href=\"/devices/").count(), 1000, "{path}");
        assert!(text.len() < 300_000, "{path}: {} bytes", text.len());
        assert!(text.contains("1 to 1000 of 1000 devices"), "{path}");
    }
    let cards = page(&desk, "/?page=2").await;
    assert!(cards.contains("61 to 120 of 1000 devices") && cards.contains("class=\"card device"));
    let last = page(&desk, "/?page=999").await;
    assert!(last.contains("961 to 1000 of 1000 devices"), "behind the last page is the last page");
    let found = page(&desk, "/?q=0000000000000042&state=&family=cwm&tag=&group=").await;
    assert!(found.contains("1 device<"), "a form sends what nobody filled in, too");
    let none = page(&desk, "/?state=blocked").await;
    assert!(none.contains("No device fits"));
    let odd = desk.call("GET", "/?sort=colour", Value::Null).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", odd.text());
}

#[tokio::test]
async fn a_timeline_tells_the_kinds_that_are_asked_for() {
    let desk = Desk::new().await;
    let mut id = String::new();
    for number in 0..12 {
        let readings = vec![reading("door", number), reading("fan", number)];
        id = desk.hear(format!("{{\"n\":{number}}}").as_bytes(), Verdict::Ok, readings).await;
    }
    let commands = format!("/api/v1/devices/{id}/commands");
    for _ in 0..2 {
        let queued =
            desk.call("POST", &commands, json!({"cmd": "wr", "payload": {"oke": {"port": "232"}}})).await;
        assert_eq!(queued.status, StatusCode::CREATED, "{}", queued.text());
    }
    let all = paged(&desk, &id, "", 1000).await;
    let of = |kind: &str| -> Vec<Value> { all.iter().filter(|item| item["kind"] == kind).cloned().collect() };
    assert_eq!([of("message").len(), of("value").len(), of("command").len()], [12, 24, 2]);
    for limit in [1, 5, 1000] {
        for kind in ["message", "value", "command"] {
            assert_eq!(
                paged(&desk, &id, &format!("&kind={kind}"), limit).await,
                of(kind),
                "{kind} by {limit}"
            );
        }
        let two = paged(&desk, &id, "&kind=command,value", limit).await;
        assert_eq!(two.len(), 26, "by {limit}");
    }
    assert!(paged(&desk, &id, "&kind=alert&kind=event", 10).await.is_empty());
    let odd = desk.call("GET", &format!("/api/v1/devices/{id}/timeline?kind=colour"), Value::Null).await;
    assert_eq!(odd.json()["error"]["field"], "kind");
    // The page tells a message with what it brought.
    let text = page(&desk, &format!("/devices/{id}/timeline")).await;
    assert_eq!(text.matches("class=\"of-message\"").count(), 12);
    assert!(
        text.contains("{&#34;n&#34;:11}") && text.contains("<span class=\"dim\">fan</span> 11"),
        "{text}"
    );
}

/// A whole timeline in pages.
async fn paged(desk: &Desk, id: &str, more: &str, limit: u32) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/devices/{id}/timeline?limit={limit}{more}{cursor}");
        let page = desk.call("GET", &path, Value::Null).await.json();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}
