//! What the metrics tell of connections and handshakes. A listener looks its counters up once: that takes as long as a
//! small request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge};

use crate::http::{ListenerKind, TlsFacts};

/// How many connections of a listener are open.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    /// So many now.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one listener.
pub(super) struct Gauges {
    count: Count,
    all: Counter,
    open: Gauge,
    /// By version and suite. They are ours to choose from, so there are few.
    shaken: Mutex<Vec<(&'static str, &'static str, Counter)>>,
}

impl Gauges {
    pub(super) fn of(listener: ListenerKind, count: Count) -> Self {
        Self {
            count,
            all: metrics::counter!("homeport_connections_total", "listener" => listener.name()),
            open: metrics::gauge!("homeport_connections", "listener" => listener.name()),
            shaken: Mutex::default(),
        }
    }

    /// A connection begins; it is counted until the drop of what this gives.
    pub(super) fn open(&self) -> Open {
        self.all.increment(1);
        self.open.increment(1);
        self.count.0.fetch_add(1, Ordering::Relaxed);
        Open(self.open.clone(), self.count.clone())
    }

    /// A handshake succeeded.
    pub(super) fn shaken(&self, facts: &TlsFacts) {
        let (version, suite) = (facts.version, facts.suite);
        let mut known = self.shaken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., counter)) = known.iter().find(|known| known.0 == version && known.1 == suite) {
            counter.increment(1);
            return;
        }
        let counter = handshakes(version, suite, "ok");
        counter.increment(1);
        known.push((version, suite, counter));
    }

    /// A handshake failed; the result is the reason's code.
    #[expect(clippy::unused_self, reason = "a listener's counters are reached through it")]
    pub(super) fn not_shaken(&self, reason: &'static str) {
        handshakes("none", "none", reason).increment(1);
    }
}

fn handshakes(version: &'static str, suite: &'static str, result: &'static str) -> Counter {
    metrics::counter!("homeport_tls_handshakes_total", "version" => version, "suite" => suite, "result" => result)
}

/// An open connection: counted until its drop.
pub(super) struct Open(Gauge, Count);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
        self.1.0.fetch_sub(1, Ordering::Relaxed);
    }
}
