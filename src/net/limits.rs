//! Every limit of a listener, by name, unit last.

use crate::http::BodyLimits;

/// What strangers may cost. The defaults fit a home server on two cores; all can be changed while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest TLS handshake, from accept to its end, in milliseconds. Default 10,000.
    pub handshake_time_ms: u64,
    /// Longest time from the first byte of a request to the end of its header block, in milliseconds. Default 10,000.
    pub header_time_ms: u64,
    /// Longest time a connection may rest between two requests, or before the first, in seconds. Default 330: a
    /// module that calls each minute keeps its connection (`cwm-oke.md §2` asks for five minutes or more).
    pub idle_time_s: u64,
    /// Longest time a body may take after its header block, in milliseconds. Default 15,000.
    pub body_time_ms: u64,
    /// Longest time a client may refuse to take bytes of an answer, in milliseconds. Default 30,000.
    pub write_time_ms: u64,
    /// Longest time connections may go on after a stop, in milliseconds. Default 10,000.
    pub drain_time_ms: u64,
    /// Longest wait before accepting again when descriptors or memory ran out, in milliseconds. Default 1,000.
    pub accept_pause_ms: u64,
    /// Largest body in bytes. Default 1,048,576.
    pub body_max_bytes: usize,
    /// Longest request line in bytes: an OKM in the query, percent-encoded, is over 3 KiB. Default 16,384.
    pub request_line_max_bytes: usize,
    /// Largest header block without the request line, in bytes. Default 16,384.
    pub header_max_bytes: usize,
    /// Most header lines. Default 100.
    pub header_max_count: usize,
    /// Most connections open at once on a listener; more wait in the kernel's queue. Default 4,096.
    pub connections_max_count: usize,
    /// Most connections open at once from one address (IPv6: one /64); more are closed at once. Default 256.
    pub peer_connections_max_count: usize,
}

impl Limits {
    /// The part that concerns bodies.
    pub const fn body(&self) -> BodyLimits {
        BodyLimits { body_max_bytes: self.body_max_bytes, body_time_ms: self.body_time_ms }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_time_ms: 10_000,
            header_time_ms: 10_000,
            idle_time_s: 330,
            body_time_ms: 15_000,
            write_time_ms: 30_000,
            drain_time_ms: 10_000,
            accept_pause_ms: 1_000,
            body_max_bytes: 1_048_576,
            request_line_max_bytes: 16_384,
            header_max_bytes: 16_384,
            header_max_count: 100,
            connections_max_count: 4_096,
            peer_connections_max_count: 256,
        }
    }
}
