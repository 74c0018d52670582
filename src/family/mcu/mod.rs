//! Microcontrollers over WebSocket (`websocket-mcu.md`): CSV samples in, `n,value` commands out.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | settings: what the page leaves unknown, with its defaults |
//! | `handshake` | the opening handshake, byte for byte, and the rule about origins |
//! | `sample` | a message → a board's number and its values |
//! | `series` | what a send counter tells: losses, restarts, repeats |
//! | `session` | one connection as a state machine: pace, silence, whom it speaks for |
//! | `profile`, `profiles` | what boards of one kind send and take; who has which |
//! | `draft` | an operator's words → exact bytes |
//! | `boards` | which board speaks on which connection, and what was noticed of it |
//! | `entry` | a request for a connection |
//! | `talk` | a connection: frames in, commands out |
//! | `intake` | a message on its way to the store |
//! | `simulator` | a pretend board, for `homeport simulate` |
//! | `days/` | day files: written, made for any day, taken in |
//! | `dictionary.toml` | what the server itself tells of a board |

mod boards;
mod days;
mod draft;
mod entry;
mod handshake;
mod intake;
mod names;
mod profile;
mod profiles;
mod sample;
mod series;
mod session;
mod simulator;
mod talk;

use std::fmt;
use std::future::ready;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use days::Zone;
pub use names::{Access, McuSettings, Pair, PathKey};
pub use profile::{Action, Column, Decimal, Profile, Takes};

use self::boards::Boards;
use self::days::Writer;
use self::profiles::Profiles;
use super::simulator::{Role, Simulator};
use super::{Chore, CommandText, Control, ControlKind, Days, DraftText, Facts, Family, Invalid, Template};
use crate::core::{Hub, HubError, Silence};
use crate::http::{self, BoxFuture, ListenerKind, Owner, RouteError, Routes, handler};
use crate::model::{Device, DeviceRef, FamilyName};

/// The dialect.
pub struct Mcu {
    name: FamilyName,
    settings: Arc<McuSettings>,
    profiles: Arc<Profiles>,
    boards: Boards,
    /// How many connections there were.
    links: AtomicU64,
    /// Made before the first message can come; taken by its chore.
    writer: Mutex<Option<Writer>>,
    /// Old files are taken in one after the other, so that none is taken in twice.
    importing: tokio::sync::Mutex<()>,
}

impl Mcu {
    /// The dialect with its settings.
    pub fn new(settings: McuSettings) -> Self {
        Self {
            name: FamilyName::new(NAME),
            profiles: Arc::new(Profiles::new(&settings.profiles)),
            settings: Arc::new(settings),
            boards: Boards::default(),
            links: AtomicU64::new(1),
            writer: Mutex::default(),
            importing: tokio::sync::Mutex::default(),
        }
    }

    /// Wakes the connection of a board for which a command was queued, until `stop`.
    async fn ring(self: Arc<Self>, hub: Hub, stop: CancellationToken) {
        let mut ringing = hub.ringing();
        while let Some(Some(rung)) = stop.run_until_cancelled(ringing.next()).await {
            match rung {
                Some(device) if device.family != self.name => {}
                Some(device) => {
                    let link = device.address.parse().ok().and_then(|board| self.boards.link(board));
                    link.inspect(|link| link.wake.notify_one());
                }
                None => self.boards.links().iter().for_each(|link| link.wake.notify_one()),
            }
        }
    }

    /// Keeps up with what was chosen by way of other servers on the same store, until `stop`.
    async fn follow(self: Arc<Self>, hub: Hub, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(READ_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.profiles.read(&hub).await {
                tracing::warn!(%error, "profiles of boards were not read; the next time tries again");
            }
            if let Err(error) = hub.recordings_read().await {
                tracing::warn!(%error, "whether to record was not read; the next time tries again");
            }
        }
    }
}

impl Family for Mcu {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        if !self.settings.day_folder.as_os_str().is_empty() {
            let writer = Writer::new(&self.settings.day_folder, hub.now());
            *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(writer);
        }
        for path in ["/ws", "/ws/{key}", "/"] {
            let (mcu, hub) = (Arc::clone(&self), hub.clone());
            let enter =
                handler(move |exchange| ready(entry::enter(Arc::clone(&mcu), hub.clone(), &exchange)));
            routes.add_owner(ListenerKind::Ws, path, Owner::new(enter).takes(http::Takes::Only("GET")))?;
        }
        Ok(())
    }

    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid> {
        draft::draft(text, &self.name, |address| Arc::clone(&self.profiles.of(address).profile))
    }

    fn templates(&self) -> Vec<Template> {
        let actions = self.settings.profiles.iter().flat_map(|profile| &profile.commands);
        let mut templates: Vec<Template> = actions.flat_map(offered).collect();
        templates.dedup();
        templates
    }

    fn controls(&self, device: Option<&Device>) -> Vec<Control> {
        match device {
            Some(device) => controls([&*self.profiles.of(&device.names.address).profile]),
            None => controls(self.profiles.all()),
        }
    }

    fn profile(&self, device: &DeviceRef) -> Option<String> {
        Some(self.profiles.of(&device.address).profile.name.clone())
    }

    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        Box::pin(async move {
            let address = &device.names.address;
            let mut facts =
                address.parse().map(|board| self.boards.facts(board, hub.now())).unwrap_or_default();
            let profile = &self.profiles.of(address).profile;
            facts.insert("profile".to_owned(), profile.name.clone().into());
            facts.insert("recording".to_owned(), hub.is_recording(&self.name).into());
            Ok(facts)
        })
    }

    fn wish<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        name: &'a str,
        wish: &'a serde_json::Value,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        Box::pin(async move {
            if name != "profile" {
                return Ok(false);
            }
            self.profiles.choose(hub, device, wish).await.map(|()| true)
        })
    }

    fn dictionary(&self) -> Option<&'static str> {
        Some(include_str!("dictionary.toml"))
    }

    fn dictionaries(&self) -> Vec<String> {
        self.profiles.dictionaries()
    }

    fn reachable(&self, device: &Device) -> Option<bool> {
        Some(device.names.address.parse().is_ok_and(|board| self.boards.link(board).is_some()))
    }

    fn may_pause(&self) -> bool {
        true
    }

    fn simulator(&self, role: Role) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Board::new(role, &self.settings)))
    }

    fn days(&self) -> Option<&dyn Days> {
        Some(self)
    }

    fn silence(&self) -> &'static Silence {
        &SILENCE
    }

    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        let mut chores: Vec<Chore> = vec![
            Box::pin(Arc::clone(&self).ring(hub.clone(), stop.clone())),
            Box::pin(Arc::clone(&self).follow(hub.clone(), stop.clone())),
        ];
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            chores.push(Box::pin(writer.run(Arc::clone(&self), hub.clone(), stop.clone())));
        }
        chores
    }
}

/// The commands of some profiles as controls; one that several have alike is there once.
fn controls<'a>(profiles: impl IntoIterator<Item = &'a Profile>) -> Vec<Control> {
    let mut controls: Vec<Control> = Vec::new();
    for profile in profiles {
        for Action { name, takes, min, max, confirm, .. } in &profile.commands {
            let kind = match takes {
                Takes::Switch => ControlKind::Switch,
                Takes::Number => {
                    ControlKind::Number { min: min.map(Decimal::get), max: max.map(Decimal::get) }
                }
            };
            let same = |known: &&mut Control| known.name.eq_ignore_ascii_case(name) && known.kind == kind;
            if let Some(known) = controls.iter_mut().find(same) {
                known.profiles.push(profile.name.clone());
                known.confirm |= confirm;
            } else {
                let profiles = vec![profile.name.clone()];
                controls.push(Control { name: name.clone(), kind, confirm: *confirm, profiles });
            }
        }
    }
    controls
}

/// What an operator may start from to give a command.
fn offered(action: &Action) -> Vec<Template> {
    let template = |name: String, payload: String| Template { name, cmd: action.name.clone(), payload };
    match action.takes {
        Takes::Switch => vec![
            template(format!("{} on", action.name), "1".to_owned()),
            template(format!("{} off", action.name), "0".to_owned()),
        ],
        Takes::Number => {
            let least = action.min.map_or_else(|| "0".to_owned(), |min| min.get().to_string());
            vec![template(action.name.clone(), least)]
        }
    }
}

impl fmt::Debug for Mcu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mcu").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "mcu";
/// A board speaks every 3 s; it is late after 10 s and offline after 30 s (§6).
const SILENCE: Silence = Silence {
    set_lasts: Duration::from_secs(1),
    intervals: 3,
    more: Duration::ZERO,
    least: Duration::from_secs(30),
    late: Some(Duration::from_secs(10)),
    pace: None,
};
const READ_EVERY: Duration = Duration::from_mins(1);
