//! ConversationRelay: a call as text over one WebSocket, as values. Twilio hears and speaks; we read and write.
//!
//! Twilio connects to us. Both ends are here: [`ServerSession`] is ours, [`CallerSession`] is Twilio's. Messages are JSON
//! in text frames, told apart by `type`, without sequence numbers.
//!
//! Source: Twilio's page "`ConversationRelay` `WebSocket` messages"; error pages 64105 and 64107.

mod caller;
mod command;
mod fault;
mod server;

pub use self::caller::{CallerSession, Close, MAX_MALFORMED, Rejected};
pub use self::command::{Command, CommandError, PLAY_FOREVER};
pub use self::fault::Fault;
pub use self::server::{Counters, Event, MAX_PARAMETER_CHARS, MAX_PARAMETERS, ServerSession, Setup};

/// The largest message, in bytes; what is larger is not looked at.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Twilio's number: the socket has ended.
pub const SOCKET_ENDED: u32 = 64105;
/// Twilio's number: a message that is not as it should be.
pub const INVALID_MESSAGE: u32 = 64107;

#[cfg(test)]
mod tests;
