//! A swarm without sockets, so that the clock is the test's: repeats, ends of holds, silence, and the policy for unknown
//! nodes (`tswarm-node.md §4, §5, §8`).

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homeport::core::{DataFilter, Hub, HubError, HubSettings, MessageFilter, UnknownPolicy};
use homeport::family::tswarm::{Tswarm, TswarmSettings};
use homeport::family::{Added, Decision, Family as _, NewNode, Swarm};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, Device, DeviceState, FamilyName, Timestamp, Value, Verdict};
use homeport::store::{Store, Target, WriterSettings};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{HeaderMap, Method};
use secrecy::ExposeSecret as _;

use super::body;

struct House {
    store: Store,
    hub: Hub,
    swarm: Arc<Tswarm>,
    table: Table,
    clock: Arc<AtomicI64>,
}

const START: &str = "2024-03-01T12:00:00Z";
const BY: &str = "user:me";

impl House {
    async fn at(folder: &Path, unknown: UnknownPolicy) -> Self {
        let target = Target::Sqlite(folder.join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(Timestamp::parse(START).unwrap().micros()));
        let hands = Arc::clone(&clock);
        let clock_of = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let hub = Hub::start(store.clone(), clock_of, HubSettings { unknown, ..HubSettings::default() })
            .await
            .unwrap();
        let swarm = Arc::new(Tswarm::new(TswarmSettings::default()));
        hub.judge_silence(swarm.name(), swarm.silence());
        let mut routes = Routes::new();
        Arc::clone(&swarm).routes(hub.clone(), &mut routes).unwrap();
        Self { store, hub, swarm, table: routes.into_table(), clock }
    }

    async fn new(unknown: UnknownPolicy) -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Self::at(folder.path(), unknown).await, folder)
    }

    async fn close(self) {
        self.hub.settle().await;
        self.store.close().await;
    }

    fn swarm(&self) -> &dyn Swarm {
        self.swarm.as_ref()
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    async fn add(&self, wish: NewNode) -> Added {
        self.swarm().add(&self.hub, &wish, BY).await.unwrap()
    }

    async fn node(&self, name: &str) -> String {
        let wish = NewNode { node: Some(name.to_owned()), ..NewNode::default() };
        proof(&self.add(wish).await)
    }

    async fn any(&self) -> String {
        proof(&self.add(NewNode { login: Some("field".to_owned()), ..NewNode::default() }).await)
    }

    async fn say(&self, method: Method, path: &str, proof: &str, body: &str) -> u16 {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let (owner, params) = self.table.find(ListenerKind::Http, path).expect("the path is served");
        let reply = (owner.handler)(Exchange {
            method,
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers: HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(proof).unwrap())]),
            body: body.as_bytes().to_vec().into(),
            version: hyper::Version::HTTP_10,
            params,
            peer: Peer {
                addr: SocketAddr::from(([192, 0, 2, 7], 9)),
                listener: ListenerKind::Http,
                tls: None,
            },
        })
        .await;
        reply.status.as_u16()
    }

    async fn put(&self, node: &str, proof: &str, data: &str) -> u16 {
        self.say(Method::PUT, &format!("/nodes/{node}"), proof, &body(node, data)).await
    }

    async fn post(&self, node: &str, proof: &str, data: &str) -> u16 {
        self.say(Method::POST, &format!("/nodes/{node}"), proof, &body(node, data)).await
    }

    fn device(&self, node: &str) -> Device {
        self.hub.device_by_address(&FamilyName::new("tswarm"), node).expect("the node is known")
    }

    async fn temperatures(&self, node: &str) -> Vec<Value> {
        let filter = DataFilter {
            whose: self.device(node).names.id.into(),
            sensors: vec!["temperature".to_owned()],
            limit: 1000,
            ..DataFilter::default()
        };
        self.hub.data(filter).await.unwrap().into_iter().map(|(_, datum)| datum.value).collect()
    }

    async fn verdicts(&self) -> Vec<Verdict> {
        let found =
            self.hub.messages(MessageFilter { limit: 100, ..MessageFilter::default() }).await.unwrap();
        found.into_iter().rev().map(|message| message.verdict).collect()
    }

    async fn reasons(&self) -> Vec<String> {
        let found = self.swarm().rejected(&self.hub, 100).await.unwrap();
        found.iter().map(|call| call["reason"].as_str().unwrap().to_owned()).collect()
    }
}

fn proof(added: &Added) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", added.login, added.secret)))
}

fn whole(numbers: &[i64]) -> Vec<Value> {
    numbers.iter().copied().map(Value::Integer).collect()
}

#[tokio::test]
async fn the_same_body_within_five_seconds_is_one_reading() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let node = house.node("n").await;
    assert_eq!(house.put("n", &node, "1 40").await, 405);
    assert_eq!(house.post("n", &node, "1 40").await, 202);
    for (after, data) in [(0, "1 40"), (4, "1 40"), (1, "1 40"), (0, "2 40"), (0, "1 40")] {
        house.later(after);
        assert_eq!(house.put("n", &node, data).await, 202);
    }
    // After five seconds the same body is news; another one between two makes them two.
    assert_eq!(house.temperatures("n").await, whole(&[1, 1, 2, 1]));
    let verdicts: Vec<_> = house.verdicts().await.into_iter().map(Verdict::as_str).collect();
    assert_eq!(verdicts, ["ok", "duplicate", "duplicate", "ok", "ok", "ok"]);
    house.close().await;
}

#[tokio::test]
async fn two_that_come_at_once_are_one_reading() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let node = house.node("n").await;
    let both = tokio::join!(house.post("n", &node, "1 40"), house.post("n", &node, "1 40"));
    assert_eq!(both, (202, 202));
    assert_eq!(house.temperatures("n").await, whole(&[1]));
    house.close().await;
}

#[tokio::test]
async fn a_hold_has_an_end_and_counts_who_heeded_it() {
    let (house, folder) = House::new(UnknownPolicy::Hold).await;
    let (a, b) = (house.node("a").await, house.node("b").await);
    for (name, proof) in [("a", &a), ("b", &b)] {
        assert_eq!(house.post(name, proof, "1 40").await, 202);
    }
    let hold = house.swarm().hold(&house.hub, &[], Duration::from_mins(10), BY).await.unwrap();
    assert_eq!((hold.stopped, hold.of, hold.by.as_str()), (0, 2, BY));
    assert!(hold.warning.contains("do not sleep again"));
    house.later(10);
    assert_eq!(house.put("a", &a, "2 40").await, 423);
    let [now] = &house.swarm().holds(&house.hub).await.unwrap()[..] else { panic!("one hold") };
    assert_eq!((now.stopped, now.of, &now.id), (1, 2, &hold.id));
    // What was wished and who heeded it outlive the server.
    let at = house.clock.load(Ordering::SeqCst);
    house.close().await;
    let house = House::at(folder.path(), UnknownPolicy::Hold).await;
    house.clock.store(at, Ordering::SeqCst);
    let notes = house.swarm().nodes(&house.hub).await.unwrap();
    assert_eq!(notes[0].awake_since, Some(Timestamp::from_micros(at)));
    assert!(notes[0].held_until.is_some() && notes[1].awake_since.is_none());
    assert_eq!(house.put("b", &b, "2 40").await, 423);
    house.later(600);
    assert_eq!(house.put("b", &b, "3 40").await, 202, "the hold is over");
    assert!(house.swarm().holds(&house.hub).await.unwrap().is_empty());
    let notes = house.swarm().nodes(&house.hub).await.unwrap();
    assert!(notes[0].awake_since.is_some(), "a has not called since");
    assert!(notes[1].awake_since.is_none(), "b sleeps again");
    for (nodes, lasts) in [(vec!["c".to_owned()], 60), (vec![], 0), (vec![], 31 * 86_400)] {
        let refused = house.swarm().hold(&house.hub, &nodes, Duration::from_secs(lasts), BY).await;
        assert!(refused.is_err(), "{nodes:?} {lasts}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_login_for_any_node_follows_the_policy_for_unknown_devices() {
    for (policy, status, state) in [
        (UnknownPolicy::Accept, 202, Some(DeviceState::Active)),
        (UnknownPolicy::Hold, 202, Some(DeviceState::Held)),
        (UnknownPolicy::Refuse, 403, None),
    ] {
        let (house, _folder) = House::new(policy).await;
        let (any, named) = (house.any().await, house.node("named").await);
        assert_eq!(house.put("new", &any, "1 40").await, 405);
        assert_eq!(house.post("new", &any, "1 40").await, status);
        let found = house.hub.device_by_address(&FamilyName::new("tswarm"), "new");
        assert_eq!(found.map(|device| device.state), state);
        assert_eq!(house.reasons().await.contains(&"waiting_for_approval".to_owned()), status == 403);
        // Who was named by a person needs no more approval.
        assert_eq!(house.post("named", &named, "1 40").await, 202);
        assert_eq!(house.device("named").state, DeviceState::Active);
        house.close().await;
    }
}

#[tokio::test]
async fn names_that_do_not_belong_together_are_refused() {
    let (house, _folder) = House::new(UnknownPolicy::Accept).await;
    let a = house.node("a").await;
    house.node("b").await;
    for (path, name, status) in [
        ("/nodes/b", "a", 403),
        ("/nodes/a", "b", 403),
        ("/nodes/b", "b", 403),
        ("/api/v1/tswarm", "b", 403),
        ("/nodes/a", "", 400),
        ("/nodes/a%2Fb", "a", 400),
        ("/nodes/a", "A", 202),
        ("/api/v1/tswarm", "a", 202),
    ] {
        let heard = house.say(Method::POST, path, &a, &body(name, "1 40")).await;
        assert_eq!(heard, status, "{path} {name}");
    }
    // A body without a name is the path's; without either it is nobody's.
    assert_eq!(house.say(Method::POST, "/nodes/a", &a, r#"{"data":"2 40"}"#).await, 202);
    assert_eq!(house.say(Method::POST, "/api/v1/tswarm", &a, r#"{"data":"2 40"}"#).await, 400);
    // The original writes the login as the name.
    let wish = NewNode { node: Some("c".to_owned()), login: Some("user1".to_owned()), ..NewNode::default() };
    let c = proof(&house.add(wish).await);
    assert_eq!(house.say(Method::POST, "/nodes/c", &c, &body("user1", "1 40")).await, 202);
    assert_eq!(house.say(Method::POST, "/api/v1/tswarm", &c, &body("user1", "2 40")).await, 202);
    assert_eq!(house.temperatures("c").await, whole(&[1, 2]));
    house.close().await;
}

#[tokio::test]
async fn nodes_are_disabled_revoked_and_let_in_again() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let n = house.node("n").await;
    assert_eq!(house.post("n", &n, "1 40").await, 202);
    let decide = async |decision| house.swarm().decide(&house.hub, "N", decision, BY).await.unwrap().state;
    assert_eq!(decide(Decision::Disable).await, "disabled");
    assert_eq!(house.put("n", &n, "2 40").await, 202);
    assert_eq!(house.put("n", &n, "3 40").await, 202);
    let [note] = &house.swarm().nodes(&house.hub).await.unwrap()[..] else { panic!("one node") };
    assert_eq!((note.dropped, note.state), (2, "disabled"));
    assert_eq!(decide(Decision::Enable).await, "active");
    assert_eq!(house.put("n", &n, "4 40").await, 202);
    assert_eq!(house.temperatures("n").await, whole(&[1, 4]));
    assert_eq!(decide(Decision::Revoke).await, "revoked");
    assert_eq!(house.put("n", &n, "5 40").await, 401);
    assert_eq!(house.any().await.len(), house.any_again().await.len());
    let any = house.any_again().await;
    assert_eq!(house.put("n", &any, "5 40").await, 401, "whoever says it is that node");
    // Added again: the old secret is nobody's.
    let again = house.node("n").await;
    assert_eq!(house.put("n", &n, "6 40").await, 401);
    assert_eq!(house.put("n", &again, "6 40").await, 202);
    house.hub.block(&house.device("n").names.id).await.unwrap();
    assert_eq!(house.put("n", &again, "7 40").await, 401);
    let unknown = house.swarm().decide(&house.hub, "nobody", Decision::Disable, BY).await;
    assert_eq!(unknown.unwrap_err(), HubError::NotFound("node"));
    house.close().await;
}

impl House {
    async fn any_again(&self) -> String {
        let wish = NewNode { login: Some("field".to_owned()), renew: true, ..NewNode::default() };
        proof(&self.add(wish).await)
    }
}

#[tokio::test]
async fn a_new_secret_ends_the_old_one() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let old = house.node("n").await;
    let wish = NewNode { node: Some("n".to_owned()), ..NewNode::default() };
    let error = house.swarm().add(&house.hub, &wish, BY).await.unwrap_err();
    assert!(matches!(error, HubError::Conflict { field: "login", .. }), "{error}");
    let new = proof(&house.add(NewNode { renew: true, ..wish }).await);
    assert_eq!((house.post("n", &old, "1 40").await, house.post("n", &new, "1 40").await), (401, 202));
    for (node, login) in [(Some("nöde"), None), (Some("a b"), None), (None, None), (Some("n2"), Some("a:b"))]
    {
        let wish =
            NewNode { node: node.map(str::to_owned), login: login.map(str::to_owned), ..NewNode::default() };
        assert!(house.swarm().add(&house.hub, &wish, BY).await.is_err(), "{node:?} {login:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_token_of_the_device_stands_for_the_node() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let node = house.hub.create(&FamilyName::new("tswarm"), "n", None).await.unwrap();
    let other = house.hub.create(&FamilyName::new("mcu"), "7", None).await.unwrap();
    let token = house.hub.issue_device_token(&node.names.id, BY).await.unwrap();
    let bearer = format!("Bearer {}", token.expose_secret());
    assert_eq!(house.put("n", &bearer, "1 40").await, 202);
    assert_eq!(house.post("m", &bearer, "1 40").await, 403);
    let strange = house.hub.issue_device_token(&other.names.id, BY).await.unwrap();
    assert_eq!(house.put("n", &format!("Bearer {}", strange.expose_secret()), "2 40").await, 403);
    house.hub.revoke_device_tokens(&node.names.id, None, BY).await.unwrap();
    assert_eq!(house.put("n", &bearer, "3 40").await, 401);
    assert_eq!(house.temperatures("n").await, whole(&[1]));
    house.close().await;
}

#[tokio::test]
async fn silence_is_judged_by_the_nodes_own_pace() {
    let (house, _folder) = House::new(UnknownPolicy::Hold).await;
    let n = house.node("n").await;
    assert_eq!(house.post("n", &n, "0 40").await, 202);
    let presence = |after: i64| {
        house.later(after);
        let presence = house.hub.presence(&house.device("n"));
        house.later(-after);
        (presence.online, presence.late)
    };
    // 2 and 3 times 300 s and a minute: 11 and 16 minutes.
    assert_eq!([presence(660), presence(661)], [(true, false), (true, true)]);
    assert_eq!([presence(960), presence(961)], [(true, true), (false, true)]);
    for n_th in 1..10 {
        house.later(60);
        assert_eq!(house.put("n", &n, &format!("{n_th} 40")).await, 202);
    }
    assert_eq!([presence(180), presence(181)], [(true, false), (true, true)], "one that calls each minute");
    assert_eq!([presence(240), presence(241)], [(true, true), (false, true)]);
    house.close().await;
}
