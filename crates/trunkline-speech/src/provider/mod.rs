//! What the clients of providers have in common: addresses, keys, time-outs, and errors without secrets.

mod endpoint;
pub(crate) mod http;
pub(crate) mod socket;

use std::time::Duration;

pub(crate) use endpoint::Endpoint;

/// How long a provider may take. A caller may be less patient and drop what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, with its handshakes. Default 3 s.
    pub connect: Duration,
    /// For the first byte of an answer; of a transcription, which comes at once, for all of it. Default 10 s.
    pub first_byte: Duration,
    /// For the next byte, and for a sign of life of a connection that stays open. Default 4 s.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), first_byte: Duration::from_secs(10), idle: Duration::from_secs(4) }
    }
}
