//! A pretend device with a token: uploads in every form, with the token in every place it may stand
//! (`accounts-dashboard.md §3, §4`). Pure; `crate::simulate` lends it sockets.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::family::simulator::{
    Call, Caller, Chance, Door, Fact, Fault, Form, Given, Habits, Order, Orders, Outcome, Purpose, Role,
    Simulator, Trouble, Way,
};
use crate::model::{Timestamp, Verdict};

/// The device.
pub(super) struct Thing {
    number: u32,
    chance: Chance,
    addresses: [String; 1],
    token: String,
    light: u32,
    clock: Option<Timestamp>,
    queue: VecDeque<Upload>,
    made: u32,
    /// Goes on from the time of its start, so that what it said before that is nothing that it says again.
    seq: i64,
    fault: Option<Fault>,
}

/// One upload.
struct Upload {
    kind: Kind,
    body: String,
    content_type: &'static str,
    /// What the ledger keeps of it: its body, or its records one by one.
    texts: Vec<String>,
    records: u64,
    /// Whether the server knows it when it comes again.
    repeatable: bool,
    key: Option<String>,
    place: u32,
    trouble: Trouble,
    tries: u32,
    again: bool,
    repeat: bool,
}

/// What an upload looks like (§4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bare,
    Data,
    DataDict,
    Numbered,
    Nested,
    Batch,
    NumberedBatch,
    Form,
    Lines,
    Keyed,
    Query,
    Garbage,
}

impl Thing {
    /// The same number is the same device in every run.
    pub(super) fn new(role: Role) -> Self {
        Self {
            number: role.number,
            chance: Chance::new(role.seed ^ (u64::from(role.number) << 32)),
            addresses: [format!("sim-thing-{:05}", role.number)],
            token: String::new(),
            light: role.number % 1000,
            clock: None,
            queue: VecDeque::new(),
            made: 0,
            seq: 0,
            fault: None,
        }
    }

    fn hits(&mut self, fault: Fault, share: u32) -> bool {
        self.fault == Some(fault) && self.chance.permille(share)
    }

    /// A record of two values; the brightness counts, so that no two are the same.
    fn record(&mut self, more: &str) -> String {
        self.light += 1;
        format!("{{\"tmp\":{}.5,\"light\":{}{more}}}", self.light % 40, self.light)
    }

    fn numbered(&mut self) -> String {
        self.seq += 1;
        let seq = self.seq;
        self.record(&format!(",\"seq\":{seq}"))
    }

    fn make(&mut self, at: Timestamp) {
        self.made += 1;
        let place = self.number.wrapping_add(self.made);
        let kind = if self.hits(Fault::Garbage, SOME) { Kind::Garbage } else { nth(&KINDS, place) };
        let (mut key, mut texts) = (None, Vec::new());
        let body = match kind {
            Kind::Bare => format!("{}.25", self.light % 40),
            Kind::Data => format!("{{\"data\":{}.75}}", self.light % 40),
            Kind::DataDict => {
                let time = self.time(at);
                format!("{{\"data\":{},\"time_created\":\"{time}\"}}", self.record(""))
            }
            Kind::Numbered => self.numbered(),
            Kind::Nested => format!("{{\"room\":{{\"air\":{}}}}}", self.record("")),
            Kind::Batch => {
                let all: Vec<String> = (0..BATCH).map(|_| self.record("")).collect();
                format!("[{}]", all.join(","))
            }
            Kind::NumberedBatch => {
                texts = (0..BATCH).map(|_| self.numbered()).collect();
                format!("[{}]", texts.join(", "))
            }
            Kind::Form | Kind::Query => {
                self.light += 1;
                format!("tmp={}.5&light={}", self.light % 40, self.light)
            }
            Kind::Lines => {
                self.light += 1;
                format!("tmp={}.5\nlight={}\n", self.light % 40, self.light)
            }
            Kind::Keyed => {
                self.seq += 1;
                key = Some(format!("{}-{}", self.number, self.seq));
                self.record("")
            }
            Kind::Garbage => nth(&GARBAGE, place).to_owned(),
        };
        if texts.is_empty() {
            texts.push(body.clone());
        }
        let records = match kind {
            Kind::Batch | Kind::NumberedBatch => BATCH,
            _ => 1,
        };
        let content_type = match kind {
            Kind::Form => "application/x-www-form-urlencoded",
            Kind::Lines | Kind::Bare => "text/plain",
            Kind::Query => "",
            _ => "application/json",
        };
        let repeatable = matches!(kind, Kind::Numbered | Kind::NumberedBatch | Kind::Keyed);
        self.queue.push_back(Upload {
            kind,
            body,
            content_type,
            texts,
            records,
            repeatable,
            key,
            place,
            trouble: Trouble::None,
            tries: 0,
            again: false,
            repeat: false,
        });
    }

    /// Its own clock, with a zone or without.
    fn time(&self, at: Timestamp) -> String {
        let days = |count: u64| Duration::from_secs(count * 86_400);
        match (self.fault, self.number % 3) {
            (Some(Fault::ClockSkew), 0) => at.plus(days(400)).civil_seconds(),
            (Some(Fault::ClockSkew), 1) => "1970-01-01T00:00:09".to_owned(),
            (Some(Fault::ClockSkew), _) => "soon".to_owned(),
            (_, 0) => at.civil_seconds(),
            (_, _) => format!("{}Z", at.civil_seconds()),
        }
    }

    /// Puts the token where it may stand.
    fn call(&self, upload: &Upload) -> Call {
        let basic = |text: String| ("Authorization", format!("Basic {}", STANDARD.encode(text)));
        let token = &self.token;
        let asks = upload.kind == Kind::Query;
        let mut target =
            if upload.place.is_multiple_of(4) { "/api/v1/data/" } else { "/api/v1/data" }.to_owned();
        let mut headers = Vec::new();
        match upload.place % 6 {
            _ if asks => target.extend(["?token=", token, "&", &upload.body]),
            0 => headers.push(basic(format!("{token}:"))),
            1 => headers.push(basic(format!("thing:{token}"))),
            2 => headers.push(("X-Device-Token", token.clone())),
            3 => target.extend(["?token=", token]),
            4 => headers.push(("Authorization", format!("bearer {token}"))),
            _ => headers.push(("Authorization", format!("Bearer {token}"))),
        }
        if !upload.content_type.is_empty() {
            headers.push(("Content-Type", upload.content_type.to_owned()));
        }
        headers.extend(upload.key.clone().map(|key| ("Idempotency-Key", key)));
        Call {
            purpose: Purpose::Push,
            method: if asks { "GET" } else { "POST" },
            target,
            headers,
            body: if asks { Bytes::new() } else { Bytes::from(upload.body.clone()) },
            form: match upload.place % 9 {
                2 => Form::Chunked,
                4 => Form::Old,
                7 => Form::Expecting,
                _ => Form::Plain,
            },
            trouble: upload.trouble,
        }
    }

    /// Tells what is known of the first upload, and lets go of it unless it is to come again.
    fn settle(&mut self, confirmed: bool, tell: &mut dyn FnMut(Fact)) {
        let Some(upload) = self.queue.front_mut() else { return };
        let verdict = if upload.kind == Kind::Garbage { Verdict::Malformed } else { Verdict::Ok };
        for text in &upload.texts {
            let text = Bytes::from(text.clone());
            tell(Fact::Said { text, from: Some(0), verdict, confirmed });
        }
        if !confirmed && upload.repeatable {
            return; // the same again, until it is confirmed
        }
        if upload.kind != Kind::Garbage && !upload.repeat {
            tell(Fact::Holds {
                from: 0,
                sensor: upload.kind.counts(),
                count: upload.records,
                sure: confirmed,
            });
        }
        if confirmed && std::mem::take(&mut upload.again) {
            upload.repeat = true;
            return;
        }
        self.queue.pop_front();
    }
}

impl Kind {
    /// A sensor that is in each of its records.
    const fn counts(self) -> &'static str {
        match self {
            Self::Bare | Self::Data => "data",
            Self::Nested => "room.air.light",
            Self::DataDict
            | Self::Numbered
            | Self::Batch
            | Self::NumberedBatch
            | Self::Form
            | Self::Lines
            | Self::Keyed
            | Self::Query
            | Self::Garbage => "light",
        }
    }
}

impl Simulator for Thing {
    fn habits(&self) -> Habits {
        Habits {
            called: "devices",
            door: Door::Http,
            every: EVERY,
            a_minute: 2.0,
            span: "1h",
            faults: &FAULTS,
            files: false,
            orders: Orders::Never,
            given: Given::Token,
            alike_is_new: true,
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
            self.clock = Some(now);
            self.seq = now.micros();
            return self.make(now);
        };
        let passed = now.micros().saturating_sub(last.micros()) / EVERY_US;
        for _ in 0..passed.clamp(0, AT_ONCE_MAX) {
            self.make(now);
        }
        self.clock = Some(last.plus(EVERY * u32::try_from(passed.max(0)).unwrap_or_default()));
    }

    fn order(&mut self) -> Order {
        // Never asked for: `Orders::Never`.
        Order { address: self.addresses.concat(), dst: Vec::new(), cmd: "", payload: String::new() }
    }

    fn way(&mut self) -> Way<'_> {
        Way::Calls(self)
    }
}

impl Caller for Thing {
    fn next(&mut self, _now: Timestamp) -> Option<Call> {
        let fault = self.fault;
        let (some, few, half) =
            (self.chance.permille(SOME), self.chance.permille(FEW), self.chance.permille(500));
        let upload = self.queue.front_mut()?;
        upload.tries += 1;
        upload.trouble = match fault {
            _ if upload.tries > 1 => Trouble::None,
            Some(Fault::HalfBody) if some => Trouble::HalfSent,
            Some(Fault::Slow) if few => Trouble::Slow,
            Some(Fault::ReconnectStorm) if some => Trouble::Fresh,
            Some(Fault::Duplicate) if some && upload.repeatable => {
                upload.again = half;
                if half { Trouble::None } else { Trouble::HalfHeard }
            }
            _ => Trouble::None,
        };
        let upload = self.queue.front()?;
        Some(self.call(upload))
    }

    fn heard(&mut self, _now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let Some(upload) = self.queue.front() else { return };
        let (status, head, body) = match outcome {
            Outcome::Unsent => return,
            Outcome::Broken => return self.settle(false, tell),
            Outcome::Answered { status, head, body } => (*status, head, body),
        };
        let wanted = if upload.kind == Kind::Query { 200 } else { 202 };
        let accepted = format!("\"accepted\":{}", upload.records);
        let said = String::from_utf8_lossy(body);
        let known = !upload.repeat || said.contains("\"duplicate\":");
        match status {
            // It sends too fast: nothing was stored, and it comes again after a rest.
            429 if has(head, "retry-after:") => {}
            400 | 422 if upload.kind == Kind::Garbage => self.settle(false, tell),
            500.. => self.settle(false, tell),
            _ if status == wanted && said.contains(&accepted) && known => self.settle(true, tell),
            _ => {
                let shown: String = said.chars().take(120).collect();
                tell(Fact::Odd(format!("{:?} was answered {status} {shown}", upload.kind)));
                self.settle(false, tell);
                self.queue.pop_front();
            }
        }
    }

    fn entrust(&mut self, secret: &str) {
        secret.clone_into(&mut self.token);
    }
}

fn has(head: &[u8], name: &str) -> bool {
    String::from_utf8_lossy(head).lines().any(|line| line.to_ascii_lowercase().starts_with(name))
}

fn nth<T: Copy>(all: &[T; 11], place: u32) -> T {
    let [first, ..] = all;
    all.get(usize::try_from(place).unwrap_or_default() % all.len()).copied().unwrap_or(*first)
}

const EVERY: Duration = Duration::from_secs(30);
const EVERY_US: i64 = 30_000_000;
/// More than this at once was slept through.
const AT_ONCE_MAX: i64 = 20;
/// Every fault that such a device can have.
const FAULTS: [Fault; 6] =
    [Fault::HalfBody, Fault::Slow, Fault::Duplicate, Fault::ReconnectStorm, Fault::ClockSkew, Fault::Garbage];
const KINDS: [Kind; 11] = [
    Kind::Bare,
    Kind::Data,
    Kind::DataDict,
    Kind::Numbered,
    Kind::Nested,
    Kind::Batch,
    Kind::NumberedBatch,
    Kind::Form,
    Kind::Lines,
    Kind::Keyed,
    Kind::Query,
];
/// What is no upload: answered 400 or 422, and kept.
const GARBAGE: [&str; 11] = [
    "{\"tmp\":",
    "{}",
    "[]",
    "[{\"tmp\":1},",
    "\"\\ud800\"",
    "{\"data\":{}}",
    "{tmp:1}",
    "{\"seq\":1}",
    "nul",
    "]",
    "{\"a\" 1}",
];
/// Records in a batch.
const BATCH: u64 = 3;
/// Of a thousand uploads, how many a fault hits.
const SOME: u32 = 150;
/// The same for a fault that takes long.
const FEW: u32 = 20;

#[cfg(test)]
#[path = "simulator_tests.rs"]
mod tests;
