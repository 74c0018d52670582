//! The SCA11H's data push on a real store, without sockets: what is stored of what was pushed, and what people see of
//! it (`sca11h.md §4`).

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use homeport::core::{DataFilter, Hub, HubError, HubSettings, MessageFilter, UnknownPolicy};
use homeport::family::Family as _;
use homeport::family::sca11h::{Sca11h, Sca11hSettings};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, Device, FamilyName, Timestamp, Value, Verdict};
use homeport::store::{Store, Target, WriterSettings};
use hyper::{HeaderMap, Method};
use serde_json::{Value as Json, json};

const A: &str = include_str!("../../src/family/sca11h/samples/a.xml");
const ADDRESS: &str = "001122334455";
const NODE: [u8; 4] = [192, 0, 2, 7];

struct House {
    store: Store,
    hub: Hub,
    sca: Arc<Sca11h>,
    table: Table,
    clock: Arc<AtomicI64>,
}

/// What a node hears.
struct Heard {
    status: u16,
    body: String,
    closes: bool,
}

impl House {
    async fn at(folder: &Path, settings: Sca11hSettings) -> Self {
        let target = Target::Sqlite(folder.join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        // A second after the last row of sample A.
        let start = Timestamp::parse("2017-03-19T23:02:05Z").unwrap();
        let clock = Arc::new(AtomicI64::new(start.micros()));
        let hands = Arc::clone(&clock);
        let clock_of = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let hub_settings = HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() };
        let hub = Hub::start(store.clone(), clock_of, hub_settings).await.unwrap();
        let sca = Arc::new(Sca11h::new(settings));
        let mut routes = Routes::new();
        Arc::clone(&sca).routes(hub.clone(), &mut routes).unwrap();
        Self { store, hub, sca, table: routes.into_table(), clock }
    }

    async fn new(settings: Sca11hSettings) -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Self::at(folder.path(), settings).await, folder)
    }

    /// The server stops.
    async fn close(self) {
        self.hub.settle().await;
        self.store.close().await;
    }

    async fn usual() -> (Self, tempfile::TempDir) {
        Self::new(Sca11hSettings::default()).await
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    async fn ask(
        &self,
        path: &str,
        peer: impl Into<IpAddr>,
        headers: HeaderMap,
        body: impl AsRef<[u8]>,
    ) -> Heard {
        let (owner, params) = self.table.find(ListenerKind::Http, path).expect("the path is served");
        let reply = (owner.handler)(Exchange {
            method: Method::POST,
            path: path.to_owned(),
            query: None,
            headers,
            body: body.as_ref().to_vec().into(),
            version: hyper::Version::HTTP_11,
            params,
            peer: Peer { addr: SocketAddr::new(peer.into(), 9), listener: ListenerKind::Http, tls: None },
        })
        .await;
        let (status, body) = (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap());
        let closes = reply.into_response().headers().get("connection").is_some_and(|value| value == "close");
        Heard { status, body, closes }
    }

    async fn push_from(&self, peer: impl Into<IpAddr>, body: impl AsRef<[u8]>) {
        let heard = self.ask("/data/push/", peer, HeaderMap::new(), body).await;
        assert_eq!((heard.status, heard.body.as_str()), (200, "done"));
    }

    async fn push(&self, body: impl AsRef<[u8]>) {
        self.push_from(NODE, body).await;
    }

    fn device_at(&self, address: &str) -> Device {
        let device = self.hub.device_by_address(&FamilyName::new("sca11h"), address);
        device.unwrap_or_else(|| panic!("{address} is known"))
    }

    /// The values of a sensor, in the order of the store.
    async fn values(&self, address: &str, sensor: &str) -> Vec<Value> {
        let filter = DataFilter {
            whose: self.device_at(address).names.id.into(),
            sensors: vec![sensor.to_owned()],
            limit: 1000,
            ..DataFilter::default()
        };
        self.hub.data(filter).await.unwrap().into_iter().map(|(_, datum)| datum.value).collect()
    }

    async fn samples(&self, address: &str) -> usize {
        self.values(address, "status").await.len()
    }

    async fn facts(&self, address: &str) -> Json {
        Json::Object(self.sca.facts(&self.hub, &self.device_at(address)).await.unwrap())
    }

    async fn wish(&self, name: &str, wish: Json) -> Result<bool, HubError> {
        self.sca.wish(&self.hub, &self.device_at(ADDRESS), name, &wish).await
    }

    /// Verdict and device of each message, oldest first.
    async fn ledger(&self) -> Vec<(Verdict, String)> {
        let messages =
            self.hub.messages(MessageFilter { limit: 100, ..MessageFilter::default() }).await.unwrap();
        let line = |message: homeport::model::MessageRecord| {
            (message.verdict, message.device.map_or_else(|| "-".to_owned(), |names| names.address))
        };
        messages.into_iter().rev().map(line).collect()
    }
}

fn ok(address: &str) -> (Verdict, String) {
    (Verdict::Ok, address.to_owned())
}

/// Sample A some seconds later: every index moved.
fn moved(seconds: i64) -> String {
    (120..125).rev().fold(A.to_owned(), |text, index| {
        text.replace(&format!("\r\n{index},"), &format!("\r\n{},", index + seconds))
    })
}

fn integers(values: &[i64]) -> Vec<Value> {
    values.iter().copied().map(Value::Integer).collect()
}

#[tokio::test]
async fn the_same_message_counts_once() {
    let (house, _folder) = House::usual().await;
    house.push(A).await;
    house.later(3);
    house.push(A).await;
    assert_eq!(house.samples(ADDRESS).await, 5);
    assert_eq!(house.values(ADDRESS, "hr_bpm").await, integers(&[61, 61, 60, 60, 60]));
    assert_eq!(house.values(ADDRESS, "beat_ms").await, integers(&[1004, 978, 991, 1012, 1020, 969]));
    assert_eq!(house.ledger().await, [ok(ADDRESS), (Verdict::Duplicate, ADDRESS.to_owned())]);
}

#[tokio::test]
async fn a_second_that_comes_again_counts_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::at(folder.path(), Sca11hSettings::default()).await;
    house.push(A).await;
    house.push(moved(3)).await;
    assert_eq!(house.samples(ADDRESS).await, 8, "seconds 123 and 124 came twice");
    house.close().await;
    let house = House::at(folder.path(), Sca11hSettings::default()).await;
    house.push(moved(5)).await;
    assert_eq!(house.samples(ADDRESS).await, 10, "seconds 125 to 127 came twice");
    assert_eq!(house.facts(ADDRESS).await["rows_since_start"], json!({ "skipped": 0, "repeated": 3 }));
}

#[tokio::test]
async fn a_bed_is_followed_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::at(folder.path(), Sca11hSettings::default()).await;
    for message in 0..4 {
        house.push(moved(message * 5)).await;
        house.later(5);
    }
    let presence = [Value::Text("unknown".into()), Value::Text("occupied".into())];
    assert_eq!(house.values(ADDRESS, "presence").await, presence);
    house.close().await;
    let house = House::at(folder.path(), Sca11hSettings::default()).await;
    house.later(20);
    house.push(moved(20)).await;
    let newest = house.values(ADDRESS, "presence").await.pop();
    assert_eq!(newest, Some(Value::Text("occupied".into())));
}

#[tokio::test]
async fn times_are_the_devices_or_reckoned_from_the_arrival() {
    let (house, _folder) = House::usual().await;
    house.push(A).await;
    assert_eq!(house.values(ADDRESS, "time_source").await, [Value::Text("device".into())]);
    house.later(7200);
    house.push(moved(10)).await;
    let clock = house.facts(ADDRESS).await["clock"].clone();
    assert_eq!(clock, json!({ "behind_s": 7191, "time_source": "arrival", "clock_skew": true }));
    assert_eq!(house.values(ADDRESS, "clock_skew_s").await, integers(&[1, 7191]));
    assert_eq!(house.wish("time_offset_s", json!(7190)).await, Ok(true));
    house.push(moved(20)).await;
    let clock = house.facts(ADDRESS).await["clock"].clone();
    assert_eq!(clock, json!({ "behind_s": -9, "time_source": "device", "clock_skew": false }));
}

#[tokio::test]
async fn a_node_id_from_two_peers_is_flagged() {
    let (house, _folder) = House::usual().await;
    house.push_from(NODE, A).await;
    house.later(5);
    house.push_from(NODE, moved(5)).await;
    assert_eq!(house.facts(ADDRESS).await["conflict"], Json::Null);
    house.later(5);
    house.push_from([192, 0, 2, 8], moved(10)).await;
    let conflict = house.facts(ADDRESS).await["conflict"].clone();
    assert_eq!(conflict["peers"], json!(["192.0.2.7", "192.0.2.8"]));
    assert_eq!(conflict["lasts"], true);
    assert_eq!(house.samples(ADDRESS).await, 15, "all is kept");
    house.later(601);
    assert_eq!(house.facts(ADDRESS).await["conflict"]["lasts"], false);
}

#[tokio::test]
async fn bare_rows_belong_to_the_one_node_of_the_peer() {
    let (house, _folder) = House::usual().await;
    let bare = |index: i64| format!("{index},61,14,55,31,912,1,978,1004,0\n");
    house.push(bare(17)).await;
    assert_eq!(house.samples("192.0.2.7").await, 1, "nobody else is known there");
    house.push(A).await;
    house.push(bare(18)).await;
    assert_eq!(house.samples(ADDRESS).await, 6);
    house.push(bare(18)).await;
    assert_eq!(house.samples(ADDRESS).await, 6, "a repeat");
    house.push(A.replace("00:11:22:33:44:55", "bed 2")).await;
    house.push(bare(19)).await;
    assert_eq!(house.samples("192.0.2.7").await, 2, "two nodes speak from there: whose is it?");
}

#[tokio::test]
async fn several_nodes_in_a_message_each_get_their_own() {
    let (house, _folder) = House::usual().await;
    let nodes = A.find("<Node").unwrap()..A.find("</Network>").unwrap();
    let other = A[nodes.clone()].replace("00:11:22:33:44:55", "bed 2").replace(",61,14,55", ",71,14,55");
    let text = format!("{}{other}{}", &A[..nodes.end], &A[nodes.end..]);
    house.push(&text).await;
    assert_eq!(house.ledger().await, [ok(ADDRESS), ok("bed 2")]);
    assert_eq!(house.values(ADDRESS, "hr_bpm").await[0], Value::Integer(61));
    assert_eq!(house.values("bed 2", "hr_bpm").await[0], Value::Integer(71));
    let messages = house.hub.messages(MessageFilter { limit: 9, ..MessageFilter::default() }).await.unwrap();
    assert_eq!(messages[1].raw, text.as_bytes(), "the whole is kept once");
    assert_eq!(messages[0].raw, other.as_bytes());
    house.push(&text).await;
    assert_eq!(house.samples(ADDRESS).await + house.samples("bed 2").await, 10);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_done() {
    let (house, _folder) = House::usual().await;
    let unknown = |text: String| (text, Verdict::Malformed, "-");
    let long = "x".repeat(65);
    for (body, verdict, device) in [
        unknown(String::new()),
        unknown("hello".to_owned()),
        unknown("{}".to_owned()),
        unknown("<Data/>".to_owned()),
        unknown("<!DOCTYPE a [<!ENTITY b \"c\">]><Data>&b;</Data>".to_owned()),
        unknown("<a>".repeat(5000)),
        unknown(A.replace("00:11:22:33:44:55", &long)),
        unknown(A.replace("00:11:22:33:44:55", "a&#7;b")),
        unknown(A.replace(',', ";")),
        (A.to_owned(), Verdict::Ok, ADDRESS),
        (A.replace(',', ";"), Verdict::Malformed, ADDRESS),
    ] {
        house.push(&body).await;
        let newest = house.ledger().await.pop();
        assert_eq!(newest, Some((verdict, device.to_owned())), "{body}");
    }
    assert_eq!(house.samples(ADDRESS).await, 5, "nothing unreadable is believed");
    house.push(b"\xff\xfe\xfd").await;
    house.push([0; 1000]).await;
}

#[tokio::test]
async fn a_message_without_rows_is_a_sign_of_life() {
    let (house, _folder) = House::usual().await;
    let silent =
        format!("{}</Values>{}", &A[..A.find("\r\n120").unwrap()], A.split_once("</Values>").unwrap().1);
    house.push(&silent).await;
    assert_eq!(house.ledger().await, [ok(ADDRESS)]);
    assert_eq!(house.samples(ADDRESS).await, 0);
}

#[tokio::test]
async fn a_node_may_have_ways_of_its_own() {
    let (house, _folder) = House::usual().await;
    house.push(A).await;
    assert_eq!(house.wish("force_close", json!(true)).await, Ok(true));
    let heard = house.ask("/data/push", NODE, HeaderMap::new(), moved(5)).await;
    assert_eq!((heard.status, heard.closes), (200, true));
    let wrong = house.wish("reply_framing", json!("zip")).await;
    assert!(matches!(wrong, Err(HubError::Invalid { field: "reply_framing", .. })), "{wrong:?}");
    assert_eq!(house.facts(ADDRESS).await["settings"], json!({ "force_close": true }));
    assert_eq!(house.wish("force_close", Json::Null).await, Ok(true));
    assert_eq!(house.facts(ADDRESS).await["settings"], Json::Null);
    assert_eq!(house.wish("something_else", json!(1)).await, Ok(false));
}

#[tokio::test]
async fn credentials_are_asked_of_those_who_were_given_some() {
    for challenge in [false, true] {
        let (house, _folder) = House::new(Sca11hSettings { challenge, ..Sca11hSettings::default() }).await;
        house.push(A).await;
        house.wish("credentials", json!({ "user": "bed", "password": "secret" })).await.unwrap();
        let refused = house.ask("/data/push/", NODE, HeaderMap::new(), moved(5)).await;
        assert_eq!(refused.status, if challenge { 401 } else { 403 });
        let silent = A.replace("120,", "").replace("\r\n12", "\r\n").replace(',', "");
        let silent = house.ask("/data/push/", NODE, HeaderMap::new(), silent).await;
        assert_eq!(silent.status, refused.status, "nor is its silence believed");
        let mut headers = HeaderMap::new();
        let pair = base64::engine::general_purpose::STANDARD.encode("bed:secret");
        headers.insert("authorization", format!("Basic {pair}").parse().unwrap());
        let heard = house.ask("/data/push/", NODE, headers, moved(5)).await;
        assert_eq!((heard.status, heard.body.as_str()), (200, "done"));
        assert_eq!(house.samples(ADDRESS).await, 10);
        let facts = house.facts(ADDRESS).await.to_string();
        assert!(facts.contains("\"user\":\"bed\"") && !facts.contains("secret"), "{facts}");
    }
}

#[tokio::test]
async fn strangers_and_blocked_devices_are_refused() {
    let settings =
        Sca11hSettings { allow_peers: vec!["192.0.2.0/24".to_owned()], ..Sca11hSettings::default() };
    let (house, _folder) = House::new(settings).await;
    house.push(A).await;
    let heard = house.ask("/data/push/", [198, 51, 100, 1], HeaderMap::new(), moved(5)).await;
    assert_eq!(heard.status, 403);
    house.hub.block(&house.device_at(ADDRESS).names.id).await.unwrap();
    let heard = house.ask("/data/push/", NODE, HeaderMap::new(), moved(5)).await;
    assert_eq!(heard.status, 403);
    assert_eq!(house.samples(ADDRESS).await, 5);
}

#[tokio::test]
async fn node_id_and_mac_are_one_device() {
    let (house, _folder) = House::usual().await;
    for spelling in ["00:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455", "001122334455"] {
        house.push(A.replace("00:11:22:33:44:55", spelling)).await;
    }
    let named = A.replace("00:11:22:33:44:55", "bed 2");
    house.push(&named).await;
    let sync = json!({ "name": "bed 2", "pars": "7000,270,5000,0,1400,7" }).to_string();
    let heard = house.ask("/firmware/device/AA-BB-CC-DD-EE-FF/", NODE, HeaderMap::new(), sync).await;
    assert_eq!(heard.status, 200);
    assert_eq!(house.facts("bed 2").await["macs"], json!(["aabbccddeeff"]));
    // A node that was reset to its factory's id is the same one still.
    house.push(moved(5).replace("00:11:22:33:44:55", "aa:bb:cc:dd:ee:ff")).await;
    assert_eq!(house.samples("bed 2").await, 10);
    let devices: Vec<_> = house.ledger().await.into_iter().map(|(_, address)| address).collect();
    assert_eq!(devices.iter().filter(|address| *address == ADDRESS).count(), 4);
    assert_eq!(devices.iter().filter(|address| *address == "bed 2").count(), 3);
}

#[tokio::test]
async fn a_stranger_gives_no_node_another_name() {
    let (house, _folder) = House::usual().await;
    house.push(A).await;
    house.wish("credentials", json!({ "user": "bed", "password": "secret" })).await.unwrap();
    let sync = json!({ "name": "elsewhere" }).to_string();
    house.ask("/firmware/device/00:11:22:33:44:55/", [192, 0, 2, 66], HeaderMap::new(), sync).await;
    let heard = house.ask("/firmware/device/00:11:22:33:44:55/", NODE, HeaderMap::new(), "{}").await;
    assert_eq!(heard.status, 403, "a sync shows them, too");
    assert_eq!(house.facts(ADDRESS).await["macs"], json!([ADDRESS]));
    assert_eq!(house.facts("elsewhere").await["macs"], json!([]));
    let heard = house.ask("/data/push/", NODE, HeaderMap::new(), moved(5)).await;
    assert_eq!(heard.status, 403, "the node is still the one that must show its credentials");
}

#[tokio::test]
async fn the_first_request_is_kept_without_its_secrets() {
    let (house, _folder) = House::usual().await;
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Basic c2VjcmV0".parse().unwrap());
    headers.insert("x-odd", "yes".parse().unwrap());
    house.ask("/data/push/", NODE, headers, A).await;
    house.push(moved(5)).await;
    let first = house.facts(ADDRESS).await["first_requests"]["push"].clone();
    let text = first.to_string();
    assert!(
        text.contains("x-odd") && text.contains("Basic (masked)") && !text.contains("c2VjcmV0"),
        "{text}"
    );
    assert_eq!(first["path"], "/data/push/");
}

#[tokio::test]
async fn the_original_log_holds_the_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        Sca11hSettings { log_folder: Some(folder.path().join("logs")), ..Sca11hSettings::default() };
    let house = House::at(folder.path(), settings).await;
    house.push(A).await;
    house.push(b"\xffodd").await;
    let file = folder.path().join("logs/loggedData_1489964525.txt");
    assert_eq!(std::fs::read(file).unwrap(), [A.as_bytes(), b"\xffodd"].concat());
}
