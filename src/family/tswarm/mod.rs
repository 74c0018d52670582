//! Tswarm nodes (`tswarm-node.md`): ESP8266 boards with MicroPython that upload temperature and humidity over HTTP/1.0 and
//! sleep for five minutes.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `settings` | what the page leaves to the owner |
//! | `call` | one call: the state machine of §4 |
//! | `answer` | what a node hears |
//! | `basic` | the `Authorization` header, read with patience |
//! | `body`, `grammar` | bytes → what a node says |
//! | `readings` | numbers → readings, and what is odd about them |
//! | `logins` | names and secrets |
//! | `holds` | nodes that are held awake; what an owner decided about nodes |
//! | `books` | logins, holds and decisions in memory |
//! | `rejected` | calls that were turned away |
//! | `nodes` | what is remembered of each node since the start |
//! | `summary` | the answer for a node with a screen |
//! | `office` | what people do with nodes |
//! | `card` | the file that a new node is configured with |
//! | `simulator` | a pretend node |
//! | `truths` | what holds whatever comes in, for property tests and the fuzzer |

mod answer;
mod basic;
mod body;
mod books;
mod call;
mod card;
mod grammar;
mod holds;
mod logins;
mod nodes;
mod office;
mod readings;
mod rejected;
mod settings;
mod simulator;
mod summary;
#[cfg(any(test, fuzzing))]
pub mod truths;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use settings::TswarmSettings;

use self::books::Books;
use self::nodes::Nodes;
use self::rejected::Rejections;
use super::simulator::{Role, Simulator};
use super::swarm::Swarm;
use super::{Chore, CommandText, DraftText, Facts, Family, Invalid};
use crate::core::{Hub, HubError, Silence};
use crate::http::{BoxFuture, ListenerKind, Owner, RouteError, Routes, Takes, handler};
use crate::model::{Device, FamilyName};

/// The dialect.
pub struct Tswarm {
    name: FamilyName,
    settings: TswarmSettings,
    books: Books,
    nodes: Nodes,
    rejections: Rejections,
}

impl Tswarm {
    /// The dialect with its settings.
    pub fn new(settings: TswarmSettings) -> Self {
        Self {
            name: FamilyName::new(NAME),
            settings,
            books: Books::default(),
            nodes: Nodes::default(),
            rejections: Rejections::default(),
        }
    }

    /// Writes what was turned away, and keeps up with other servers on the same store, until `stop`.
    async fn keep_up(self: Arc<Self>, hub: Hub, stop: CancellationToken) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let goes_on = stop.run_until_cancelled(ticks.tick()).await.is_some();
            if let Err(error) = self.rejections.keep(&hub).await {
                tracing::warn!(%error, "calls that were turned away were not noted; the next time tries again");
            }
            if !goes_on {
                return;
            }
            if let Err(error) = self.books.read(&hub).await {
                tracing::warn!(%error, "logins of nodes were not read; the next time tries again");
            }
        }
    }

    async fn shown(&self, hub: &Hub, device: &Device) -> Result<Facts, HubError> {
        let books = self.books.opened(hub).await?;
        let node = &device.names.address;
        let logins = books.logins();
        let logins: Vec<&str> =
            logins.iter().filter(|login| login.admits(node)).map(|login| login.name.as_str()).collect();
        let mut facts = Facts::new();
        facts.insert("logins".to_owned(), json!(logins));
        if let Some(standing) = books.standing(node) {
            facts.insert("standing".to_owned(), json!(standing.as_str()));
        }
        if let Some(until) = books.held_until(node, hub.now()) {
            facts.insert("held_awake_until".to_owned(), json!(until));
        }
        if let Some(at) = books.stopped(node) {
            facts.insert("awake_since".to_owned(), json!(at));
        }
        if !hub.online(device) && device.last_seen.is_some() {
            facts.insert("silent".to_owned(), json!(SILENT));
        }
        if let Some(known) = self.nodes.known(node) {
            let beside = known.beside().clone();
            if beside.dropped > 0 {
                facts.insert("dropped".to_owned(), json!(beside.dropped));
            }
            let flags: Vec<_> = beside.flags.iter().map(|flag| flag.as_str()).collect();
            if !flags.is_empty() {
                facts.insert("flags".to_owned(), json!(flags));
            }
            if let Some(request) = beside.request {
                facts.insert("last_request".to_owned(), json!(request));
            }
        }
        Ok(facts)
    }
}

impl Family for Tswarm {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        let (swarm, of) = (Arc::clone(&self), hub.clone());
        let calls = handler(move |exchange| call::call(Arc::clone(&swarm), of.clone(), exchange));
        let (swarm, of) = (Arc::clone(&self), hub);
        let owner = Owner::new(calls)
            .takes(Takes::Every)
            .capped(self.settings.body_max_bytes)
            .within(self.settings.body_time_ms)
            .in_any_case()
            .unread(Arc::new(move |exchange, reject| {
                let reply = call::unread(&swarm, &of, &exchange, &reject);
                Box::pin(async move { reply })
            }));
        for path in PATHS {
            routes.add_owner(ListenerKind::Http, path, owner.clone())?;
        }
        Ok(())
    }

    fn draft(&self, _: &CommandText) -> Result<DraftText, Invalid> {
        Err(Invalid::new("device", "Tswarm nodes take no commands: they call, upload and sleep"))
    }

    fn dictionary(&self) -> Option<&'static str> {
        Some(include_str!("dictionary.toml"))
    }

    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        Box::pin(self.shown(hub, device))
    }

    fn silence(&self) -> &'static Silence {
        &SILENCE
    }

    fn swarm(&self) -> Option<&dyn Swarm> {
        Some(self)
    }

    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        vec![Box::pin(self.keep_up(hub.clone(), stop.clone()))]
    }

    fn simulator(&self, role: Role) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Node::new(role)))
    }
}

impl fmt::Debug for Tswarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tswarm").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "tswarm";
/// §4. A node's URL is a free setting; these are the ones that nodes were seen with, and ours.
const PATHS: [&str; 4] = ["/api/v1/tswarm", "/api/v1/tswarm/{node}", "/api/nodes/{node}", "/nodes/{node}"];
/// Nodes sleep 300 s; late after 11 minutes, offline after 16 (§8). What a node does of its own accord counts once it
/// is learned.
const SILENCE: Silence = Silence {
    set_lasts: Duration::from_secs(5),
    intervals: 3,
    more: Duration::from_mins(1),
    least: Duration::ZERO,
    late: None,
    pace: Some(Duration::from_mins(5)),
};
/// §1: what a node's silence mostly is.
const SILENT: &str = "a node that met an error, or was held awake, stays awake and silent until it is reset";
const READ_EVERY: Duration = Duration::from_secs(5);
