//! The CWM's exchanges on a real store, without sockets: what is stored, and what a module hears when it cannot be.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use homeport::core::{Hub, HubSettings, UnknownPolicy};
use homeport::family::cwm::{BadMessages, Cwm, CwmSettings};
use homeport::family::{CommandText, Family as _};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, FamilyName, Timestamp, Value, Verdict};
use homeport::store::{DataFilter, MessageFilter, Store, Target, WriterSettings};

use crate::harness::okm;

struct House {
    store: Store,
    hub: Hub,
    cwm: Arc<Cwm>,
    table: Table,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new(unknown: UnknownPolicy, settings: CwmSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let hub_settings = HubSettings { unknown, ..HubSettings::default() };
        let hub = Hub::start(store.clone(), Clock::system(), hub_settings).await.unwrap();
        let cwm = Arc::new(Cwm::new(settings));
        let mut routes = Routes::new();
        Arc::clone(&cwm).routes(hub.clone(), &mut routes).unwrap();
        Self { store, hub, cwm, table: routes.into_table(), _folder: folder }
    }

    async fn ask(&self, path: &str, query: Option<&str>, body: &str) -> (u16, String) {
        let (owner, params) = self.table.find(ListenerKind::Https, path).expect("the path is served");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let reply = (owner.handler)(Exchange {
            method: hyper::Method::POST,
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers: hyper::HeaderMap::new(),
            body: body.to_owned().into(),
            version: hyper::Version::HTTP_11,
            params,
            peer: Peer { addr, listener: ListenerKind::Https, tls: None },
        })
        .await;
        (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
    }

    async fn push(&self, okm: &str) -> (u16, String) {
        self.ask("/push", None, okm).await
    }

    async fn verdicts(&self) -> Vec<Verdict> {
        let filter = MessageFilter { limit: 50, ..MessageFilter::default() };
        let mut list: Vec<Verdict> =
            self.store.read().messages(filter).await.unwrap().iter().map(|message| message.verdict).collect();
        list.reverse();
        list
    }
}

const TAKEN: &str = r#"{"push":true,"pull":false}"#;
const NOT_TAKEN: &str = r#"{"push":false,"pull":false}"#;

fn beat(id: u32, payload: &str) -> String {
    okm(&["036334d0b8df1f05", "0002010203040506"], id, "2024-03-01T12:00:00Z", payload)
}

#[tokio::test]
async fn a_push_is_stored_once_with_its_readings() {
    let house = House::new(UnknownPolicy::Accept, CwmSettings::default()).await;
    let text = beat(1, r#"{"_hbt":{"act_temp":[920]}}"#);
    assert_eq!(house.push(&text).await, (200, TAKEN.into()));
    assert_eq!(house.push(&text).await, (200, TAKEN.into()));
    assert_eq!(house.verdicts().await, [Verdict::Ok, Verdict::Duplicate]);
    let data = house.store.read().data(DataFilter { limit: 9, ..DataFilter::default() }).await.unwrap();
    assert_eq!(data.len(), 1);
    assert_eq!((data[0].1.sensor.as_str(), &data[0].1.value), ("act_temp.0", &Value::Integer(920)));
    assert_eq!(data[0].1.time_created, Timestamp::parse("2024-03-01T12:00:00Z"));
    let family = FamilyName::new("cwm");
    let equipment = house.hub.device_by_address(&family, "036334D0B8DF1F05").unwrap();
    let module = house.hub.device_by_address(&family, "0002010203040506").unwrap();
    assert_eq!(equipment.parent, Some(module.names.id));
}

#[tokio::test]
async fn what_cannot_be_used_is_kept_and_confirmed_or_not_as_set() {
    let spoilt = beat(1, r#"{"a":1}"#).replace("{\"a\":1}", "{\"a\":2}");
    for (bad_messages, answer) in [(BadMessages::Quarantine, TAKEN), (BadMessages::Reject, NOT_TAKEN)] {
        let settings = CwmSettings { bad_messages, ..CwmSettings::default() };
        let house = House::new(UnknownPolicy::Accept, settings).await;
        assert_eq!(house.push(&spoilt).await, (200, answer.into()));
        assert_eq!(house.push(r#"{"_src":["#).await, (200, answer.into()));
        assert_eq!(house.verdicts().await, [Verdict::BadCrc, Verdict::Malformed]);
        let data = house.store.read().data(DataFilter { limit: 9, ..DataFilter::default() }).await.unwrap();
        assert_eq!(data, [], "nothing in it is believed");
        // The sound message that comes after its spoilt copy is no duplicate.
        assert_eq!(house.push(&beat(1, r#"{"a":1}"#)).await, (200, TAKEN.into()));
        assert_eq!(house.verdicts().await.last(), Some(&Verdict::Ok));
    }
}

#[tokio::test]
async fn a_device_that_is_not_let_in_is_refused_and_nothing_stored() {
    let house = House::new(UnknownPolicy::Refuse, CwmSettings::default()).await;
    let (status, body) = house.push(&beat(1, "{}")).await;
    assert_eq!(status, 403, "{body}");
    assert!(!body.contains("true"), "{body}");
    assert_eq!(house.verdicts().await, []);
}

#[tokio::test]
async fn a_store_that_cannot_take_it_is_never_called_taken() {
    let house = House::new(UnknownPolicy::Accept, CwmSettings::default()).await;
    assert_eq!(house.push(&beat(1, "{}")).await, (200, TAKEN.into()));
    house.store.close().await;
    assert_eq!(house.push(&beat(2, "{}")).await, (503, NOT_TAKEN.into()));
}

#[tokio::test]
async fn a_command_is_announced_pulled_and_answered() {
    let house = House::new(UnknownPolicy::Accept, CwmSettings::default()).await;
    let draft = house
        .cwm
        .draft(&CommandText {
            address: None,
            parent: None,
            cmd: "wr".into(),
            payload: r#"{"oke":{"port":"232","baud":115200}}"#.into(),
            dst: Some(vec!["0002010203040506".into()]),
            at: Timestamp::parse("2024-03-01T12:00:01Z").unwrap(),
        })
        .unwrap();
    let order = draft.into_order("user:test");
    let queued = house.hub.enqueue(order).await.unwrap();
    let beat = |id| okm(&["0002010203040506"], id, "2024-03-01T12:00:02Z", r#"{"_hbt":{"ti":40}}"#);
    assert_eq!(house.push(&beat(900)).await, (200, r#"{"push":true,"pull":true}"#.into()));
    let request = r#"{"devid":"0002010203040506","ts":"x"}"#;
    let (status, body) = house.ask("/pull", None, &format!("req={request}")).await;
    let bytes = String::from_utf8(queued.bytes.to_vec()).unwrap();
    assert_eq!((status, body), (200, format!(r#"{{"okm":{bytes},"pull":false}}"#)));
    let reply = okm(&["0002010203040506"], queued.wire_id.into(), "2024-03-01T12:00:09Z", r#"{"oke":true}"#);
    assert_eq!(house.push(&reply).await, (200, TAKEN.into()));
    let settled = house.store.read().command(queued.id).await.unwrap().unwrap();
    assert_eq!(settled.state.as_str(), "answered");
    assert_eq!(settled.reply.as_deref(), Some(reply.as_bytes()));
}
