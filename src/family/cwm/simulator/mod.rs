//! A pretend CWM with OKEs behind it: provisions, sets its clock, pushes each minute, pulls when told, does what
//! commands say and replies (`cwm-oke.md §1`). Pure; `crate::simulate` lends it sockets.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `wire` | messages and requests, as text |
//! | `answers` | what the server's answers mean |
//! | `beats` | heartbeats: the module's own and its equipment's |
//! | `commands` | what a command does to the module |
//! | `files` | files that come in pieces |
//! | `oven` | equipment that behaves like an oven, to look at |

mod answers;
mod beats;
mod commands;
mod files;
mod oven;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::names::CwmSettings;
use crate::family::simulator::{
    Application, Call, Caller, Chance, Door, Fact, Fault, Given, Habits, Identity, Order, Orders, Outcome,
    Role, Simulator, Trouble, Way,
};
use crate::http::query;
use crate::model::{Timestamp, Verdict, WireId};
use commands::Port;
use files::Files;
use oven::Oven;
use wire::{Form, Speech, Stamp};

/// One pretend module.
pub(super) struct Module {
    settings: Arc<CwmSettings>,
    number: u32,
    chance: Chance,
    /// The module's first, then one for each piece of equipment.
    addresses: Vec<String>,
    stage: Stage,
    identity: Option<Identity>,
    application: Option<Application>,
    /// Its Provisioning Key, once it has been given one (§2.2).
    key: Option<String>,
    /// What the module's store-and-forward queue holds, the oldest first (§1).
    queue: VecDeque<Outgoing>,
    pull: Pull,
    asked: Asked,
    fault: Option<Fault>,
    /// The next own number: in the upper half, so that none is mistaken for a reply to a command.
    id: WireId,
    minute: u32,
    beats: Vec<i64>,
    port: Port,
    /// What stands behind it, when that is to behave like an oven.
    oven: Option<Oven>,
    /// Texts of the commands taken last: a command may come twice, and is carried out once.
    done: VecDeque<Bytes>,
    fetches: VecDeque<Fetch>,
    files: Files,
    orders: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Provision,
    Time,
    Running,
}

/// A message that waits to be confirmed.
struct Outgoing {
    text: Bytes,
    from: usize,
    verdict: Verdict,
    /// The count it shows, if it is a heartbeat that will be believed.
    beat: Option<i64>,
    /// The command it replies to.
    to: Option<Bytes>,
    tries: u32,
    /// Whether it is sent once more although it was confirmed.
    again: bool,
}

#[derive(Default)]
struct Pull {
    wanted: bool,
    /// Whether the answer of the last pull did not get here: the next one's `lokm` says so.
    untaken: bool,
    /// Whether the last one was cut off on purpose; no two in a row are.
    cut: bool,
    tries: u32,
}

/// What the last call asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Provision,
    Time,
    Push,
    Pull,
    Download,
}

/// A file that is being downloaded.
struct Fetch {
    name: String,
    size: usize,
    got: BytesMut,
    tries: u32,
}

impl Module {
    /// A module fresh from its box.
    pub(super) fn new(settings: Arc<CwmSettings>, role: Role) -> Self {
        let mut chance = Chance::new(role.seed ^ u64::from(role.number).wrapping_mul(0xA076_1D64_78BD_642F));
        // `0002` is a module (§4.3); `5150` is a model that no vendor gave out.
        let mut addresses = vec![format!("00025150{:08}", role.number)];
        addresses.extend((0..role.behind).map(|place| format!("51500{place:03}{:08}", role.number)));
        Self {
            files: Files::new(&settings),
            settings,
            number: role.number,
            beats: vec![0; addresses.len()],
            id: OWN_IDS_FROM | WireId::try_from(chance.below(OWN_IDS_FROM.into())).unwrap_or_default(),
            chance,
            addresses,
            stage: Stage::Provision,
            identity: None,
            application: None,
            key: None,
            queue: VecDeque::new(),
            pull: Pull::default(),
            asked: Asked::Nothing,
            fault: None,
            minute: 0,
            port: Port::default(),
            oven: None,
            done: VecDeque::new(),
            fetches: VecDeque::new(),
            orders: 0,
        }
    }

    /// One with an oven behind it, for people to look at and to command. Its addresses are always the same.
    pub(super) fn with_oven(settings: Arc<CwmSettings>) -> Self {
        let own = Self::new(settings, Role { number: 1, behind: 0, seed: 1 });
        let addresses = [oven::MODULE, oven::OVEN].map(str::to_owned).to_vec();
        Self { beats: vec![0; addresses.len()], addresses, oven: Some(Oven::default()), ..own }
    }

    /// Queues a message of one of its devices.
    fn say(&mut self, from: usize, id: WireId, now: Timestamp, payload: &str, stamp: Stamp) -> &mut Outgoing {
        let text = {
            let module = self.addresses.first().map(String::as_str).unwrap_or_default();
            let own = self.addresses.get(from).map(String::as_str).unwrap_or_default();
            let src: &[&str] = if from == 0 { &[module] } else { &[own, module] };
            wire::okm(src, "wr", id, &self.stamp(now), payload, stamp)
        };
        let verdict = match stamp {
            Stamp::Sound => Verdict::Ok,
            Stamp::Wrong => Verdict::BadCrc,
            Stamp::Absent => Verdict::NoCrc,
        };
        self.queue.push_back(Outgoing { text, from, verdict, beat: None, to: None, tries: 0, again: false });
        let last = self.queue.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed on the line above")]
        &mut self.queue[last]
    }

    fn own_id(&mut self) -> WireId {
        self.id = self.id.wrapping_add(1) | OWN_IDS_FROM;
        self.id
    }

    /// The device's time as it writes it: one of the three spellings seen, unless its clock is wrong.
    fn stamp(&self, now: Timestamp) -> String {
        let hours = |count: u64| std::time::Duration::from_secs(count * 3600);
        match (self.fault, self.number % 4) {
            (Some(Fault::ClockSkew), 0) => "1970-01-01T00:00:00".to_owned(),
            (Some(Fault::ClockSkew), 1) => now.plus(hours(24 * 400)).civil_seconds(),
            // Local time where UTC is wanted: what the vendor's checklist asks equipment for (§4.3).
            (Some(Fault::ClockSkew), 2) => now.minus(hours(5)).civil_seconds(),
            (Some(Fault::ClockSkew), _) => format!("{}Z", now.minus(hours(24 * 3650)).civil_seconds()),
            (_, 0) => format!("{}.{:06}Z", now.civil_seconds(), now.micros().rem_euclid(1_000_000)),
            (_, 1) => format!("{}Z", now.civil_seconds()),
            (_, _) => now.civil_seconds(),
        }
    }

    fn push(&mut self, now: Timestamp) -> Option<Call> {
        let ts = now.civil_seconds();
        let speech = Speech { names: &self.settings.names, key: self.key.as_deref() };
        let message = self.queue.front_mut()?;
        message.tries += 1;
        let mut form = match self.number % 4 {
            2 => Form::Json,
            3 => Form::Urlencoded,
            _ => Form::Query,
        };
        let mut trouble = Trouble::None;
        // A message is in trouble once; its second try goes well.
        if message.tries == 1 {
            match self.fault {
                Some(Fault::HalfBody) if self.chance.permille(SOME) => {
                    (form, trouble) = (Form::Json, Trouble::HalfSent);
                }
                Some(Fault::Slow) if self.chance.permille(FEW) => trouble = Trouble::Slow,
                Some(Fault::Duplicate) if self.chance.permille(SOME) => {
                    message.again = self.chance.permille(500);
                    trouble = if message.again { Trouble::None } else { Trouble::HalfHeard };
                }
                Some(Fault::ReconnectStorm) if self.chance.permille(2 * SOME) => trouble = Trouble::Fresh,
                _ => {}
            }
        }
        self.asked = Asked::Push;
        Some(wire::push(&speech, form, &message.text, &ts, trouble))
    }

    fn pull(&mut self, now: Timestamp) -> Call {
        let mut trouble = Trouble::None;
        if self.fault == Some(Fault::KillMidPull) && !self.pull.cut && self.chance.permille(500) {
            trouble = if self.chance.permille(500) { Trouble::HalfHeard } else { Trouble::HalfSent };
        }
        self.pull.cut = trouble != Trouble::None;
        self.asked = Asked::Pull;
        let devid = self.addresses.first().map(String::as_str).unwrap_or_default();
        let speech = Speech { names: &self.settings.names, key: self.key.as_deref() };
        wire::pull(&speech, devid, &now.civil_seconds(), !self.pull.untaken, trouble)
    }

    /// Whole, in ranges, or in pieces by query: the three ways there are (§3.5).
    fn download(&mut self) -> Option<Call> {
        let fetch = self.fetches.front()?;
        let from = fetch.got.len();
        let piece = fetch.size.div_ceil(3).max(1);
        let (name, last) = (query::escape(&fetch.name), (from + piece).min(fetch.size).max(1) - 1);
        self.asked = Asked::Download;
        Some(match self.number % 3 {
            0 => wire::download(format!("/{name}"), None),
            1 => wire::download(format!("/file/{name}"), Some((from, last))),
            _ => wire::download(format!("/files/{name}?offset={from}&len={}", last + 1 - from), None),
        })
    }

    fn heard_push(&mut self, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let Some(message) = self.queue.front_mut() else { return };
        let mut said = |confirmed| {
            tell(Fact::Said {
                text: message.text.clone(),
                from: Some(message.from),
                verdict: message.verdict,
                confirmed,
            });
        };
        let answer = match outcome {
            Outcome::Unsent => return,
            // The module's queue keeps it (§1).
            Outcome::Broken | Outcome::Answered { status: 500.., .. } => return said(false),
            Outcome::Answered { status: 200, body, .. } => answers::pushed(body, &self.settings.names),
            Outcome::Answered { .. } => None,
        };
        let Some(answer) = answer else {
            said(false);
            tell(odd("a push", outcome));
            if message.tries >= TRIES_MAX {
                self.queue.pop_front();
            }
            return;
        };
        said(answer.taken);
        self.pull.wanted |= answer.pending;
        if !answer.taken && message.tries < TRIES_MAX {
            return;
        }
        if std::mem::take(&mut message.again) {
            return;
        }
        if let Some(message) = self.queue.pop_front().filter(|_| answer.taken) {
            if let Some(value) = message.beat {
                tell(Fact::Shows { from: message.from, sensor: "beat", value: Some(value) });
            }
            if let Some(to) = message.to {
                tell(Fact::Replied { to, text: message.text });
            }
        }
    }

    fn heard_pull(&mut self, now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        self.pull.tries += 1;
        let read = match outcome {
            // The server has not heard it, or kept nothing of it: the word about the pull before still stands.
            Outcome::Unsent | Outcome::Answered { status: 500.., .. } => return,
            Outcome::Broken => {
                self.pull.untaken = true;
                return;
            }
            Outcome::Answered { status: 200, body, .. } => answers::pulled(body, &self.settings),
            Outcome::Answered { status, .. } => Err(format!("status {status}")),
        };
        match read {
            Ok(pulled) => {
                self.pull = Pull { wanted: pulled.more, ..Pull::default() };
                if let Some(command) = pulled.command {
                    self.carry_out(command, now, tell);
                }
            }
            Err(fault) => {
                tell(Fact::Odd(format!("a pull was answered with {fault}")));
                self.pull.untaken = true;
                self.pull.wanted &= self.pull.tries < TRIES_MAX;
            }
        }
    }

    fn heard_download(&mut self, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let Some(fetch) = self.fetches.front_mut() else { return };
        match outcome {
            Outcome::Unsent | Outcome::Broken | Outcome::Answered { status: 500.., .. } => return,
            Outcome::Answered { status: 200 | 206, body, .. } if !body.is_empty() => {
                fetch.got.extend_from_slice(body);
            }
            Outcome::Answered { .. } => {
                tell(odd("a download", outcome));
                fetch.tries = TRIES_MAX;
            }
        }
        if fetch.got.len() < fetch.size && fetch.tries < TRIES_MAX {
            return;
        }
        if let Some(fetch) = self.fetches.pop_front().filter(|fetch| fetch.tries < TRIES_MAX) {
            tell(Fact::File { name: fetch.name, content: fetch.got.freeze() });
        }
    }
}

impl Simulator for Module {
    fn habits(&self) -> Habits {
        Habits {
            called: "modules",
            door: Door::Https,
            every: MINUTE,
            a_minute: f64::from(
                u8::try_from(self.addresses.len()).unwrap_or(u8::MAX).saturating_sub(1).max(1),
            ),
            span: "24h",
            faults: &FAULTS,
            files: true,
            orders: Orders::Each,
            given: Given::Nothing,
            alike_is_new: false,
        }
    }

    fn addresses(&self) -> &[String] {
        &self.addresses
    }

    fn suffer(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    fn tick(&mut self, now: Timestamp) {
        if let Some(oven) = &mut self.oven {
            oven.live(now);
        }
        if self.minute.is_multiple_of(OWN_HEARTBEAT_MINUTES) {
            self.heartbeat(0, now);
        }
        self.minute = self.minute.wrapping_add(1);
        for from in 1..self.addresses.len() {
            self.heartbeat(from, now);
        }
    }

    fn order(&mut self) -> Order {
        self.orders += 1;
        commands::order(&self.addresses, self.orders)
    }

    fn way(&mut self) -> Way<'_> {
        Way::Calls(self)
    }
}

impl Caller for Module {
    fn next(&mut self, now: Timestamp) -> Option<Call> {
        match self.stage {
            Stage::Provision => {
                self.asked = Asked::Provision;
                let devid = self.addresses.first().map(String::as_str).unwrap_or_default();
                let request = self.application.as_ref().map(|own| own.request.as_str());
                Some(wire::provision(&self.settings.names, devid, request))
            }
            Stage::Time => {
                self.asked = Asked::Time;
                Some(wire::time())
            }
            Stage::Running if self.pull.wanted => Some(self.pull(now)),
            Stage::Running => self.push(now).or_else(|| self.download()),
        }
    }

    fn heard(&mut self, now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Push => self.heard_push(outcome, tell),
            Asked::Pull => self.heard_pull(now, outcome, tell),
            Asked::Download => self.heard_download(outcome, tell),
            Asked::Provision => match outcome {
                Outcome::Answered { status: 200, body, .. } => {
                    self.key = answers::provisioning_key(body);
                    self.identity = answers::identity(body, self.application.as_ref());
                    if self.identity.is_none() {
                        tell(Fact::Odd("/provision gave no certificate and key".to_owned()));
                    }
                    self.stage = Stage::Time;
                }
                Outcome::Answered { status: ..500, .. } => {
                    tell(odd("/provision", outcome));
                    self.stage = Stage::Time;
                }
                Outcome::Answered { .. } | Outcome::Broken | Outcome::Unsent => {}
            },
            Asked::Time => match outcome {
                Outcome::Answered { status: ..500, body, .. } => {
                    if !body.starts_with(b"{") {
                        tell(odd("/time", outcome));
                    }
                    self.stage = Stage::Running;
                }
                Outcome::Answered { .. } | Outcome::Broken | Outcome::Unsent => {}
            },
        }
    }

    fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    fn bring(&mut self, application: Application) {
        self.application = Some(application);
    }

    fn fetch(&mut self, name: &str, size: usize) {
        self.fetches.push_back(Fetch { name: name.to_owned(), size, got: BytesMut::new(), tries: 0 });
    }
}

fn odd(what: &str, outcome: &Outcome) -> Fact {
    Fact::Odd(match outcome {
        Outcome::Answered { status, body, .. } => {
            let shown = String::from_utf8_lossy(body);
            let shown: String = shown.lines().next().unwrap_or_default().chars().take(120).collect();
            format!("{what} was answered {status} {shown}")
        }
        Outcome::Broken | Outcome::Unsent => format!("{what} was not answered"),
    })
}

/// It says something once a minute (§1).
const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);
/// Every one but a message that is none: what a module's firmware sends has a form.
const FAULTS: [Fault; 8] = [
    Fault::BadCrc,
    Fault::NoCrc,
    Fault::HalfBody,
    Fault::Slow,
    Fault::Duplicate,
    Fault::ReconnectStorm,
    Fault::ClockSkew,
    Fault::KillMidPull,
];
/// Own numbers have the top bit set; the server numbers its commands from 1.
const OWN_IDS_FROM: WireId = 0x8000;
/// The module's own heartbeat: every so many minutes.
const OWN_HEARTBEAT_MINUTES: u32 = 15;
/// Of a thousand messages, how many a fault hits.
const SOME: u32 = 100;
/// The same for a fault that takes long.
const FEW: u32 = 5;
/// How often something that is refused is tried.
const TRIES_MAX: u32 = 3;
