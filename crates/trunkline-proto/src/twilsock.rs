//! Twilsock: framed JSON messages over one WebSocket, the ground under everything that is real time in Conversations.
//!
//! | Module | Holds |
//! |---|---|
//! | [`frame`] | one WebSocket message: a line, a JSON header, a payload, all counted in bytes |
//! | [`client_message`] | what a client says |
//! | [`server_message`] | what a server says |
//! | [`server`] | the server's end of one socket, as a value |
//! | [`client`] | the client's side as a state machine |
//!
//! Both ends share the wire forms and nothing else, so that they cannot share a mistake in behaviour.
//!
//! Not here: what travels inside (see [`sync`](crate::sync) and [`conversations`](crate::conversations)).
//!
//! Source: the behaviour of `twilsock` 1.0.2 inside `@twilio/conversations` 3.0.1; Twilio publishes no description.

mod backoff;
pub mod client;
pub mod client_message;
pub mod frame;
pub mod server;
pub mod server_message;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::backoff::{BACKOFF_JITTER, MAX_BACKOFF, MIN_BACKOFF};
pub use self::client_message::{ClientFrame, ClientMessage, HttpRequest, Init, Params, Registration};
pub use self::frame::FrameError;
pub use self::server::ServerSession;
pub use self::server_message::{Backoff, HttpStatus, Reply, ServerFrame, ServerMessage};

/// How an exchange went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// As in HTTP: 200 to 299 is success.
    pub code: u16,
    /// A word for it, such as `OK`.
    #[serde(default)]
    pub status: String,
    /// More words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Twilio's number for the problem.
    #[serde(default, rename = "errorCode", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
}

impl Status {
    /// 200 OK.
    pub fn ok() -> Self {
        Self::new(200, "OK")
    }

    /// A status without description and number.
    pub fn new(code: u16, status: impl Into<String>) -> Self {
        Self { code, status: status.into(), description: None, error_code: None }
    }

    /// Whether the exchange went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// An access token on the wire. It prints nothing of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenText(pub String);

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

#[cfg(test)]
mod tests;
