//! A pretend board: its firmware's handshake and frames byte for byte, a sample each 3 s, commands taken as its parser
//! takes them, and what goes wrong with such boards (`websocket-mcu.md §2 to §6, §9, §11`). Pure; `crate::simulate`
//! lends it sockets.
//!
//! A board is told nothing of what it says. What was read for certain it learns in one way, which a real one does not
//! go: it ends its connection with a close frame, and the answer to that comes after all else was stored.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `wire` | handshakes and frames, what comes read strictly |
//! | `garbage` | bad input |
//! | `outgoing` | what waits to be written, and what is under way |

mod garbage;
mod outgoing;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::McuSettings;
use super::names::Access;
use crate::family::simulator::{
    Came, Chance, Door, Fact, Fault, Given, Habits, Order, Orders, Purpose, Role, Simulator, Stroke, Talker,
    Then, Vanish, Way,
};
use crate::model::{Timestamp, Verdict};
use garbage::Garbage;
use outgoing::{Asked, Ending, Link, Outgoing, Says};
use wire::{Client, Heard};

/// One pretend board.
pub(super) struct Board {
    id: u32,
    chance: Chance,
    addresses: [String; 1],
    path: String,
    /// Frames that may go over one connection: one that lasts no longer is never too fast (§9).
    frames_max: usize,
    client: Client,
    clock: Option<Timestamp>,
    counter: u64,
    /// Thousandths of a degree.
    temperature: i64,
    queue: VecDeque<Outgoing>,
    /// What waits to be read.
    heard: BytesMut,
    link: Link,
    asked: Asked,
    fault: Option<Fault>,
    ending: Ending,
    /// Whether something was cut off on purpose just now: the next message goes well.
    cut: bool,
    /// Whether it was gone once: then nobody knows what the server heard last.
    vanished: bool,
    said: u32,
    orders: u32,
}

impl Board {
    /// A board that was just switched on.
    pub(super) fn new(role: Role, settings: &McuSettings) -> Self {
        let mut chance = Chance::new(role.seed ^ u64::from(role.number).wrapping_mul(0xA076_1D64_78BD_642F));
        // Far from the numbers that people give their boards.
        let id = FIRST_ID + (role.number - 1) % IDS;
        let key = &settings.key.0;
        let path = match (settings.access, role.number % 4) {
            (Access::Key | Access::KeyOrKnown, 1) => format!("/ws?key={key}"),
            (Access::Key | Access::KeyOrKnown, _) => format!("/ws/{key}"),
            (Access::Open, 2) => "/ws/".to_owned(),
            (Access::Open, 3) => "/ws?board=simulated".to_owned(),
            (Access::Open, _) => "/ws".to_owned(),
        };
        let allowed = usize::try_from(settings.messages_per_second_max).unwrap_or(FRAMES_MAX);
        Self {
            id,
            addresses: [id.to_string()],
            path,
            frames_max: if allowed == 0 { FRAMES_MAX } else { (allowed * 4 / 5).clamp(1, FRAMES_MAX) },
            client: Client::Firmware,
            clock: None,
            counter: 0,
            temperature: 31_250 + i64::from(chance.below(2000)),
            chance,
            queue: VecDeque::new(),
            heard: BytesMut::new(),
            link: Link::default(),
            asked: Asked::Nothing,
            fault: None,
            ending: Ending::No,
            cut: false,
            vanished: false,
            said: 0,
            orders: 0,
        }
    }

    /// A sample, in one of the forms that numbers may have (§4: the firmware's own is not known).
    fn sample(&mut self) {
        self.temperature += i64::from(self.chance.below(201)) - 100;
        let (id, counter) = (self.id, self.counter);
        let (degrees, thousandths) = (self.temperature / 1000, self.temperature % 1000);
        let text = match id % 4 {
            0 => format!("{id}, {counter}, {degrees}.{thousandths:03}000"),
            1 => format!("{id},{counter}.000000,{degrees}.{thousandths:03}"),
            2 => format!("{id},{counter},{degrees}.{:02}\r\n", thousandths / 10),
            _ => format!("{id},{counter},{degrees}.{thousandths:03}"),
        };
        let wire = self.client.frame(wire::TEXT, text.as_bytes(), self.chance.below(u32::MAX));
        let says = Says { text: text.into(), named: true, verdict: Verdict::Ok };
        let counter = i64::try_from(self.counter).ok();
        self.queue.push_back(Outgoing { counter, ..Outgoing::new(wire, says).with_temperature() });
        self.counter += 1;
    }

    /// What a board lives through in 3 s.
    fn live(&mut self) {
        self.said = self.said.wrapping_add(1);
        match self.fault {
            Some(Fault::Reboot) if self.chance.permille(SOME) => {
                self.counter = 0;
                self.queue.push_back(Outgoing { reboots: true, ..Outgoing::default() });
            }
            Some(Fault::Garbage) if self.chance.permille(SOME) => {
                let place = usize::try_from(self.id.wrapping_add(self.said)).unwrap_or_default();
                if let Some(kind) = Garbage::ALL.get(place % Garbage::ALL.len()) {
                    self.queue.push_back(kind.message(self.client, self.id, self.said));
                }
            }
            Some(_) | None => {}
        }
        self.sample();
        if self.fault == Some(Fault::Duplicate)
            && self.chance.permille(SOME)
            && let Some(same) = self.queue.back().cloned()
        {
            self.queue.push_back(same);
        }
    }

    fn opening(&mut self, host: &str) -> Stroke {
        let mut pieces = self.client.request(&self.path, host);
        let mut apart = Duration::ZERO;
        let mut behind = Vec::new();
        match self.fault {
            Some(Fault::Slow) if self.chance.permille(SOME) => apart = SLOW_APART,
            // The first message right behind the request, in one segment with it (§10).
            Some(Fault::Glued) if self.queue.front().is_some_and(Outgoing::is_plain) => {
                behind.extend(self.queue.pop_front());
                pieces.extend(behind.iter().map(|first| Bytes::from(first.wire.clone())));
                pieces = vec![pieces.concat().into()];
            }
            Some(_) | None => {}
        }
        self.asked = Asked::Open(behind);
        Stroke { purpose: Purpose::Upgrade, opens: true, pieces, apart, then: Then::Answer }
    }

    /// The next message, with what goes wrong with it.
    fn saying(&mut self) -> Option<Stroke> {
        let first = self.queue.pop_front()?;
        if first.reboots {
            let way = self.gone();
            self.asked = Asked::Vanish(Vec::new());
            return Some(stroke(Vec::new(), Then::Vanishes(way)));
        }
        if first.ends {
            let pieces = vec![first.wire.clone().into()];
            self.asked = Asked::Say(vec![first]);
            return Some(stroke(pieces, Then::End));
        }
        let trouble = !std::mem::take(&mut self.cut);
        match self.fault {
            Some(Fault::HalfBody) if trouble && self.chance.permille(SOME) => {
                let (half, _) = first.wire.split_at(first.wire.len() / 2);
                let pieces = vec![Bytes::copy_from_slice(half)];
                // It comes again as a whole.
                self.queue.push_front(first);
                let way = self.gone();
                self.asked = Asked::Vanish(Vec::new());
                Some(stroke(pieces, Then::Vanishes(way)))
            }
            Some(Fault::Vanish | Fault::ReconnectStorm) if trouble && self.chance.permille(2 * SOME) => {
                let pieces = vec![first.wire.clone().into()];
                let way = if self.fault == Some(Fault::Vanish) { self.gone() } else { Vanish::Close };
                self.cut = true;
                self.asked = Asked::Vanish(vec![first]);
                Some(stroke(pieces, Then::Vanishes(way)))
            }
            Some(Fault::Slow) if trouble && self.chance.permille(FEW) => {
                let pieces = first.wire.chunks(SLOW_BYTES).map(Bytes::copy_from_slice).collect();
                self.asked = Asked::Say(vec![first]);
                Some(Stroke { apart: SLOW_APART, ..stroke(pieces, Then::GoesOn) })
            }
            Some(Fault::Glued) => Some(self.glued(first)),
            Some(_) | None => {
                // Some copies of the library write the header of a frame and its payload each by itself (§3).
                let cut = if self.id.is_multiple_of(2) { first.wire.len() } else { 6.min(first.wire.len()) };
                let (head, rest) = first.wire.split_at(cut);
                let pieces = [head, rest].into_iter().filter(|part| !part.is_empty());
                let pieces = pieces.map(Bytes::copy_from_slice).collect();
                self.asked = Asked::Say(vec![first]);
                Some(stroke(pieces, Then::GoesOn))
            }
        }
    }

    /// Several messages in one write, or cut where none of them ends.
    fn glued(&mut self, first: Outgoing) -> Stroke {
        let mut together = vec![first];
        while together.len() < GLUED && self.queue.front().is_some_and(Outgoing::is_plain) {
            together.extend(self.queue.pop_front());
        }
        let wire: Vec<u8> = together.iter().flat_map(|one| one.wire.iter().copied()).collect();
        let cut = usize::try_from(self.chance.below(u32::try_from(wire.len()).unwrap_or(u32::MAX)));
        let (head, rest) = wire.split_at(cut.unwrap_or_default().min(wire.len()));
        let pieces = [head, rest].into_iter().filter(|part| !part.is_empty());
        let pieces = pieces.map(Bytes::copy_from_slice).collect();
        self.asked = Asked::Say(together);
        stroke(pieces, Then::GoesOn)
    }

    fn gone(&mut self) -> Vanish {
        self.cut = true;
        match self.chance.below(3) {
            0 => Vanish::Close,
            1 => Vanish::Reset,
            _ => Vanish::Freeze,
        }
    }

    fn goodbye(&mut self) -> Stroke {
        self.asked = Asked::Leave;
        let frame = self.client.frame(wire::CLOSE, &wire::CLOSE_NORMAL, self.chance.below(u32::MAX));
        Stroke { purpose: Purpose::Goodbye, ..stroke(vec![frame.into()], Then::End) }
    }

    /// Messages left: from here on the server may have them.
    fn wrote(&mut self, all: Vec<Outgoing>, tell: &mut dyn FnMut(Fact)) {
        for one in all {
            self.link.frames += 1;
            self.link.temperatures += u64::from(one.temperature);
            let Some(says) = one.says else { continue };
            self.link.newest = one.counter;
            let (text, verdict) = (says.text.clone(), says.verdict);
            tell(Fact::Said { text, from: says.named.then_some(0), verdict, confirmed: false });
            self.link.unsure.push(says.text);
        }
    }

    /// Takes everything that came; says whether the server closes the connection.
    fn take(&mut self, tell: &mut dyn FnMut(Fact)) -> bool {
        let mut closes = false;
        while let Some(heard) = wire::hear(&mut self.heard) {
            match heard {
                Heard::Command(text) => tell(Fact::Got { text, first: true }),
                Heard::Close => closes = true,
                Heard::Odd(what) => tell(Fact::Odd(format!("the server sent {what}"))),
            }
        }
        closes
    }

    /// The connection is no more.
    fn ended(&mut self, in_order: bool, tell: &mut dyn FnMut(Fact)) {
        let link = std::mem::take(&mut self.link);
        self.heard.clear();
        if link.temperatures > 0 {
            let count = link.temperatures;
            tell(Fact::Holds { from: 0, sensor: "TempSensor", count, sure: in_order });
        }
        if !in_order {
            self.vanished = true;
            tell(Fact::Vanished);
            tell(Fact::Shows { from: 0, sensor: "SendCounter", value: None });
            return;
        }
        if !link.unsure.is_empty() && !self.vanished {
            tell(Fact::Shows { from: 0, sensor: "SendCounter", value: link.newest });
        }
        for text in link.unsure {
            tell(Fact::Sure { text });
        }
    }

    /// Reads the answer to the request, in the one read that the firmware makes.
    fn opened(&mut self, behind: Vec<Outgoing>, came: &Came, tell: &mut dyn FnMut(Fact)) -> bool {
        let glued = !behind.is_empty();
        let (bytes, open) = match came {
            Came::Nothing => {
                behind.into_iter().rev().for_each(|first| self.queue.push_front(first));
                return false;
            }
            Came::Bytes { bytes, open } => (bytes, *open),
        };
        self.wrote(behind, tell);
        match self.client.accepts(bytes) {
            Ok(end) => {
                let rest = bytes.get(end..).unwrap_or_default();
                if !rest.is_empty() && !glued {
                    tell(Fact::Odd(
                        "the server spoke right behind its answer, where it is not heard".to_owned(),
                    ));
                }
                self.heard.extend_from_slice(rest);
            }
            Err(fault) => {
                // A server that is about to stop answers nothing, or that it is not there.
                if !bytes.is_empty() && !bytes.starts_with(b"HTTP/1.1 50") {
                    tell(Fact::Odd(format!("the request for a connection was answered with {fault}")));
                }
                self.ended(false, tell);
                let refused = bytes.starts_with(b"HTTP/1.1 4");
                if refused {
                    // It would be again: what there is to say is lost.
                    self.queue.clear();
                }
                return refused;
            }
        }
        self.link.open = open;
        if !open {
            self.ended(false, tell);
        }
        open
    }
}

impl Simulator for Board {
    fn habits(&self) -> Habits {
        Habits {
            called: "boards",
            door: Door::Ws,
            every: EVERY,
            a_minute: 20.0,
            span: "20m",
            faults: &FAULTS,
            files: false,
            orders: Orders::Silent,
            given: Given::Nothing,
            alike_is_new: true,
        }
    }

    fn addresses(&self) -> &[String] {
        &self.addresses
    }

    fn suffer(&mut self, fault: Option<Fault>) {
        self.fault = fault;
        self.ending = Ending::Renew;
        let place = usize::try_from(self.id).unwrap_or_default() % Client::NEIGHBOURS.len();
        self.client = match fault {
            Some(Fault::Neighbours) => Client::NEIGHBOURS.get(place).copied().unwrap_or(Client::Arduino),
            Some(_) | None => Client::Firmware,
        };
    }

    fn tick(&mut self, now: Timestamp) {
        if self.ending == Ending::Leave {
            self.ending = Ending::No;
        }
        let last = match self.clock {
            Some(last) => last,
            // It says something as soon as it is on.
            None => now.minus(EVERY),
        };
        let passed = now.micros().saturating_sub(last.micros()) / EVERY_US;
        for _ in 0..passed.clamp(0, SAMPLES_MAX) {
            self.live();
        }
        self.clock = Some(last.plus(EVERY * u32::try_from(passed.max(0)).unwrap_or(u32::MAX)));
    }

    fn order(&mut self) -> Order {
        self.orders += 1;
        // No two of a board are alike; on for any value above zero (§5).
        let payload = format!("{}.{:04}", self.orders % 2, self.orders);
        Order { address: self.addresses.concat(), dst: Vec::new(), cmd: "1", payload }
    }

    fn way(&mut self) -> Way<'_> {
        Way::Talks(self)
    }
}

impl Talker for Board {
    fn next(&mut self, host: &str) -> Option<Stroke> {
        if !self.link.open {
            if self.ending == Ending::Leave || self.queue.is_empty() {
                return None;
            }
            self.ending = Ending::No;
            return Some(self.opening(host));
        }
        if self.ending != Ending::No || self.link.frames >= self.frames_max {
            return Some(self.goodbye());
        }
        self.saying()
    }

    fn came(&mut self, came: &Came, tell: &mut dyn FnMut(Fact)) -> bool {
        let asked = std::mem::take(&mut self.asked);
        let (all, leaves, gone) = match asked {
            Asked::Nothing => return true,
            Asked::Open(behind) => return self.opened(behind, came, tell),
            Asked::Say(all) => (all, false, false),
            Asked::Vanish(all) => (all, false, true),
            Asked::Leave => (Vec::new(), true, false),
        };
        let expected = gone || all.iter().any(|one| one.ends);
        self.wrote(all, tell);
        let open = match came {
            Came::Nothing => false,
            Came::Bytes { bytes, open } => {
                self.heard.extend_from_slice(bytes);
                *open
            }
        };
        let closes = self.take(tell);
        if open && !closes {
            return true;
        }
        self.ended(leaves && closes, tell);
        expected || (leaves && closes)
    }

    fn leave(&mut self) {
        self.ending = Ending::Leave;
    }
}

const fn stroke(pieces: Vec<Bytes>, then: Then) -> Stroke {
    Stroke { purpose: Purpose::Send, opens: false, pieces, apart: Duration::ZERO, then }
}

/// Every fault that a board can have.
const FAULTS: [Fault; 9] = [
    Fault::Glued,
    Fault::Slow,
    Fault::Duplicate,
    Fault::Neighbours,
    Fault::Garbage,
    Fault::HalfBody,
    Fault::ReconnectStorm,
    Fault::Reboot,
    Fault::Vanish,
];
/// A board speaks so often (§4).
const EVERY: Duration = Duration::from_secs(3);
const EVERY_US: i64 = 3_000_000;
/// More than this at once was slept through.
const SAMPLES_MAX: i64 = 100;
/// Pretend boards have the numbers from here on, of which there are so many.
const FIRST_ID: u32 = 800_000;
const IDS: u32 = 200_000;
/// Frames on one connection, so that it never has more than a second's worth.
const FRAMES_MAX: usize = 40;
const GLUED: usize = 5;
const SLOW_APART: Duration = Duration::from_millis(20);
const SLOW_BYTES: usize = 4;
/// Of a thousand messages, how many a fault hits.
const SOME: u32 = 100;
/// The same for a fault that takes long.
const FEW: u32 = 20;
