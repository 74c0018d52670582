//! One pretend device with a socket: makes the calls its dialect asks for, one after the other, and backs off when
//! the server does not answer (`cwm-oke.md §2`: reconnecting).

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::Instant;

use super::book::Book;
use super::fleet::Fleet;
use super::line::Line;
use super::link::Link;
use super::tls;
use crate::family::simulator::{Call, Came, Fact, Fault, Outcome, Simulator, Stroke, Trouble, Way};
use crate::model::Timestamp;

/// A device, its connection and its book.
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) sim: Box<dyn Simulator>,
    pub(super) book: Book,
    /// Commands that were queued for it, by id.
    pub(super) orders: Vec<String>,
    /// Files that were sent to it in pieces, by id.
    pub(super) sent: Vec<String>,
    pub(super) sends_tried: u32,
    /// Those orders that were not over when somebody looked.
    pub(super) open: Vec<String>,
    line: Option<Line>,
    /// For a device that keeps a connection.
    link: Link,
    tls: Option<Arc<ClientConfig>>,
    certified: bool,
    failures: u32,
    failing_since: Option<Instant>,
}

impl Member {
    pub(super) fn new(number: u32, sim: Box<dyn Simulator>) -> Self {
        Self {
            number,
            sim,
            book: Book::default(),
            orders: Vec::new(),
            sent: Vec::new(),
            sends_tried: 0,
            open: Vec::new(),
            line: None,
            link: Link::default(),
            tls: None,
            certified: false,
            failures: 0,
            failing_since: None,
        }
    }

    /// Its own address.
    pub(super) fn address(&self) -> String {
        self.sim.addresses().first().cloned().unwrap_or_default()
    }

    /// Turns a fault on or off.
    pub(super) fn suffer(&mut self, fault: Option<Fault>) {
        if fault == Some(Fault::ReconnectStorm) {
            self.hang_up();
        }
        self.sim.suffer(fault);
    }

    /// Ends the connection, as a device does that sleeps until its next minute.
    pub(super) async fn leave(&mut self, fleet: &Fleet) {
        self.hang_up();
        if let Way::Talks(talker) = self.sim.way() {
            talker.leave();
            while self.talk(fleet).await {}
        }
    }

    fn hang_up(&mut self) {
        self.line = None;
    }

    /// A minute of its life: all that it has to say at a time.
    pub(super) async fn live(&mut self, now: Timestamp, fleet: &Fleet) {
        self.sim.tick(now);
        self.speak(now, fleet).await;
    }

    async fn speak(&mut self, now: Timestamp, fleet: &Fleet) {
        while !fleet.stop.is_cancelled() {
            let spoke = match self.sim.way() {
                Way::Talks(_) => self.talk(fleet).await,
                Way::Calls(caller) => match caller.next(now) {
                    Some(call) => {
                        self.ask(&call, now, fleet).await;
                        true
                    }
                    None => false,
                },
            };
            if !spoke {
                return;
            }
        }
    }

    /// Makes a call, and tells the device what became of it.
    async fn ask(&mut self, call: &Call, now: Timestamp, fleet: &Fleet) {
        let outcome = self.call(call, fleet).await;
        let failed = match (&outcome, call.trouble) {
            (Outcome::Broken | Outcome::Unsent, Trouble::HalfHeard | Trouble::HalfSent) => false,
            (Outcome::Broken | Outcome::Unsent | Outcome::Answered { status: 429 | 500.., .. }, _) => true,
            (Outcome::Answered { .. }, _) => false,
        };
        let book = &mut self.book;
        if let Way::Calls(caller) = self.sim.way() {
            caller.heard(now, &outcome, &mut |fact| noted(fact, book, fleet));
        }
        self.take_identity();
        if failed {
            self.back_off(fleet).await;
        } else {
            (self.failures, self.failing_since) = (0, None);
        }
    }

    /// Does the next thing on a connection that lasts; says whether there was one.
    async fn talk(&mut self, fleet: &Fleet) -> bool {
        let Way::Talks(talker) = self.sim.way() else { return false };
        let Some(stroke) = talker.next(&fleet.plan.target.host) else { return false };
        let came = self.strike(&stroke, fleet).await;
        let book = &mut self.book;
        let Way::Talks(talker) = self.sim.way() else { return false };
        if talker.came(&came, &mut |fact| noted(fact, book, fleet)) {
            (self.failures, self.failing_since) = (0, None);
        } else {
            self.back_off(fleet).await;
        }
        true
    }

    async fn strike(&mut self, stroke: &Stroke, fleet: &Fleet) -> Came {
        if stroke.opens {
            let start = Instant::now();
            let opened = self.link.open(&fleet.plan.target, self.number);
            let opened = tokio::time::timeout(CONNECT_WITHIN, opened).await;
            let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            fleet.figures().handshake(opened.is_ok().then(|| start.elapsed()));
            if let Err(error) = opened {
                fleet.note_trouble(&error.to_string());
            }
        }
        let start = Instant::now();
        let came = self.link.strike(stroke).await;
        fleet.figures().stroke(stroke, &came, start.elapsed());
        came
    }

    async fn call(&mut self, call: &Call, fleet: &Fleet) -> Outcome {
        if call.trouble == Trouble::Fresh {
            self.hang_up();
        }
        if !self.line.as_ref().is_some_and(Line::is_open) {
            self.line = None;
            let start = Instant::now();
            let line = self.connect(fleet).await;
            fleet.figures().handshake(line.as_ref().map(|_| start.elapsed()));
            self.line = line;
        }
        let start = Instant::now();
        let outcome = match self.line.as_mut() {
            None => return Outcome::Unsent,
            Some(line) => {
                let made = line.call(call, &fleet.plan.target.host);
                tokio::time::timeout(ANSWER_WITHIN, made).await.unwrap_or(Outcome::Broken)
            }
        };
        fleet.figures().call(call.purpose, call.trouble, &outcome, start.elapsed());
        outcome
    }

    async fn connect(&mut self, fleet: &Fleet) -> Option<Line> {
        let speaks_tls = fleet.plan.target.name.is_some();
        if speaks_tls && self.tls.is_none() {
            let identity = match self.sim.way() {
                Way::Calls(caller) => caller.identity(),
                Way::Talks(_) => None,
            };
            match tls::config(&fleet.plan.verifier, identity) {
                Ok(config) => self.tls = Some(config),
                Err(fault) => {
                    self.book.note(Fact::Odd(fault));
                    self.tls = tls::config(&fleet.plan.verifier, None).ok();
                }
            }
        }
        let tls = if speaks_tls { Some(Arc::clone(self.tls.as_ref()?)) } else { None };
        let opened = Line::open(&fleet.plan.target, self.number, tls);
        match tokio::time::timeout(CONNECT_WITHIN, opened).await {
            Ok(Ok(line)) => Some(line),
            Ok(Err(error)) => {
                fleet.note_trouble(&error.to_string());
                None
            }
            Err(_) => {
                fleet.note_trouble("no connection in time");
                None
            }
        }
    }

    /// A certificate that was just given is shown from the next connection on.
    fn take_identity(&mut self) {
        let Way::Calls(caller) = self.sim.way() else { return };
        if caller.identity().is_some() && !self.certified {
            self.certified = true;
            self.tls = None;
            self.hang_up();
        }
    }

    async fn back_off(&mut self, fleet: &Fleet) {
        self.hang_up();
        self.failures += 1;
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() > fleet.plan.patience {
            fleet.give_up();
            return;
        }
        let wait = BACK_OFF_FIRST.saturating_mul(1 << self.failures.min(16)).min(BACK_OFF_MOST);
        let _ = fleet.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

fn noted(fact: Fact, book: &mut Book, fleet: &Fleet) {
    if matches!(fact, Fact::Said { confirmed: true, .. } | Fact::Sure { .. }) {
        fleet.progress.confirmed.fetch_add(1, Ordering::Relaxed);
    }
    book.note(fact);
}

impl Fleet {
    pub(super) fn figures(&self) -> std::sync::MutexGuard<'_, super::summary::Figures> {
        // A panic cannot leave counts half changed.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client waits at least 20 s for an answer (`cwm-oke.md §2`).
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
const BACK_OFF_FIRST: Duration = Duration::from_millis(25);
/// A module waits up to 2 minutes; a day in minutes has no time for that.
const BACK_OFF_MOST: Duration = Duration::from_secs(5);
