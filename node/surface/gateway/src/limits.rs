//! The bounds of one gate, each with its name.

use std::time::Duration;

/// What one attempt may take of its node through its gate.
#[derive(Debug, Clone)]
pub struct GateLimits {
    /// Connections at a time; more wait to be accepted. Default 64.
    pub connections: usize,
    /// Bytes of request bodies held at a time, and so also the longest one. Default 32 MiB.
    pub body: usize,
    /// Header lines of a request. Default 100.
    pub headers: usize,
    /// Bytes of a request's head. Default 64 KiB; at least 8 KiB.
    pub head: usize,
    /// Longest wait for a request's head, also between two requests. Default 120 s: longer than clients keep
    /// an idle connection, so that it is they who close it.
    pub head_time: Duration,
    /// Longest wait for a request's body. Default 60 s.
    pub body_time: Duration,
    /// Longest wait for a client to read on. Default 300 s.
    pub stall_time: Duration,
    /// How long an answer whose client left is read on, for the sake of its usage. Default 120 s.
    pub drain_time: Duration,
    /// The same when the gate is closed. Default 5 s.
    pub settle_time: Duration,
    /// Longest wait for agentd's control connection. Default 10 s.
    pub control_time: Duration,
    /// Longest wait for agentd to bring a stream. Default 40 s.
    pub dial_time: Duration,
    /// Streams that are waited for at a time. Default 64.
    pub dials: usize,
    /// Requests and tunnels to listed hosts at a time; more are refused. Default 32.
    pub outside: usize,
    /// Longest wait for a connection to a listed host. Default 20 s.
    pub outside_time: Duration,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            body: 32 << 20,
            headers: 100,
            head: 64 << 10,
            head_time: Duration::from_secs(120),
            body_time: Duration::from_secs(60),
            stall_time: Duration::from_secs(300),
            drain_time: Duration::from_secs(120),
            settle_time: Duration::from_secs(5),
            control_time: Duration::from_secs(10),
            dial_time: Duration::from_secs(40),
            dials: 64,
            outside: 32,
            outside_time: Duration::from_secs(20),
        }
    }
}
