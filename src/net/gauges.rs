//! What the metrics tell of connections and handshakes.

use metrics::Gauge;

use crate::http::{ListenerKind, TlsFacts};

/// An open connection: counted from here to its drop.
pub(super) struct Open(Gauge);

impl Open {
    pub(super) fn on(listener: ListenerKind) -> Self {
        metrics::counter!("homeport_connections_total", "listener" => listener.name()).increment(1);
        let open = metrics::gauge!("homeport_connections", "listener" => listener.name());
        open.increment(1);
        Self(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// A handshake succeeded.
pub(super) fn shaken(facts: &TlsFacts) {
    handshake(facts.version.clone(), facts.suite.clone(), "ok");
}

/// A handshake failed; the result is the reason's code.
pub(super) fn not_shaken(reason: &'static str) {
    handshake("none".to_owned(), "none".to_owned(), reason);
}

/// Versions and suites are ours to choose from, so there are few.
fn handshake(version: String, suite: String, result: &'static str) {
    metrics::counter!("homeport_tls_handshakes_total", "version" => version, "suite" => suite, "result" => result)
        .increment(1);
}
