//! A pretend bed sensor: syncs its parameters, pushes a row for each second in every spelling there is, takes new
//! parameters and tells of them (`sca11h.md §4, §5, §9`). Pure; `crate::simulate` lends it sockets.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `night` | what the bed feels |
//! | `body` | bodies of pushes, and bodies that are none |
//! | `sync` | the parameter sync, its answer read strictly |

mod body;
mod night;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::family::simulator::{
    Call, Caller, Chance, Door, Fact, Fault, Form, Given, Habits, Order, Orders, Outcome, Purpose, Role,
    Simulator, Trouble, Way,
};
use crate::model::{Timestamp, Verdict};
use body::{Around, Garbage, Spelling};
use night::{Night, Second};
use sync::Says;

/// One pretend node.
pub(super) struct Node {
    number: u32,
    chance: Chance,
    /// What the server calls it.
    addresses: [String; 1],
    /// What it calls itself, as it stands in messages.
    name: String,
    /// Twelve upper-case hex digits.
    mac: String,
    night: Night,
    pars: String,
    /// The command that brought them, until the server heard that they are in use.
    carrying: Option<Bytes>,
    /// What was lived so far.
    clock: Option<Timestamp>,
    /// The reference of the row counter, and the counter.
    base: Timestamp,
    index: u32,
    /// Rows that wait for their message to be full.
    rows: Vec<(u32, Second)>,
    /// The time text and the last rows of the message before.
    before: Option<(String, Vec<(u32, Second)>)>,
    queue: VecDeque<Outgoing>,
    asked: Asked,
    fault: Option<Fault>,
    ticks: u32,
    said: u32,
    syncs: u32,
    sync_due: bool,
    /// Whether the last sync was cut off on purpose; no two in a row are.
    cut: bool,
    orders: u32,
}

/// A message that waits to be confirmed.
struct Outgoing {
    call: Call,
    /// Whether it says whose it is.
    named: bool,
    verdict: Verdict,
    /// Rows in it that are new.
    rows: u64,
    /// Its last row.
    last: Option<Second>,
    tries: u32,
    /// Whether it is sent once more although it was confirmed.
    again: bool,
}

/// What the last call was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Push,
    Sync(Bytes, Form),
}

impl Node {
    /// A node that was just switched on.
    pub(super) fn new(role: Role) -> Self {
        let mut chance = Chance::new(role.seed ^ u64::from(role.number).wrapping_mul(0xA076_1D64_78BD_642F));
        // Locally administered, so that it is no real node's.
        let mac = format!("025343{:06X}", role.number & 0xFF_FFFF);
        // Some have the name of the factory, which may be the MAC (§1.1), and some one of their owner.
        let name = match role.number % 3 {
            0 => format!("Bed {}", role.number),
            1 => sync::separated(&mac, ":"),
            _ => sync::separated(&mac.to_ascii_lowercase(), "-"),
        };
        let address = if role.number.is_multiple_of(3) { name.clone() } else { mac.to_ascii_lowercase() };
        Self {
            number: role.number,
            night: Night::new(role.number, Chance::new(chance.any())),
            chance,
            addresses: [address],
            name,
            mac,
            pars: FACTORY_PARS.to_owned(),
            carrying: None,
            clock: None,
            base: Timestamp::from_micros(0),
            index: 0,
            rows: Vec::new(),
            before: None,
            queue: VecDeque::new(),
            asked: Asked::Nothing,
            fault: None,
            ticks: 0,
            said: 0,
            syncs: 0,
            sync_due: true,
            cut: false,
            orders: 0,
        }
    }

    /// Rows in a message (§1.1: 5 to 90).
    fn interval(&self) -> usize {
        let all = INTERVALS;
        usize::try_from(self.number).ok().and_then(|number| all.get(number % all.len())).copied().unwrap_or(5)
    }

    fn live_a_second(&mut self, at: Timestamp) {
        if self.index >= RESET_AFTER_S {
            self.say();
            (self.base, self.index) = (at, 0);
        }
        let second = self.night.next();
        self.rows.push((self.index, second));
        self.index += 1;
        if self.rows.len() >= self.interval() {
            self.say();
        }
    }

    /// Makes a message of the rows that wait.
    fn say(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        let Some((_, last)) = rows.last().copied() else { return };
        let new = rows.len();
        self.said += 1;
        let time = self.time();
        if self.fault == Some(Fault::Garbage) && self.chance.permille(SOME) {
            self.say_garbage(&time);
        }
        let place = self.number.wrapping_add(self.said);
        let spelling = nth(&Spelling::ALL, place).copied().unwrap_or(Spelling::Plain);
        let named = spelling != Spelling::Bare;
        // The same row may look another one where its zeros are left out.
        let repeatable = named && spelling != Spelling::Damaged;
        let tail = rows.get(rows.len().saturating_sub(REPEATED_ROWS)..).unwrap_or_default().to_vec();
        // Rows that were in the message before come again: they count once (§4.5).
        if let Some((before, repeated)) = self.before.take()
            && self.fault == Some(Fault::Duplicate)
            && repeatable
            && before == time
            && self.chance.permille(SOME)
        {
            rows.splice(0..0, repeated);
        }
        let around = Around { network: "simulated", node: &self.name, time: &time };
        let call = Self::push(body::body(spelling, &around, &rows), place);
        self.before = repeatable.then_some((time, tail));
        let rows = u64::try_from(new).unwrap_or_default();
        let last = Some(last);
        self.queue.push_back(Outgoing {
            call,
            named,
            verdict: Verdict::Ok,
            rows,
            last,
            tries: 0,
            again: false,
        });
    }

    fn say_garbage(&mut self, time: &str) {
        let kind = nth(&Garbage::ALL, self.number.wrapping_add(self.said)).copied().unwrap_or(Garbage::Noise);
        let around = Around { network: "simulated", node: &self.name, time };
        let call = Self::push(body::garbage(kind, &around, self.said), self.said);
        let verdict = Verdict::Malformed;
        self.queue.push_back(Outgoing {
            call,
            named: false,
            verdict,
            rows: 0,
            last: None,
            tries: 0,
            again: false,
        });
    }

    /// The request around a body; content types, frames and slashes change with the place.
    fn push(body: Bytes, place: u32) -> Call {
        let kind = nth(&KINDS, place / 3).copied().unwrap_or_default();
        let form = match place % 8 {
            2 => Form::Chunked,
            4 => Form::Old,
            7 => Form::Expecting,
            _ => Form::Plain,
        };
        Call {
            purpose: Purpose::Push,
            method: "POST",
            target: if place.is_multiple_of(5) { "/data/push" } else { "/data/push/" }.to_owned(),
            headers: if kind.is_empty() { Vec::new() } else { vec![("Content-Type", kind.to_owned())] },
            body,
            form,
            trouble: Trouble::None,
        }
    }

    /// `Measurement@time`: with a zone or without, unless the clock is wrong.
    fn time(&self) -> String {
        let days = |count: u64| Duration::from_secs(count * 86_400);
        match (self.fault, self.number % 4) {
            // A clock that was never set, and has run since the power came.
            (Some(Fault::ClockSkew), 0) => {
                let since = self.base.micros().rem_euclid(86_400_000_000);
                format!("{}Z", Timestamp::from_micros(since).civil_seconds())
            }
            (Some(Fault::ClockSkew), 1) => format!("{}Z", self.base.plus(days(400)).civil_seconds()),
            // Local time where UTC is wanted.
            (Some(Fault::ClockSkew), 2) => self.base.minus(Duration::from_hours(5)).civil_seconds(),
            (Some(Fault::ClockSkew), _) => format!("{}+09:00", self.base.minus(days(3650)).civil_seconds()),
            (_, 0) => self.base.civil_seconds(),
            (_, 1) => self.base.civil_seconds().replace('T', " "),
            (_, _) => format!("{}Z", self.base.civil_seconds()),
        }
    }

    fn next_push(&mut self) -> Option<Call> {
        let message = self.queue.front_mut()?;
        message.tries += 1;
        // A message is in trouble once; its second try goes well. One that does not say whose it is comes once.
        if message.tries == 1 && message.named {
            message.call.trouble = match self.fault {
                Some(Fault::HalfBody) if self.chance.permille(SOME) => Trouble::HalfSent,
                Some(Fault::Slow) if self.chance.permille(FEW) => Trouble::Slow,
                Some(Fault::Duplicate) if self.chance.permille(SOME) => {
                    message.again = self.chance.permille(500);
                    if message.again { Trouble::None } else { Trouble::HalfHeard }
                }
                Some(Fault::ReconnectStorm) if self.chance.permille(2 * SOME) => Trouble::Fresh,
                _ => Trouble::None,
            };
        } else {
            message.call.trouble = Trouble::None;
        }
        self.asked = Asked::Push;
        Some(message.call.clone())
    }

    fn next_sync(&mut self) -> Call {
        let mut trouble = Trouble::None;
        if self.fault == Some(Fault::KillMidPull) && !self.cut && self.chance.permille(500) {
            trouble = if self.chance.permille(500) { Trouble::HalfHeard } else { Trouble::HalfSent };
        }
        self.cut = trouble != Trouble::None;
        self.syncs += 1;
        let tidy = self.carrying.is_some();
        let says = Says { mac: &self.mac, name: &self.name, pars: &self.pars, place: self.syncs, tidy };
        let call = sync::call(&says, trouble);
        self.asked = Asked::Sync(call.body.clone(), call.form);
        call
    }

    fn heard_push(&mut self, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let Some(message) = self.queue.front_mut() else { return };
        let (text, verdict) = (message.call.body.clone(), message.verdict);
        let from = message.named.then_some(0);
        let mut said = |confirmed| tell(Fact::Said { text: text.clone(), from, verdict, confirmed });
        match outcome {
            Outcome::Unsent => return,
            Outcome::Broken | Outcome::Answered { status: 500.., .. } => {
                said(false);
                if !message.named {
                    self.forget_bare(tell);
                }
                return;
            }
            Outcome::Answered { .. } => {}
        }
        let fault = judged(outcome);
        said(fault.is_none());
        if let Some(fault) = fault {
            tell(Fact::Odd(fault));
            if message.tries >= TRIES_MAX {
                self.queue.pop_front();
            }
            return;
        }
        if std::mem::take(&mut message.again) {
            return;
        }
        let Some(message) = self.queue.pop_front() else { return };
        if message.rows > 0 {
            tell(Fact::Holds { from: 0, sensor: "status", count: message.rows, sure: message.named });
        }
        for (sensor, value) in message.last.iter().flat_map(shown) {
            tell(Fact::Shows { from: 0, sensor, value: message.named.then_some(value) });
        }
    }

    /// Lets go of a message that does not say whose it is: whether it arrived shows in the ledger alone.
    fn forget_bare(&mut self, tell: &mut dyn FnMut(Fact)) {
        let Some(message) = self.queue.pop_front() else { return };
        tell(Fact::Holds { from: 0, sensor: "status", count: message.rows, sure: false });
        for (sensor, _) in message.last.iter().flat_map(shown) {
            tell(Fact::Shows { from: 0, sensor, value: None });
        }
    }

    fn heard_sync(&mut self, text: &Bytes, form: Form, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let mut said = |confirmed| {
            tell(Fact::Said { text: text.clone(), from: Some(0), verdict: Verdict::Ok, confirmed });
        };
        let read = match outcome {
            Outcome::Unsent => return,
            Outcome::Broken => {
                said(false);
                // It may have been heard: then this is the reply that the server keeps.
                if let Some(to) = &self.carrying {
                    tell(Fact::Replied { to: to.clone(), text: text.clone() });
                }
                return;
            }
            Outcome::Answered { status: 500.., .. } => return said(false),
            Outcome::Answered { status: 200, head, body } => sync::wanted(head, body, form),
            Outcome::Answered { status, .. } => Err(format!("status {status}")),
        };
        self.sync_due = false;
        said(read.is_ok());
        if let Some(to) = self.carrying.take() {
            tell(Fact::Replied { to, text: text.clone() });
        }
        match read {
            Ok((_, None)) => {}
            Ok((_, Some(pars))) if pars == self.pars => {}
            Ok((command, Some(pars))) => {
                tell(Fact::Got { text: command.clone(), first: true });
                (self.pars, self.carrying) = (pars, Some(command));
            }
            Err(fault) => tell(Fact::Odd(format!("a sync was answered with {fault}"))),
        }
    }
}

impl Simulator for Node {
    fn habits(&self) -> Habits {
        Habits {
            called: "nodes",
            door: Door::Http,
            every: Duration::from_secs(5),
            a_minute: 6.5,
            span: "1h",
            faults: &FAULTS,
            files: false,
            orders: Orders::Newest,
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
        let Some(last) = self.clock else {
            (self.clock, self.base) = (Some(now), now);
            return;
        };
        let passed = now.micros().saturating_sub(last.micros()) / 1_000_000;
        for second in 0..passed.clamp(0, SECONDS_MAX) {
            self.live_a_second(last.plus(Duration::from_secs(second.unsigned_abs())));
        }
        self.clock = Some(last.plus(Duration::from_secs(passed.max(0).unsigned_abs())));
        self.ticks += 1;
        // A node syncs at its start and once a day (§5.1); a run is shorter, and one that took parameters restarts.
        self.sync_due |= self.ticks.is_multiple_of(SYNC_EVERY_TICKS) || self.carrying.is_some();
    }

    fn order(&mut self) -> Order {
        self.orders += 1;
        let [signal, amplitude] = [4000 + self.orders % 20_000, 1000 + self.chance.below(1000)];
        let stroke = amplitude * 26 / 10;
        let pars = format!("{signal},270,{stroke},{stroke},{amplitude},7");
        Order {
            address: self.addresses.concat(),
            dst: Vec::new(),
            cmd: "pars",
            payload: format!("\"{pars}\""),
        }
    }

    fn way(&mut self) -> Way<'_> {
        Way::Calls(self)
    }
}

impl Caller for Node {
    fn next(&mut self, _now: Timestamp) -> Option<Call> {
        if self.sync_due { Some(self.next_sync()) } else { self.next_push() }
    }

    fn heard(&mut self, _now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => {}
            Asked::Push => self.heard_push(outcome, tell),
            Asked::Sync(text, form) => self.heard_sync(&text, form, outcome, tell),
        }
    }
}

/// What is wrong with the answer of a push, if anything: 200, `done`, a head as the page has it (§3.2, §3.4).
fn judged(outcome: &Outcome) -> Option<String> {
    let Outcome::Answered { status, head, body } = outcome else { return None };
    let shown = || String::from_utf8_lossy(body).chars().take(120).collect::<String>();
    if *status != 200 || body.as_ref() != b"done" {
        return Some(format!("a push was answered {status} {}", shown()));
    }
    let head = String::from_utf8_lossy(head);
    sync::well_formed(&head).err().map(|fault| format!("a push was answered with {fault}"))
}

/// What a row shows whatever the bed feels.
fn shown(second: &Second) -> [(&'static str, i64); 2] {
    [("signal_strength", i64::from(second.strength)), ("status", i64::from(second.status))]
}

fn nth<T>(all: &[T], place: u32) -> Option<&T> {
    all.get(usize::try_from(place).unwrap_or_default() % all.len().max(1))
}

/// Every fault that a node without checksums can have.
const FAULTS: [Fault; 7] = [
    Fault::HalfBody,
    Fault::Slow,
    Fault::Duplicate,
    Fault::ReconnectStorm,
    Fault::ClockSkew,
    Fault::KillMidPull,
    Fault::Garbage,
];
/// Content types that a node may send, and none (§4.1).
const KINDS: [&str; 6] = [
    "text/xml",
    "application/xml; charset=utf-8",
    "application/x-www-form-urlencoded",
    "",
    "application/vnd.example+xml",
    "application/octet-stream",
];
const INTERVALS: [usize; 5] = [90, 5, 10, 5, 30];
const FACTORY_PARS: &str = "7000,200,2600,2600,1000,7";
/// The row counter starts anew: a multiple of every interval (§1.1).
const RESET_AFTER_S: u32 = 3600;
/// More than this at once was slept through.
const SECONDS_MAX: i64 = 300;
const SYNC_EVERY_TICKS: u32 = 5;
const REPEATED_ROWS: usize = 2;
/// Of a thousand messages, how many a fault hits.
const SOME: u32 = 100;
/// The same for a fault that takes long.
const FEW: u32 = 10;
/// How often something that is refused is tried.
const TRIES_MAX: u32 = 3;
