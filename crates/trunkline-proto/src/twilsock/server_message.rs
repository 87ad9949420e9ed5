//! What a server says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Status;
use super::frame::{self, FrameError};

/// The `client_update_type` that announces the end of a token.
pub const TOKEN_ABOUT_TO_EXPIRE: &str = "token_about_to_expire";

/// One message of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerFrame<'a> {
    /// Its id: that of the request for a reply, otherwise one that the acknowledgement repeats.
    pub id: String,
    /// What it says.
    pub message: ServerMessage,
    /// The payload's content type.
    pub payload_type: Option<String>,
    /// The payload; empty if there is none.
    pub payload: &'a [u8],
}

/// What a server may say. Everything but a reply is acknowledged by the client.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerMessage {
    /// The answer to a request; the payload is its body.
    Reply(Box<Reply>),
    /// Something happened; the payload is JSON.
    Notification {
        /// What kind of thing, such as `twilio.sync.event`.
        message_type: String,
    },
    /// Something for the client itself, such as [`TOKEN_ABOUT_TO_EXPIRE`].
    ClientUpdate {
        /// Which.
        client_update_type: String,
    },
    /// The server ends the connection; the payload may be a [`Backoff`].
    Close {
        /// Why.
        status: Status,
    },
    /// A method that is not known here.
    Other {
        /// Its name.
        method: String,
    },
}

/// The answer to a request of any kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// How the transport went.
    pub status: Status,
    /// How the HTTP request inside went; on every reply to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<HttpStatus>,
    /// The headers of that answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_headers: Option<BTreeMap<String, String>>,
    /// Of `init`: which capabilities of the client are confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Of `init`: to be sent with the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation_token: Option<String>,
    /// Of `init`: whether the token was renewed, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation_token_status: Option<Value>,
    /// Of `init`: where a browser may keep Sync objects, by product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_storage: Option<BTreeMap<String, OfflineStorage>>,
}

impl Reply {
    /// A reply that carries only how it went.
    pub fn of(status: Status) -> Self {
        Self {
            status,
            http_status: None,
            http_headers: None,
            capabilities: None,
            continuation_token: None,
            continuation_token_status: None,
            offline_storage: None,
        }
    }
}

/// How an HTTP request inside the socket went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpStatus {
    /// The status code.
    pub code: u16,
    /// The reason.
    #[serde(default)]
    pub status: String,
}

/// Names the place in a browser's storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineStorage {
    /// An opaque id.
    pub storage_id: String,
}

/// How long to wait before the next connection. It comes with 429, and with `close` 308.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The rule.
    pub backoff_policy: BackoffPolicy,
}

/// See [`Backoff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackoffPolicy {
    /// The shortest wait, in milliseconds.
    pub reconnect_min_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Notification<T> {
    message_type: T,
}

#[derive(Serialize, Deserialize)]
struct ClientUpdate<T> {
    client_update_type: T,
}

#[derive(Serialize, Deserialize)]
struct Close<T> {
    status: T,
}

#[derive(Serialize)]
struct Nothing {}

/// The content type of a server's payloads.
const JSON: &str = "application/json";

impl<'a> ServerFrame<'a> {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// `proto.twilsock.preamble`, `.too_long`, `.length`, `.header`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let parts = frame::decode(bytes)?;
        let message = match &*parts.lead.method {
            "reply" => ServerMessage::Reply(frame::rest(parts.header)?),
            "notification" => {
                let Notification { message_type } = frame::rest(parts.header)?;
                ServerMessage::Notification { message_type }
            }
            "client_update" => {
                let ClientUpdate { client_update_type } = frame::rest(parts.header)?;
                ServerMessage::ClientUpdate { client_update_type }
            }
            "close" => {
                let Close { status } = frame::rest(parts.header)?;
                ServerMessage::Close { status }
            }
            other => ServerMessage::Other { method: other.to_owned() },
        };
        Ok(Self { id: parts.lead.id, message, payload_type: parts.lead.payload_type, payload: parts.payload })
    }

    /// Whether the payload is to be read as JSON: it says so, or says nothing.
    pub fn is_json(&self) -> bool {
        self.payload_type.as_deref().is_none_or(|kind| kind.starts_with(JSON))
    }
}

impl ServerMessage {
    /// Writes the message as a frame; the payload is JSON or empty.
    pub fn encode(&self, id: &str, payload: &[u8]) -> Vec<u8> {
        let kind = (!payload.is_empty()).then_some(JSON);
        match self {
            Self::Reply(reply) => frame::encode("reply", id, reply, kind, payload),
            Self::Notification { message_type } => {
                frame::encode("notification", id, &Notification { message_type }, kind, payload)
            }
            Self::ClientUpdate { client_update_type } => {
                frame::encode("client_update", id, &ClientUpdate { client_update_type }, kind, payload)
            }
            Self::Close { status } => frame::encode("close", id, &Close { status }, kind, payload),
            Self::Other { method } => frame::encode(method, id, &Nothing {}, kind, payload),
        }
    }
}
