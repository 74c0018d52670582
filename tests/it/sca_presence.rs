//! Nights of an SCA11H on a real store, without sockets: presence and its events, restarts, silence, and what people
//! see of it all (`sca11h.md §11, §12.8`).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use homeport::core::{DataFilter, Hub, HubSettings, UnknownPolicy};
use homeport::dictionary::{Dictionaries, Shelf};
use homeport::family::sca11h::{Sca11h, Sca11hSettings};
use homeport::family::{CommandText, Family};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, Device, FamilyName, Timestamp, Value};
use homeport::store::{Store, Target, WriterSettings};
use homeport::web::{self, WebSettings};
use hyper::{Method, Request};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

/// Sample A of the page's §9: five seconds in bed, one of them without a new beat.
const IN_BED: [&str; 5] = [
    "61,14,55,31,912,1,978,1004,0",
    "61,14,55,29,897,1,991,0,0",
    "60,14,56,29,930,1,1012,0,0",
    "60,13,56,29,930,1,0,0,0",
    "60,13,54,33,905,1,969,1020,0",
];
/// Sample B: an empty bed.
const EMPTY: [&str; 5] = [
    "0,0,0,0,141,0,0,0,0",
    "0,0,0,0,138,0,0,0,0",
    "0,0,0,0,150,0,0,0,0",
    "0,0,0,0,139,0,0,0,0",
    "0,0,0,0,144,0,0,0,0",
];
/// Sample C: turning over.
const MOVING: [&str; 10] = [
    "62,15,54,35,940,1,955,0,0",
    "62,15,0,0,8450,2,0,0,0",
    "0,0,0,0,15320,2,0,0,0",
    "0,0,0,0,11207,2,0,0,0",
    "0,0,0,0,1630,1,0,0,0",
    "0,0,0,0,960,1,0,0,0",
    "64,0,52,41,955,1,940,925,931",
    "64,16,53,40,918,1,948,0,0",
    "63,16,53,38,922,1,951,0,0",
    "63,16,53,36,909,1,957,0,0",
];
/// When the node's counter began, and the server's clock with it.
const BEGAN: &str = "2017-03-19T23:00:00Z";
const NODE: &str = "00:11:22:33:44:55";

struct House {
    hub: Hub,
    families: Vec<Arc<dyn Family>>,
    table: Table,
    pages: Router,
    clock: Arc<AtomicI64>,
    /// The node's counter of seconds.
    index: u32,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(Timestamp::parse(BEGAN).unwrap().micros()));
        let hands = Arc::clone(&clock);
        let clock_of = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let settings = HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() };
        let hub = Hub::start(store, clock_of, settings).await.unwrap();
        let mut house = Self {
            hub,
            families: Vec::new(),
            table: Routes::new().into_table(),
            pages: Router::new(),
            clock,
            index: 0,
            _folder: folder,
        };
        house.restart();
        house
    }

    /// All that the dialect keeps in memory is gone.
    fn restart(&mut self) {
        let sca: Arc<dyn Family> = Arc::new(Sca11h::new(Sca11hSettings::default()));
        let mut routes = Routes::new();
        Arc::clone(&sca).routes(self.hub.clone(), &mut routes).unwrap();
        self.hub.judge_silence(sca.name(), sca.silence());
        let dictionaries = Shelf::new(Dictionaries::read(None, &[sca.dictionary().unwrap()]));
        assert!(dictionaries.now().problems.is_empty(), "{:?}", dictionaries.now().problems);
        self.families = vec![sca];
        let settings = WebSettings { dictionaries, ..WebSettings::default() };
        self.pages = web::app(self.hub.clone(), self.families.clone(), settings);
        self.table = routes.into_table();
    }

    fn passes(&self, seconds: u32) {
        self.clock.fetch_add(i64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }

    /// A message of these rows, sent when its last second is over.
    async fn push(&mut self, rows: &[&str]) {
        let mut text = String::new();
        for row in rows {
            text.extend([self.index.to_string().as_str(), ",", row, "\r\n"]);
            self.index += 1;
            self.passes(1);
        }
        let body = format!(
            "<Data><Network id=\"home\"><Node id=\"{NODE}\"><Sensor id=\"BCG\"><Measurement time=\"{BEGAN}\">\
             <Values sep=\",\">\r\n{text}</Values></Measurement></Sensor></Node></Network></Data>"
        );
        let (owner, params) = self.table.find(ListenerKind::Http, "/data/push/").expect("the path is served");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let reply = (owner.handler)(Exchange {
            method: Method::POST,
            path: "/data/push/".to_owned(),
            query: None,
            headers: hyper::HeaderMap::new(),
            body: body.into(),
            version: hyper::Version::HTTP_11,
            params,
            peer: Peer { addr, listener: ListenerKind::Http, tls: None },
        })
        .await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (200, &b"done"[..]));
    }

    fn device(&self) -> Device {
        self.hub.device_by_address(&FamilyName::new("sca11h"), "001122334455").expect("the node is known")
    }

    /// Values of a sensor as text, each with the second of the night.
    async fn told(&self, sensor: &str) -> Vec<String> {
        let filter = DataFilter {
            whose: self.device().names.id.into(),
            sensors: vec![sensor.to_owned()],
            limit: 1000,
            ..DataFilter::default()
        };
        let began = Timestamp::parse(BEGAN).unwrap().seconds();
        let word = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Bool(truth) => truth.to_string(),
            Value::Integer(_) | Value::Real(_) | Value::Gap(_) => panic!("{value:?}"),
        };
        let values = self.hub.data(filter).await.unwrap();
        let told = values.iter().map(|(_, datum)| {
            format!("{}@{}", word(&datum.value), datum.time_created.unwrap().seconds() - began)
        });
        told.collect()
    }

    /// A change of parameters waits for the node.
    async fn queue(&self, pars: &str) {
        let text = CommandText {
            address: Some(self.device().names.address),
            parent: None,
            cmd: "pars".to_owned(),
            payload: json!(pars).to_string(),
            dst: None,
            at: self.hub.now(),
        };
        let order = self.families[0].draft(&text).unwrap().into_order("user:test");
        self.hub.enqueue(order).await.unwrap();
    }

    /// What an administrator's browser or script gets.
    async fn get(&self, path: &str) -> String {
        let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        request.extensions_mut().insert(Peer { addr, listener: ListenerKind::Control, tls: None });
        let response = self.pages.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    async fn json(&self, path: &str) -> Json {
        serde_json::from_str(&self.get(path).await).unwrap()
    }
}

/// The night of §12.8.
const EVENTS: [&str; 5] =
    ["vitals_available@30", "bed_entered@30", "movement_started@51", "movement_ended@54", "bed_left@60"];

#[tokio::test]
async fn a_night_has_one_entry_one_movement_and_one_exit() {
    let mut house = House::new().await;
    for _ in 0..6 {
        house.push(&EMPTY).await;
    }
    assert_eq!(house.told("presence").await, ["unknown@0", "empty@0"]);
    for _ in 0..4 {
        house.push(&IN_BED).await;
    }
    assert_eq!(house.told("event").await, EVENTS[..2]);
    house.push(&MOVING).await;
    assert_eq!(house.told("event").await, EVENTS[..4]);
    assert_eq!(house.told("moving").await, ["false@0", "true@51", "false@54"]);
    for _ in 0..3 {
        house.push(&EMPTY).await;
    }
    assert_eq!(house.told("presence").await, ["unknown@0", "empty@0", "occupied@30"]);
    house.push(&EMPTY).await;
    assert_eq!(house.told("presence").await, ["unknown@0", "empty@0", "occupied@30", "empty@60"]);
    let events = house.told("event").await;
    assert_eq!(
        events,
        [
            "vitals_available@30",
            "bed_entered@30",
            "movement_started@51",
            "movement_ended@54",
            "vitals_lost@60",
            "bed_left@60"
        ]
    );
}

#[tokio::test]
async fn a_restart_between_any_two_messages_changes_nothing() {
    let mut house = House::new().await;
    let night: [(usize, &[&str]); 4] = [(6, &EMPTY), (4, &IN_BED), (1, &MOVING), (4, &EMPTY)];
    for rows in night.into_iter().flat_map(|(times, rows)| std::iter::repeat_n(rows, times)) {
        house.restart();
        house.push(rows).await;
    }
    assert_eq!(house.told("presence").await, ["unknown@0", "empty@0", "occupied@30", "empty@60"]);
    let mut events = house.told("event").await;
    events.retain(|event| !event.starts_with("vitals_lost"));
    assert_eq!(events, EVENTS);
    assert_eq!(house.told("moving").await, ["false@0", "true@51", "false@54"]);
}

#[tokio::test]
async fn a_bed_is_offline_after_three_intervals_and_ten_seconds() {
    let mut house = House::new().await;
    for _ in 0..8 {
        house.push(&IN_BED).await;
    }
    let presence = house.hub.presence(&house.device());
    assert_eq!(presence.rhythm, Some(Duration::from_secs(5)));
    house.passes(25);
    assert!(house.hub.online(&house.device()), "three intervals of five seconds, and ten");
    house.passes(1);
    assert!(!house.hub.online(&house.device()));
}

#[tokio::test]
async fn the_page_shows_every_value_with_its_unit() {
    let mut house = House::new().await;
    for _ in 0..6 {
        house.push(&EMPTY).await;
    }
    for _ in 0..4 {
        house.push(&IN_BED).await;
    }
    let id = house.device().names.id;
    let page = words_of(&house.get(&format!("/devices/{id}")).await);
    for words in [
        "Heart rate",
        "60 beats/min",
        "Respiration rate",
        "13 breaths/min",
        "Stroke volume index",
        "54 index",
        "Heart rate variability",
        "33 ms",
        "Signal strength",
        "905",
        "occupied, vital signs measurable",
        "Presence",
        "bed occupied",
        "Beat-to-beat interval",
        "969 ms",
        // The beats before it, back to the message before.
        "before: 1020, 1012, 991, 978, 969, 1020",
        "2017-03-19 23:00:30 UTC bed entered",
        // Summaries: empty seconds hold no amounts.
        "mean 60.4, 60 to 61 of 20",
    ] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
}

/// What a page says, without its elements.
fn words_of(page: &str) -> String {
    let pieces = page.split('<').enumerate();
    pieces
        .map(
            |(place, piece)| {
                if place == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) }
            },
        )
        .collect()
}

#[tokio::test]
async fn the_timeline_tells_messages_values_and_events_newest_first() {
    let mut house = House::new().await;
    for _ in 0..6 {
        house.push(&EMPTY).await;
    }
    for _ in 0..4 {
        house.push(&IN_BED).await;
    }
    house.passes(1);
    house.queue("7000,270,5000,0,1400,7").await;
    house.passes(1);
    house.push(&IN_BED).await;
    let id = house.device().names.id;
    let whole = house.json(&format!("/api/v1/devices/{id}/timeline?limit=1000")).await;
    let items = whole["items"].as_array().unwrap();
    assert_eq!(whole["next"], Json::Null);
    let kinds = |kind: &str| items.iter().filter(|item| item["kind"] == kind).count();
    assert_eq!((kinds("message"), kinds("event"), kinds("command")), (11, 2, 1));
    assert_eq!(items[0]["kind"], "message");
    let place = items.iter().position(|item| item["kind"] == "command").unwrap();
    assert_eq!(items[place]["command"]["state"], "queued");
    assert_eq!(items[place]["command"]["by"], "user:test");
    let later = items[..place].iter().filter(|item| item["kind"] == "message").count();
    assert_eq!(later, 1, "it was queued before the last message");
    let times: Vec<&str> = items.iter().map(|item| item["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
    // Pages of any size hold the same, once each.
    for limit in [1, 7, 50] {
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = house.json(&format!("/api/v1/devices/{id}/timeline?limit={limit}{cursor}")).await;
            paged.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&paged, items, "pages of {limit}");
    }
    let from = Timestamp::parse(BEGAN).unwrap().plus(Duration::from_secs(55));
    let late = house.json(&format!("/api/v1/devices/{id}/timeline?limit=1000&from={from}")).await;
    let messages = late["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "message").count();
    assert_eq!(messages, 1);
}
