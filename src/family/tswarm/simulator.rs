//! A pretend node: wakes, uploads once as MicroPython's `urequests` does, sleeps for five minutes (`tswarm-node.md §1–§3`).
//! Pure; `crate::simulate` lends it sockets.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::family::simulator::{
    Call, Caller, Chance, Door, Fact, Fault, Form, Given, Habits, Order, Orders, Outcome, Purpose, Role,
    Simulator, Trouble, Way,
};
use crate::model::{Timestamp, Verdict};

/// The node.
pub(super) struct Node {
    chance: Chance,
    addresses: [String; 1],
    /// What stands behind `Basic`.
    xauth: String,
    /// Tenths of a degree, and of a percent.
    weather: [i64; 2],
    /// Whether its sensor gives decimals.
    fine: bool,
    wakes: Option<Timestamp>,
    upload: Option<Upload>,
    /// It was told to stay awake, and does until somebody resets it.
    awake: bool,
    fault: Option<Fault>,
}

/// One wake-up's upload. A node has no buffer: what does not arrive is lost.
struct Upload {
    body: Bytes,
    /// The temperature in it, where it is whole.
    shows: Option<i64>,
    method: &'static str,
    trouble: Trouble,
    garbage: bool,
    /// A proxy sends it once more.
    again: bool,
    repeat: bool,
}

impl Node {
    /// The same number is the same node in every run.
    pub(super) fn new(role: Role) -> Self {
        let mut chance = Chance::new(role.seed ^ (u64::from(role.number) << 32));
        let weather = [180 + 10 * i64::from(chance.below(8)), 400 + 10 * i64::from(chance.below(20))];
        Self {
            chance,
            addresses: [format!("sim-node-{:05}", role.number)],
            xauth: String::new(),
            weather,
            fine: role.number.is_multiple_of(4),
            wakes: None,
            upload: None,
            awake: false,
            fault: None,
        }
    }

    fn name(&self) -> &str {
        let [name] = &self.addresses;
        name
    }

    /// Cold boot, sensor, one upload (§1). What it measures is never what it measured before, since the same body within a
    /// few seconds is one reading (§4).
    fn wake(&mut self) {
        let step = if self.fine { 1 + i64::from(self.chance.below(9)) } else { 10 };
        let up = self.weather[0] < 100 || (self.weather[0] < 300 && self.chance.permille(500));
        self.weather[0] += if up { step } else { -step };
        self.weather[1] = 300 + 10 * i64::from(self.chance.below(40));
        let [temperature, humidity] = self.weather;
        let data = if self.fine {
            format!("{}.{} {}.{}", temperature / 10, temperature % 10, humidity / 10, humidity % 10)
        } else {
            format!("{} {}", temperature / 10, humidity / 10)
        };
        let some = |this: &mut Self, fault| this.fault == Some(fault) && this.chance.permille(SOME);
        let garbage = some(self, Fault::Garbage);
        let trouble = match self.fault {
            Some(Fault::HalfBody) if self.chance.permille(SOME) => Trouble::HalfSent,
            Some(Fault::Vanish) if self.chance.permille(SOME) => Trouble::HalfHeard,
            Some(Fault::Slow) if self.chance.permille(FEW) => Trouble::Slow,
            _ => Trouble::None,
        };
        let body = if garbage {
            {
                let [one, other] = GARBAGE;
                if self.chance.permille(500) { one } else { other }
            }
            .to_owned()
        } else {
            // The original formats a string; nothing is escaped (§2).
            format!("{{\"name\":\"{}\",\"data\":\"{data}\"}}", self.name())
        };
        self.upload = Some(Upload {
            body: Bytes::from(body),
            shows: (!self.fine).then_some(temperature / 10),
            method: "PUT",
            trouble,
            garbage,
            again: some(self, Fault::Duplicate),
            repeat: false,
        });
    }

    fn lost(&mut self, sure_of: Option<bool>, tell: &mut dyn FnMut(Fact)) {
        let Some(upload) = self.upload.take() else { return };
        let Some(confirmed) = sure_of else { return };
        let verdict = if upload.garbage { Verdict::Malformed } else { Verdict::Ok };
        tell(Fact::Said { text: upload.body.clone(), from: Some(0), verdict, confirmed });
        if upload.garbage {
            return;
        }
        let sure = confirmed && !upload.repeat;
        tell(Fact::Holds { from: 0, sensor: TEMPERATURE, count: 1, sure });
        if !upload.repeat {
            let value = upload.shows.filter(|_| confirmed);
            tell(Fact::Shows { from: 0, sensor: TEMPERATURE, value });
        }
        if confirmed && upload.again {
            self.upload = Some(Upload { again: false, repeat: true, trouble: Trouble::None, ..upload });
        }
    }
}

impl Simulator for Node {
    fn habits(&self) -> Habits {
        Habits {
            called: "nodes",
            door: Door::Http,
            every: PERIOD,
            a_minute: 0.2,
            span: "4h",
            faults: &FAULTS,
            files: false,
            orders: Orders::Never,
            given: Given::Login,
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
        // In a storm it boots again and again instead of sleeping.
        let due = self.wakes.is_none_or(|at| at <= now) || self.fault == Some(Fault::ReconnectStorm);
        if self.awake || !due {
            return;
        }
        self.wake();
        let boot = Duration::from_secs(5 + u64::from(self.chance.below(11)));
        self.wakes = Some(now.plus(PERIOD).plus(boot));
    }

    fn order(&mut self) -> Order {
        // Never asked for: `Orders::Never`.
        Order { address: self.addresses.concat(), dst: Vec::new(), cmd: "", payload: String::new() }
    }

    fn way(&mut self) -> Way<'_> {
        Way::Calls(self)
    }
}

impl Caller for Node {
    fn next(&mut self, _now: Timestamp) -> Option<Call> {
        let upload = self.upload.as_ref()?;
        let basic = format!("Basic {}", self.xauth);
        // The newer library: HTTP/1.1, and what it says of the connection (§9).
        let newer = self.fault == Some(Fault::Neighbours);
        let (form, headers) = if newer {
            let headers = vec![
                ("Authorization", basic),
                ("Content-Type", "application/json".to_owned()),
                ("Connection", "close".to_owned()),
            ];
            (Form::Plain, headers)
        } else {
            let headers =
                vec![("authorization", format!(" {basic}")), ("content-type", "application/json".to_owned())];
            (Form::Pieces, headers)
        };
        Some(Call {
            purpose: if upload.method == "PUT" { Purpose::Push } else { Purpose::Register },
            method: upload.method,
            target: format!("/api/v1/tswarm/{}", self.name()),
            headers,
            body: upload.body.clone(),
            form,
            trouble: upload.trouble,
        })
    }

    fn heard(&mut self, _now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        let Some(upload) = &mut self.upload else { return };
        let (status, head) = match outcome {
            // Its power went: the server cannot have it.
            Outcome::Unsent => return self.lost(None, tell),
            Outcome::Broken => return self.lost(Some(false), tell),
            Outcome::Answered { status, head, .. } => (*status, head),
        };
        if let Some(fault) = misread(head) {
            tell(Fact::Odd(format!("{} was answered with {fault}", upload.method)));
        }
        match (upload.method, status) {
            ("PUT", 405) if !upload.garbage => (upload.method, upload.trouble) = ("POST", Trouble::None),
            ("PUT", 423) => {
                self.awake = true;
                self.lost(Some(true), tell);
            }
            (_, 202) if !upload.garbage => self.lost(Some(true), tell),
            (_, 400) if upload.garbage => self.lost(Some(false), tell),
            // Ignored, and the reading is lost (§3).
            (_, 500..) => self.lost(Some(false), tell),
            (method, status) => {
                tell(Fact::Odd(format!("{method} was answered {status}")));
                self.lost(Some(false), tell);
            }
        }
    }

    fn entrust(&mut self, secret: &str) {
        self.xauth = STANDARD.encode(format!("{}:{secret}", self.name()));
    }
}

/// What a library of a node stumbles over in an answer, if anything (§9): no reason text, `Location:`, a body in chunks.
fn misread(head: &[u8]) -> Option<&'static str> {
    let head = String::from_utf8_lossy(head);
    let line = head.lines().next().unwrap_or_default();
    let said = |name: &str| head.lines().any(|line| line.to_ascii_lowercase().starts_with(name));
    if line.split(' ').count() < 3 {
        Some("a status line without a reason")
    } else if said("location:") {
        Some("a redirect")
    } else if said("transfer-encoding:") {
        Some("a body in chunks")
    } else if !said("content-length: 0") {
        Some("a body")
    } else {
        None
    }
}

/// How long a node sleeps (§1).
const PERIOD: Duration = Duration::from_mins(5);
const TEMPERATURE: &str = "temperature";
/// Every fault that a node can have.
const FAULTS: [Fault; 7] = [
    Fault::HalfBody,
    Fault::Slow,
    Fault::Duplicate,
    Fault::ReconnectStorm,
    Fault::Garbage,
    Fault::Vanish,
    Fault::Neighbours,
];
/// What is no reading: answered 400 and kept.
const GARBAGE: [&str; 2] = ["rebooting", r#"{"data":"warm and dry"}"#];
/// Of a thousand uploads, how many a fault hits.
const SOME: u32 = 200;
/// The same for a fault that takes long.
const FEW: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: &str = "HTTP/1.0 202 Accepted\r\ncontent-length: 0\r\ndate: x\r\n\r\n";

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(60 * minutes))
    }

    fn node() -> Node {
        let mut node = Node::new(Role { number: 1, behind: 0, seed: 7 });
        node.entrust("secret");
        node
    }

    fn answered(status: u16, head: &'static str) -> Outcome {
        Outcome::Answered { status, head: Bytes::from_static(head.as_bytes()), body: Bytes::new() }
    }

    fn hears(node: &mut Node, outcome: &Outcome) -> Vec<Fact> {
        let mut facts = Vec::new();
        node.heard(at(0), outcome, &mut |fact| facts.push(fact));
        facts
    }

    #[test]
    fn an_unknown_node_puts_posts_and_sleeps_for_five_minutes() {
        let mut node = node();
        node.tick(at(0));
        let put = node.next(at(0)).unwrap();
        assert_eq!(
            (put.method, put.target.as_str(), put.form),
            ("PUT", "/api/v1/tswarm/sim-node-00001", Form::Pieces)
        );
        assert_eq!(put.headers[0], ("authorization", " Basic c2ltLW5vZGUtMDAwMDE6c2VjcmV0".to_owned()));
        let refused = "HTTP/1.0 405 Method Not Allowed\r\nallow: POST\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(hears(&mut node, &answered(405, refused)), []);
        let post = node.next(at(0)).unwrap();
        assert_eq!((post.method, &post.body), ("POST", &put.body));
        let facts = hears(&mut node, &answered(202, TAKEN));
        assert!(matches!(&facts[0], Fact::Said { confirmed: true, text, .. } if *text == put.body));
        assert_eq!(facts[1], Fact::Holds { from: 0, sensor: "temperature", count: 1, sure: true });
        assert!(matches!(facts[2], Fact::Shows { value: Some(_), .. }));
        for minute in 0..5 {
            node.tick(at(minute));
            assert!(node.next(at(minute)).is_none(), "it sleeps");
        }
        node.tick(at(6));
        assert_ne!(node.next(at(6)).unwrap().body, put.body, "no two readings in a row are the same");
    }

    #[test]
    fn a_node_that_is_held_stays_awake_and_silent() {
        let mut node = node();
        node.tick(at(0));
        node.next(at(0)).unwrap();
        let facts = hears(&mut node, &answered(423, "HTTP/1.0 423 Locked\r\ncontent-length: 0\r\n\r\n"));
        assert!(matches!(facts[0], Fact::Said { confirmed: true, .. }), "it is stored all the same");
        node.tick(at(60));
        assert!(node.next(at(60)).is_none());
    }

    #[test]
    fn answers_that_would_stop_a_board_are_told() {
        for (head, wrong) in [
            (TAKEN, None),
            ("HTTP/1.0 202\r\ncontent-length: 0\r\n\r\n", Some("a status line without a reason")),
            ("HTTP/1.0 202 Accepted\r\nLocation: /x\r\ncontent-length: 0\r\n\r\n", Some("a redirect")),
            ("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", Some("a body in chunks")),
            ("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n", Some("a body")),
        ] {
            assert_eq!(misread(head.as_bytes()), wrong, "{head}");
        }
        let mut node = node();
        node.tick(at(0));
        let facts = hears(&mut node, &answered(200, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(matches!(facts[0], Fact::Odd(_)), "200 is not success");
    }

    #[test]
    fn what_a_proxy_repeats_counts_once() {
        let mut node = node();
        node.suffer(Some(Fault::Duplicate));
        for minute in 0..1000 {
            node.tick(at(6 * minute));
            let Some(first) = node.next(at(0)) else { continue };
            hears(&mut node, &answered(202, TAKEN));
            let Some(second) = node.next(at(0)) else { continue };
            assert_eq!(first, second);
            let facts = hears(&mut node, &answered(202, TAKEN));
            assert_eq!(facts[1], Fact::Holds { from: 0, sensor: "temperature", count: 1, sure: false });
            assert!(node.next(at(0)).is_none());
            return;
        }
        panic!("nothing was repeated");
    }
}
