//! The Murata SCA11H bed sensor in cloud mode (`sca11h.md`): plain HTTP, XML in, parameters out.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | settings: what the page leaves unknown, with its defaults |
//! | `allow` | who may call |
//! | `push` | `/data/push/` |
//! | `body`, `xml`, `salvage` | bytes → what each node says: XML, or what can be saved of it |
//! | `rows`, `columns` | text → rows |
//! | `clock` | when a row was measured |
//! | `repeats`, `beats` | rows and beats that came before |
//! | `follow` | rows → samples and readings |
//! | `nodes` | what is known of each node; found again after a start |
//! | `peers` | one node id from two peers |
//! | `truths` | what holds whatever comes in, for property tests and the fuzzer |
//! | `first` | the head of a node's first request |
//! | `refused` | what a node hears when nothing could be stored |
//! | `identity` | node id and MAC → the address of one device |
//! | `habits` | what an owner set about one node |
//! | `asked` | what a node says when it syncs |
//! | `sync` | the parameter sync: one exchange |
//! | `pars` | the six parameters: read, checked, written |
//! | `change` | a change of them: words → bytes, and what became of it |
//! | `parameters` | what is known of a node's parameters and versions |
//! | `formula`, `calibration` | parameters from a node's own history |
//! | `firmware` | files for nodes, and what an owner adds to replies about them |
//! | `logs` | the original server's log files |
//! | `presence` | who lies in the bed, moves and shows vital signs, from one second to the next; pure |
//! | `recall` | a bed after a restart, from what is stored of it |
//! | `sample` | one second of a bed, as every other file understands it |
//! | `simulator/` | a pretend node for rehearsals |

mod allow;
mod asked;
mod beats;
mod body;
mod calibration;
mod change;
mod clock;
mod columns;
mod firmware;
mod first;
mod follow;
mod formula;
mod habits;
mod identity;
mod logs;
mod names;
mod nodes;
mod parameters;
mod pars;
mod peers;
mod presence;
mod push;
mod recall;
mod refused;
mod repeats;
mod rows;
mod salvage;
mod sample;
mod simulator;
mod sync;
#[cfg(any(test, fuzzing))]
pub mod truths;
mod xml;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value as Json, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use names::{NoChangeReply, ReplyFraming, Sca11hSettings};
pub use presence::PresenceSettings;

use self::allow::Allowed;
use self::first::FirstRequest;
use self::habits::{Habits, WishTable};
use self::identity::Identities;
use self::logs::Logs;
use self::nodes::Nodes;
use self::peers::Conflict;
use super::simulator::{Role, Simulator};
use super::turns::Turns;
use super::{CalibrateFrom, Calibration, Chore, CommandText, DraftText, Facts, Family, Invalid, Template};
use crate::core::{Hub, HubError, Silence};
use crate::http::{
    BoxFuture, Exchange, Handler, ListenerKind, Owner, Reject, Reply, RouteError, Routes, Takes, handler,
};
use crate::model::{CommandRecord, Device, DeviceId, FamilyName};

/// The dialect.
pub struct Sca11h {
    name: FamilyName,
    settings: Arc<Sca11hSettings>,
    allowed: Allowed,
    identities: Identities,
    wishes: WishTable,
    /// Syncs of one node wait for each other.
    syncs: Turns,
    nodes: Nodes,
    /// Set when the server starts, if the owner wants them.
    logs: OnceLock<Logs>,
}

impl Sca11h {
    /// The dialect with its settings.
    pub fn new(settings: Sca11hSettings) -> Self {
        Self {
            name: FamilyName::new(NAME),
            // `Sca11hSettings::check` refused a list that cannot be read.
            allowed: Allowed::parse(&settings.allow_peers).unwrap_or_default(),
            identities: Identities::default(),
            wishes: WishTable::default(),
            syncs: Turns::default(),
            nodes: Nodes::default(),
            logs: OnceLock::new(),
            settings: Arc::new(settings),
        }
    }

    /// What holds for a device: its own settings over those of the family.
    async fn habits(&self, hub: &Hub, device: &DeviceId) -> Result<Habits, HubError> {
        self.wishes.habits(hub, device, &self.settings).await
    }

    /// Where the node's paths are served. `GET /` is the pages' on the TLS listener.
    fn listeners(&self) -> &'static [ListenerKind] {
        if self.settings.https { &[ListenerKind::Http, ListenerKind::Https] } else { &[ListenerKind::Http] }
    }

    /// A path's handler, for peers that may call.
    fn answers<R>(self: &Arc<Self>, hub: &Hub, answer: fn(Arc<Self>, Hub, Exchange) -> R) -> Handler
    where
        R: Future<Output = Reply> + Send + 'static,
    {
        let (sca, hub) = (Arc::clone(self), hub.clone());
        handler(move |exchange| {
            let admitted = sca.allowed.admits(exchange.peer.addr.ip());
            let (sca, hub) = (Arc::clone(&sca), hub.clone());
            async move {
                if admitted {
                    return answer(sca, hub, exchange).await;
                }
                let line = format!("{} is not in sca11h.allow_peers", exchange.peer.addr.ip());
                Reject::forbidden("this peer is not let in").log(line).into_reply()
            }
        })
    }

    async fn shown(&self, hub: &Hub, device: &Device) -> Result<Facts, HubError> {
        let mut facts = Facts::new();
        let (id, address) = (&device.names.id, &device.names.address);
        facts.insert("macs".to_owned(), json!(self.identities.macs(hub, address).await?));
        if let Some(own) = self.wishes.shown(hub, id).await? {
            facts.insert("settings".to_owned(), own);
        }
        parameters::facts(hub, device, &mut facts).await?;
        firmware::facts(hub, device, &mut facts).await?;
        if let Some(conflict) = hub.kept::<Conflict>(id.as_str()).await? {
            let lasts = conflict.lasts(hub.now());
            facts.insert(
                "conflict".to_owned(),
                json!({ "peers": conflict.peers, "at": conflict.at, "lasts": lasts }),
            );
        }
        if let Some(node) = self.nodes.heard(id) {
            let beside = node.lock().await.beside.clone();
            facts.extend(beside.shown());
        }
        let mut first = Facts::new();
        for (_, request) in hub.kept_all::<FirstRequest>(Some(id), None, 4).await? {
            first.insert(request.kind().to_owned(), serde_json::to_value(&request).unwrap_or_default());
        }
        if !first.is_empty() {
            facts.insert("first_requests".to_owned(), Json::Object(first));
        }
        Ok(facts)
    }

    /// Keeps up with other servers on the same store, until `stop`.
    async fn keep_up(self: Arc<Self>, hub: Hub, stop: CancellationToken) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            for read in [self.identities.read(&hub).await, self.wishes.read(&hub).await] {
                if let Err(error) = read {
                    tracing::warn!(%error, "settings of nodes were not read; the next time tries again");
                }
            }
        }
    }
}

impl Family for Sca11h {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        if let Some(folder) = &self.settings.log_folder {
            self.logs.get_or_init(|| Logs::new(folder, hub.now()));
        }
        let push =
            Owner::new(self.answers(&hub, push::push)).takes(Takes::Only(push::METHODS)).capped(BODY_MAX);
        for listener in self.listeners() {
            routes.add_owner(*listener, "/data/push", push.clone())?;
        }
        let alive = handler(|_| async { Reply::bytes(StatusCode::OK, ALIVE_TYPE, ALIVE) });
        routes.add_read(ListenerKind::Http, "/", alive)?;
        let sync = Owner::new(self.answers(&hub, sync::sync)).capped(BODY_MAX);
        for listener in self.listeners() {
            routes.add_owner(*listener, "/firmware/device/{mac}", sync.clone())?;
            let file = self.answers(&hub, firmware::answer);
            routes.add_read(*listener, "/firmware/files/{id}/{name}", file)?;
        }
        Ok(())
    }

    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        vec![Box::pin(self.keep_up(hub.clone(), stop.clone()))]
    }

    fn address(&self, typed: &str) -> String {
        identity::canonical(typed)
    }

    fn templates(&self) -> Vec<Template> {
        change::templates()
    }

    fn delivery(&self, command: &CommandRecord) -> Option<&'static str> {
        change::pars_of(command).map(|_| change::delivery(command))
    }

    fn calibrate<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        from: &'a CalibrateFrom,
    ) -> BoxFuture<'a, Result<Calibration, HubError>> {
        Box::pin(calibration::calibrate(hub, device, from))
    }

    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid> {
        change::draft(text)
    }

    fn simulator(&self, role: Role) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Node::new(role)))
    }

    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        Box::pin(self.shown(hub, device))
    }

    fn wish<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        name: &'a str,
        wish: &'a Json,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        Box::pin(async move {
            if name == firmware::WISH {
                return firmware::wish(hub, device, wish).await.map(|()| true);
            }
            self.wishes.set(hub, device, name, wish).await
        })
    }

    fn dictionary(&self) -> Option<&'static str> {
        Some(include_str!("dictionary.toml"))
    }

    fn silence(&self) -> &'static Silence {
        &SILENCE
    }
}

impl fmt::Debug for Sca11h {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sca11h").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "sca11h";
/// Offline after three report intervals and 10 s (§11). The shortest interval is 5 s (§1.1), so messages that come a
/// little early are no set.
const SILENCE: Silence = Silence {
    set_lasts: Duration::from_secs(1),
    intervals: 3,
    more: Duration::from_secs(10),
    least: Duration::ZERO,
    late: None,
    pace: None,
};
/// What set-up guides tell people to look for (§3.1).
const ALIVE: &[u8] = b"Flask server is running!";
const ALIVE_TYPE: &str = "text/html; charset=utf-8";
/// §8. A push of 90 rows has less than 8 KiB.
const BODY_MAX: usize = 256 * 1024;
const READ_EVERY: Duration = Duration::from_mins(1);
