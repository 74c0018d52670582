//! The SCA11H's parameter sync on a real store, without sockets: what becomes of a change, day after day
//! (`sca11h.md §5`).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use homeport::core::{CommandFilter, Hub, HubSettings, UnknownPolicy};
use homeport::family::sca11h::{NoChangeReply, Sca11h, Sca11hSettings};
use homeport::family::{CommandText, Family as _};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, CommandRecord, Device, Direction, FamilyName, Timestamp, Verdict};
use homeport::store::{MessageFilter, Store, Target, WriterSettings};
use hyper::Method;
use serde_json::{Value as Json, json};

const MAC: &str = "00:11:22:33:44:55";
const ADDRESS: &str = "001122334455";
const OLD: &str = "6000,300,4000,0,1500,7";
const NEW: &str = "7000,270,5000,0,1400,7";

struct House {
    hub: Hub,
    sca: Arc<Sca11h>,
    table: Table,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new(unknown: UnknownPolicy, settings: Sca11hSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let hands = Arc::clone(&clock);
        let clock_of = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let hub_settings = HubSettings { unknown, ..HubSettings::default() };
        let hub = Hub::start(store, clock_of, hub_settings).await.unwrap();
        let sca = Arc::new(Sca11h::new(settings));
        let mut routes = Routes::new();
        Arc::clone(&sca).routes(hub.clone(), &mut routes).unwrap();
        Self { hub, sca, table: routes.into_table(), clock, _folder: folder }
    }

    async fn usual() -> Self {
        Self::new(UnknownPolicy::Accept, Sca11hSettings::default()).await
    }

    /// A day goes by, and whatever happens of itself meanwhile.
    async fn a_day_later(&self) {
        self.clock.fetch_add(86_400_000_000, Ordering::SeqCst);
        self.hub.sweep().await.unwrap();
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> (u16, String) {
        let (owner, params) = self.table.find(ListenerKind::Http, path).expect("the path is served");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let reply = (owner.handler)(Exchange {
            method,
            path: path.to_owned(),
            query: None,
            headers: hyper::HeaderMap::new(),
            body: body.to_owned().into(),
            version: hyper::Version::HTTP_11,
            params,
            peer: Peer { addr, listener: ListenerKind::Http, tls: None },
        })
        .await;
        (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
    }

    /// A sync of the node that reports these parameters; gives what it hears.
    async fn sync(&self, pars: &str) -> String {
        let body = json!({ "name": MAC, "fw_ver": "1.0", "pars": pars }).to_string();
        let (status, reply) = self.ask(Method::POST, &format!("/firmware/device/{MAC}/"), &body).await;
        assert_eq!(status, 200, "{reply}");
        reply
    }

    fn device(&self) -> Device {
        self.hub.device_by_address(&FamilyName::new("sca11h"), ADDRESS).expect("the node is known")
    }

    async fn queue(&self, pars: &str) -> CommandRecord {
        let draft = self
            .sca
            .draft(&CommandText {
                address: Some(MAC.to_owned()),
                parent: None,
                cmd: "pars".to_owned(),
                payload: json!(pars).to_string(),
                dst: None,
                at: self.hub.now(),
            })
            .unwrap();
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
        self.hub.enqueue(draft.into_order("user:test")).await.unwrap()
    }

    async fn parameters(&self) -> Json {
        self.sca.facts(&self.hub, &self.device()).await.unwrap()["parameters"].clone()
    }

    async fn change(&self) -> String {
        self.parameters().await["change"]["state"].as_str().unwrap_or("none").to_owned()
    }

    async fn states(&self) -> Vec<String> {
        let filter = CommandFilter { limit: 20, ..CommandFilter::default() };
        let commands = self.hub.commands(filter).await.unwrap();
        commands.iter().map(|command| format!("{} {}", command.state.as_str(), command.attempts)).collect()
    }

    /// What is in the ledger, oldest first.
    async fn ledger(&self) -> Vec<(Direction, Verdict, String)> {
        let filter = MessageFilter { limit: 50, ..MessageFilter::default() };
        let messages = self.hub.messages(filter).await.unwrap();
        let line = |message: homeport::model::MessageRecord| {
            (message.direction, message.verdict, String::from_utf8_lossy(&message.raw).into_owned())
        };
        messages.into_iter().rev().map(line).collect()
    }
}

fn reply(pars: &str) -> String {
    format!(r#"{{"pars":"{pars}"}}"#)
}

#[tokio::test]
async fn a_change_is_pending_then_sent_then_confirmed() {
    let house = House::usual().await;
    assert_eq!(house.sync(OLD).await, "{}");
    let queued = house.queue(NEW).await;
    assert_eq!(house.change().await, "pending");
    house.a_day_later().await;
    assert_eq!(house.sync(OLD).await, reply(NEW));
    assert_eq!(house.change().await, "sent");
    house.a_day_later().await;
    assert_eq!(house.change().await, "sent", "a day is no reason to send it again");
    assert_eq!(house.sync(NEW).await, "{}");
    assert_eq!(house.change().await, "confirmed");
    let settled = house.hub.command(&queued.id).await.unwrap().unwrap();
    assert_eq!((settled.state.as_str(), settled.attempts), ("answered", 1));
    let parameters = house.parameters().await;
    assert_eq!(parameters["reported"], NEW);
    assert_eq!(parameters["fields"]["signal_range"], 1400);
    assert_eq!(parameters["drift"], Json::Null);
    assert_eq!(parameters["history"].as_array().map(Vec::len), Some(2));
    let ways: Vec<_> = house.ledger().await.into_iter().map(|(way, verdict, _)| (way, verdict)).collect();
    let (heard, said) = ((Direction::In, Verdict::Ok), (Direction::Out, Verdict::None));
    assert_eq!(ways, [heard, heard, said, heard]);
    assert_eq!(house.ledger().await[2].2, reply(NEW), "the ledger has what was sent");
}

#[tokio::test]
async fn a_node_that_does_not_apply_a_change_gets_it_three_times() {
    let house = House::usual().await;
    house.queue(NEW).await;
    for time in 1..=3 {
        assert_eq!(house.sync(OLD).await, reply(NEW), "time {time}");
        assert_eq!(house.change().await, if time == 1 { "sent" } else { "not_applied" });
        house.a_day_later().await;
    }
    assert_eq!(house.sync(OLD).await, "{}");
    let parameters = house.parameters().await;
    assert_eq!(parameters["change"]["state"], "not_applied");
    assert_eq!(parameters["change"]["given_up"], true);
    assert_eq!(house.states().await, ["failed 3"]);
}

#[tokio::test]
async fn a_change_that_comes_late_is_confirmed_all_the_same() {
    let house = House::usual().await;
    house.queue(NEW).await;
    assert_eq!(house.sync(OLD).await, reply(NEW));
    assert_eq!(house.sync(OLD).await, reply(NEW));
    for _ in 0..10 {
        house.a_day_later().await;
    }
    assert_eq!(house.sync("7000, 0270,5000,0,1400,7").await, "{}", "spelled in its own way");
    assert_eq!(house.change().await, "confirmed");
}

#[tokio::test]
async fn the_newest_change_overtakes_those_before_it() {
    let other = "8000,270,5000,0,1400,7";
    let house = House::usual().await;
    for pars in ["7100,270,5000,0,1400,7", "7200,270,5000,0,1400,7", NEW] {
        house.queue(pars).await;
    }
    assert_eq!(house.sync(OLD).await, reply(NEW));
    assert_eq!(house.states().await, ["sent 1", "cancelled 0", "cancelled 0"]);
    house.queue(other).await;
    assert_eq!(house.sync(OLD).await, reply(other), "what was sent is given up for what is wanted now");
    assert_eq!(house.states().await[..2], ["sent 1", "failed 1"]);
    let last = house.queue(NEW).await;
    assert_eq!(
        house.sync(other).await,
        reply(NEW),
        "one is confirmed and the next goes out in the same sync"
    );
    assert_eq!(house.states().await[..2], ["sent 1", "answered 1"]);
    assert_eq!(house.hub.command(&last.id).await.unwrap().unwrap().state.as_str(), "sent");
}

#[tokio::test]
async fn a_node_that_does_not_say_what_it_has_proves_nothing() {
    let house = House::usual().await;
    house.queue(NEW).await;
    let path = format!("/firmware/device/{MAC}");
    assert_eq!(house.ask(Method::POST, &path, "{}").await, (200, reply(NEW)), "it can be sent all the same");
    for body in ["{}", r#"{"pars":"none"}"#, r#"{"pars":null,"name":"00:11:22:33:44:55"}"#] {
        assert_eq!(house.ask(Method::PUT, &path, body).await, (200, "{}".into()), "{body}");
    }
    assert_eq!(house.states().await, ["sent 1"]);
    let body = r#"{"pars":[7000,270,5000,1400,7]} and more"#;
    assert_eq!(house.ask(Method::GET, &path, body).await, (200, "{}".into()), "a GET with a body counts");
    assert_eq!(house.states().await, ["answered 1"], "five fields are enough");
}

#[tokio::test]
async fn a_get_without_a_body_looks_and_leaves_no_trace() {
    let house = House::usual().await;
    let path = format!("/firmware/device/{MAC}/");
    assert_eq!(house.ask(Method::GET, &path, "").await, (200, "{}".into()));
    assert!(house.hub.device_by_address(&FamilyName::new("sca11h"), ADDRESS).is_none());
    house.queue(NEW).await;
    assert_eq!(house.ask(Method::GET, &path, " \r\n").await, (200, reply(NEW)));
    assert_eq!(house.states().await, ["queued 0"]);
    assert_eq!(house.ledger().await, []);
    assert_eq!(house.sync(OLD).await, reply(NEW));
    assert_eq!(house.ask(Method::GET, &path, "").await, (200, reply(NEW)), "it is not confirmed yet");
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_answered_with_nothing() {
    let house = House::usual().await;
    house.queue(NEW).await;
    let path = format!("/firmware/device/{MAC}/");
    for body in ["{", "pars=1", "[]", ""] {
        assert_eq!(house.ask(Method::POST, &path, body).await, (200, "{}".into()), "{body}");
    }
    assert_eq!(house.states().await, ["queued 0"], "nothing was delivered");
    let ledger = house.ledger().await;
    assert!(ledger.iter().all(|(_, verdict, _)| *verdict == Verdict::Malformed));
    assert_eq!(ledger.iter().map(|(_, _, raw)| raw.as_str()).collect::<Vec<_>>(), ["{", "pars=1", "[]", ""]);
}

#[tokio::test]
async fn nobody_is_commanded_before_a_person_says_so() {
    let house = House::new(UnknownPolicy::Hold, Sca11hSettings::default()).await;
    assert_eq!(house.sync(OLD).await, "{}");
    assert_eq!(house.device().state.as_str(), "held");
    house.queue(NEW).await;
    assert_eq!(house.sync(OLD).await, reply(NEW), "who queues a command lets the node in");
}

#[tokio::test]
async fn a_node_may_want_to_hear_its_own_parameters() {
    let settings = Sca11hSettings { no_change_reply: NoChangeReply::Echo, ..Sca11hSettings::default() };
    let house = House::new(UnknownPolicy::Accept, settings).await;
    assert_eq!(house.sync("6000, 300,4000,0,1500,7").await, reply(OLD));
    assert_eq!(house.sync("odd").await, reply("odd"));
    let path = format!("/firmware/device/{MAC}/");
    assert_eq!(house.ask(Method::POST, &path, "{}").await, (200, "{}".into()));
}

#[tokio::test]
async fn parameters_that_nobody_set_are_told() {
    let house = House::usual().await;
    house.sync(OLD).await;
    house.a_day_later().await;
    house.sync(NEW).await;
    let drift = house.parameters().await["drift"].clone();
    assert_eq!((&drift["from"], &drift["to"]), (&json!(OLD), &json!(NEW)));
    house.queue(NEW).await;
    house.sync(NEW).await;
    assert_eq!(house.parameters().await["drift"], Json::Null, "somebody wants what it has");
}

#[tokio::test]
async fn one_node_has_one_address_however_it_is_spelled() {
    let house = House::usual().await;
    for path in [
        "00:11:22:33:44:55",
        "00-11-22-33-44-55",
        "0011.2233.4455/",
        "001122334455",
        "00%3A11%3A22%3A33%3A44%3A55/",
    ] {
        let (status, _) = house.ask(Method::POST, &format!("/firmware/device/{path}"), "{}").await;
        assert_eq!(status, 200, "{path}");
    }
    assert_eq!(house.hub.children(&house.device().names.id), []);
    assert_eq!(house.hub.device_counts().0.values().sum::<usize>(), 1);
    assert_eq!(house.parameters().await["mac"], "00:11:22:33:44:55");
}

#[tokio::test]
async fn who_does_not_prove_itself_hears_nothing() {
    let house = House::usual().await;
    house.queue(NEW).await;
    let wish = json!({ "user": "bed", "password": "secret" });
    house.sca.wish(&house.hub, &house.device(), "credentials", &wish).await.unwrap();
    let path = format!("/firmware/device/{MAC}/");
    for (method, body) in [(Method::POST, "{\"pars\":\"1\"}"), (Method::POST, "{"), (Method::GET, "")] {
        let (status, reply) = house.ask(method, &path, body).await;
        assert_eq!(status, 403, "{body}");
        assert!(!reply.contains("7000"), "{reply}");
    }
    assert_eq!((house.states().await, house.ledger().await), (vec!["queued 0".to_owned()], vec![]));
}

#[tokio::test]
async fn a_blocked_node_is_refused_and_an_impossible_one_is_kept() {
    let house = House::usual().await;
    house.sync(OLD).await;
    house.hub.block(&house.device().names.id).await.unwrap();
    let path = format!("/firmware/device/{MAC}/");
    assert_eq!(house.ask(Method::POST, &path, "{}").await.0, 403);
    let long = format!("/firmware/device/{}/", "x".repeat(65));
    assert_eq!(house.ask(Method::POST, &long, "{}").await, (200, "{}".into()));
    let last = house.ledger().await.pop().unwrap();
    assert_eq!((last.1, last.2.as_str()), (Verdict::Malformed, "{}"));
}

#[tokio::test]
async fn syncs_at_the_same_time_hand_a_change_out_once() {
    let house = House::usual().await;
    house.queue(NEW).await;
    let body = "{}";
    let path = format!("/firmware/device/{MAC}/");
    let asks = (0..8).map(|_| house.ask(Method::POST, &path, body));
    let replies = futures_of(asks).await;
    assert_eq!(replies.iter().filter(|(_, reply)| reply.contains(NEW)).count(), 1);
    assert_eq!(house.states().await, ["sent 1"]);
}

/// Waits for all of them, which are under way at the same time.
async fn futures_of<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut open = false;
        for (one, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            match one.as_mut().poll(cx) {
                std::task::Poll::Ready(output) => *done = Some(output),
                std::task::Poll::Pending => open = true,
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn versions_are_shown_with_those_before() {
    let house = House::usual().await;
    let path = format!("/firmware/device/{MAC}/");
    for version in ["1.0", "1.0", "2.0"] {
        let body = json!({ "fw_ver": version, "bcg": { "version": "3" } }).to_string();
        house.ask(Method::POST, &path, &body).await;
        house.a_day_later().await;
    }
    let facts = house.sca.facts(&house.hub, &house.device()).await.unwrap();
    assert_eq!(facts["versions"], json!({ "bcg.version": "3", "fw_ver": "2.0" }));
    assert_eq!(facts["versions_history"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_log_of_the_original_has_three_lines_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Sca11hSettings { log_folder: Some(folder.path().to_owned()), ..Sca11hSettings::default() };
    let house = House::new(UnknownPolicy::Accept, settings).await;
    house.sync(OLD).await;
    house.queue(NEW).await;
    house.sync(OLD).await;
    let file = folder.path().join("parameterSync_1800000000.txt");
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        text,
        format!(
            "Fri, 15 Jan 2027 08:00:00 +0000\n{MAC} old Parameters: {OLD}\n{MAC} new Parameters: {OLD}\n\
             Fri, 15 Jan 2027 08:00:01 +0000\n{MAC} old Parameters: {OLD}\n{MAC} new Parameters: {NEW}\n"
        )
    );
}

#[tokio::test]
async fn a_change_waits_for_several_days_and_not_for_ever() {
    let house = House::usual().await;
    let queued = house.queue(NEW).await;
    assert_eq!(queued.expires, queued.created.plus(Duration::from_hours(14 * 24)));
    for _ in 0..15 {
        house.a_day_later().await;
    }
    assert_eq!(house.states().await, ["expired 0"]);
    house.sync(OLD).await;
    assert_eq!(house.change().await, "expired");
}

#[tokio::test]
async fn what_was_sent_and_given_up_is_no_drift_when_it_comes_after_all() {
    let house = House::usual().await;
    house.queue(NEW).await;
    assert_eq!(house.sync(OLD).await, reply(NEW));
    for _ in 0..15 {
        house.a_day_later().await;
    }
    assert_eq!(house.states().await, ["expired 1"]);
    house.sync(NEW).await;
    assert_eq!(house.parameters().await["drift"], Json::Null);
    house.sync(OLD).await;
    assert_eq!(house.parameters().await["drift"]["to"], OLD, "and back again it is");
}
