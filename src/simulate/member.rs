//! One pretend device with a socket: makes the calls its dialect asks for, one after the other, and backs off when
//! the server does not answer (`cwm-oke.md §2`: reconnecting).

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::Instant;

use super::book::Book;
use super::fleet::Fleet;
use super::line::Line;
use super::tls;
use crate::family::simulator::{Call, Fact, Fault, Outcome, Simulator, Trouble};
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
    pub(super) fn hang_up(&mut self) {
        self.line = None;
    }

    /// A minute of its life: all that it has to say at a time.
    pub(super) async fn live(&mut self, now: Timestamp, fleet: &Fleet) {
        self.sim.tick(now);
        self.speak(now, fleet).await;
    }

    async fn speak(&mut self, now: Timestamp, fleet: &Fleet) {
        while !fleet.stop.is_cancelled() {
            let Some(call) = self.sim.next(now) else { return };
            let outcome = self.call(&call, fleet).await;
            let failed = match (&outcome, call.trouble) {
                (Outcome::Broken | Outcome::Unsent, Trouble::HalfHeard | Trouble::HalfSent) => false,
                (Outcome::Broken | Outcome::Unsent | Outcome::Answered { status: 500.., .. }, _) => true,
                (Outcome::Answered { .. }, _) => false,
            };
            let book = &mut self.book;
            self.sim.heard(now, &outcome, &mut |fact: Fact| {
                if matches!(fact, Fact::Said { confirmed: true, .. }) {
                    fleet.progress.confirmed.fetch_add(1, Ordering::Relaxed);
                }
                book.note(fact);
            });
            self.take_identity();
            if failed {
                self.back_off(fleet).await;
            } else {
                (self.failures, self.failing_since) = (0, None);
            }
        }
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
            match tls::config(&fleet.plan.verifier, self.sim.identity()) {
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
        if !self.certified && self.sim.identity().is_some() {
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
