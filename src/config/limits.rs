//! Every limit there is, its unit last in its name.

/// How much and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TLS handshake.
    pub handshake_s: u64,
    /// From the start of a request's head to its end.
    pub header_s: u64,
    /// A connection on which nothing is asked.
    pub idle_s: u64,
    /// A request's whole body.
    pub body_s: u64,
    /// From the request to its answer.
    pub answer_s: u64,
    /// Request line and header lines together.
    pub header_bytes: usize,
    /// The request line alone.
    pub request_line_bytes: usize,
    /// Header lines.
    pub headers_count: usize,
    /// A device's request body.
    pub body_bytes: usize,
    /// Connections in all.
    pub connections_count: usize,
    /// Connections of one peer address.
    pub peer_connections_count: usize,
    /// Writes that may wait for the store.
    pub queue_count: usize,
    /// Writes that are committed together.
    pub batch_count: usize,
    /// From the wish to stop to the end.
    pub shutdown_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_s: 15,
            header_s: 20,
            idle_s: 330,
            body_s: 20,
            answer_s: 15,
            header_bytes: 32_768,
            request_line_bytes: 16_384,
            headers_count: 100,
            body_bytes: 65_536,
            connections_count: 10_000,
            peer_connections_count: 200,
            queue_count: 4_096,
            batch_count: 256,
            shutdown_s: 20,
        }
    }
}
