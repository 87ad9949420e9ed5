//! Media Streams: the audio of one call over one WebSocket, as values.
//!
//! Twilio connects to us. Both ends are here, and share the wire form only:
//!
//! | Type | Is |
//! |---|---|
//! | [`ServerSession`] | our end: reads what Twilio says, writes audio, marks and clear |
//! | [`CallerSession`] | Twilio's end, as strict as Twilio |
//! | [`Playback`] | the queue in which Twilio keeps what it was sent, played in real time |
//!
//! Messages are JSON in text frames. Reading a frame of audio borrows from it and allocates nothing; writing one goes
//! into a buffer of the caller's.
//!
//! Source: Twilio's pages "Media Streams - `WebSocket` messages" and "`<Stream>`"; error pages 31930 to 31951.

mod caller;
mod fault;
mod payload;
mod plain;
mod playback;
mod server;
mod wire;

pub use self::caller::{CallFacts, CallerSession, Command, Refused};
pub use self::fault::Fault;
pub use self::payload::{Payload, PayloadError};
pub use self::playback::{MAX_PENDING_MARKS, MAX_QUEUED, Playback, QueueFull};
pub use self::server::{Counters, Event, Limits, Media, ServerSession, Start};
pub use self::wire::Track;

/// The largest message, in bytes; what is larger is not looked at.
pub const MAX_MESSAGE: usize = 1024 * 1024;
/// Bytes of 20 ms of μ-law.
pub const FRAME_BYTES: usize = 160;

/// Twilio's number: audio was dropped because the other end reads too slowly.
pub const CONGESTION: u32 = 31930;
/// Twilio's number: more than ten minutes of audio were queued.
pub const QUEUE_OVERFLOW: u32 = 31931;
/// Twilio's number: a binary frame.
pub const BINARY_FRAME: u32 = 31950;
/// Twilio's number: a message that is not as it should be.
pub const INVALID_MESSAGE: u32 = 31951;

#[cfg(test)]
mod tests;
