//! Every limit there is, its unit last in its name.

use super::Bound;

/// How much and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A TLS handshake, from accept to its end.
    pub handshake_time_ms: u64,
    /// Bytes in one TLS record on the https listener. Read at the start.
    pub tls_record_bytes_max: usize,
    /// The same on the admin listener. Read at the start.
    pub admin_tls_record_bytes_max: usize,
    /// From the first byte of a request to the end of its header block.
    pub header_time_ms: u64,
    /// A kept connection on which nothing is asked. Modules call once a minute and keep theirs.
    pub idle_time_s: u64,
    /// A request's whole body, after its header block. Modules wait 20 s for an answer.
    pub body_time_ms: u64,
    /// How long a client may refuse to take an answer.
    pub write_time_ms: u64,
    /// How long requests may go on after the wish to stop.
    pub drain_time_ms: u64,
    /// Longest wait before accepting again when descriptors or memory ran out.
    pub accept_pause_ms: u64,
    /// A device's request body.
    pub body_max_bytes: usize,
    /// A file that devices may download.
    pub file_bytes_max: u64,
    /// The request line. A message in a URL takes over 3 KiB.
    pub request_line_max_bytes: usize,
    /// The header block without the request line.
    pub header_max_bytes: usize,
    /// Header lines of a request.
    pub header_max_count: usize,
    /// Connections open at once on a listener; more wait.
    pub connections_max_count: usize,
    /// Connections open at once from one address; more are closed.
    pub peer_connections_max_count: usize,
    /// Writes that may wait for the store; beyond it devices are told to come back. Read at the start.
    pub writes_max_count: usize,
    /// Writes that are committed together. Read at the start.
    pub batch_max_count: usize,
    /// How long writes that come while others are being committed wait for more to come; one that comes alone never
    /// waits. Read at the start.
    pub batch_time_ms: u64,
    /// Messages a minute of one device that calls, its equipment's among them; more are told to come back. 0 is any
    /// number.
    pub device_messages_max_per_minute: Bound,
    /// Commands that may wait for one device that fetches.
    pub device_commands_max_count: u32,
    /// Sign-ins that one network may try. Read at the start.
    pub logins_max_per_minute: u32,
    /// Accounts that one network may try to make. Read at the start.
    pub registrations_max_per_hour: u32,
    /// Passwords hashed at once; each takes 19 MiB. Read at the start.
    pub hashes_max_count: usize,
    /// Events a slow watcher may be behind before it misses some. Read at the start.
    pub feed_max_count: usize,
    /// Streams of events (`/api/v1/stream`) open at a time. Read at the start.
    pub streams_max_count: usize,
    /// From the wish to stop to the end; what has not finished by then is cut.
    pub shutdown_time_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_time_ms: 10_000,
            tls_record_bytes_max: 4096,
            admin_tls_record_bytes_max: 16_384,
            header_time_ms: 10_000,
            idle_time_s: 330,
            body_time_ms: 15_000,
            write_time_ms: 30_000,
            drain_time_ms: 10_000,
            accept_pause_ms: 1000,
            body_max_bytes: 1_048_576,
            file_bytes_max: 2_147_483_647,
            request_line_max_bytes: 16_384,
            header_max_bytes: 16_384,
            header_max_count: 100,
            connections_max_count: 4096,
            peer_connections_max_count: 256,
            writes_max_count: 4096,
            batch_max_count: 1024,
            batch_time_ms: 2,
            device_messages_max_per_minute: Bound(0),
            device_commands_max_count: 1000,
            logins_max_per_minute: 10,
            registrations_max_per_hour: 10,
            hashes_max_count: 2,
            feed_max_count: 1024,
            streams_max_count: 256,
            shutdown_time_s: 20,
        }
    }
}
