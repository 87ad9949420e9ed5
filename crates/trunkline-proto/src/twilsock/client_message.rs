//! What a client says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame::{self, FrameError};
use super::{Status, TokenText};

/// The content type of every JSON payload that a client sends.
pub const JSON: &str = "application/json; charset=utf-8";

/// The product for which a Conversations client connects, and the grant it acts under.
pub const PRODUCT: &str = "ip_messaging";

/// One message of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFrame<'a> {
    /// Its id; the answer carries the same.
    pub id: String,
    /// What it says.
    pub message: ClientMessage,
    /// The payload's content type.
    pub payload_type: Option<String>,
    /// The payload; empty if there is none.
    pub payload: &'a [u8],
}

/// What a client may say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientMessage {
    /// The first message on every socket. Answered.
    Init(Box<Init>),
    /// Another token. Answered.
    Update {
        /// The token.
        token: TokenText,
    },
    /// An HTTP request inside the socket; the payload is its body. Answered.
    Request(Box<HttpRequest>),
    /// The acknowledgement of a message of the server.
    Reply {
        /// Always 200.
        status: Status,
    },
    /// The client goes; it closes the socket right after.
    Close,
    /// What the client measured. Neither answered nor acknowledged.
    Telemetry,
    /// Asks for notifications of some kind; the payload is JSON. Answered.
    PutNotificationContext {
        /// The client's name for it.
        notification_ctx_id: String,
    },
    /// Asks for them no longer. Answered.
    DeleteNotificationContext {
        /// The client's name for it.
        notification_ctx_id: String,
    },
    /// A method that is not known here.
    Other {
        /// Its name.
        method: String,
    },
}

/// How a client introduces itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// The access token.
    pub token: TokenText,
    /// What the last successful reply on this client's earlier sockets gave.
    #[serde(default)]
    pub continuation_token: Option<String>,
    /// What runs where: texts and numbers under short keys such as `sdk` and `sdkv`.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// Which notifications the client wants.
    #[serde(default)]
    pub registrations: Vec<Registration>,
    /// Whatever the application gave.
    #[serde(default)]
    pub tweaks: Option<Value>,
    /// What the client can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// Kinds of notifications that a client wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// [`PRODUCT`].
    pub product: String,
    /// `ers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0.
    #[serde(default)]
    pub notification_protocol_version: u32,
    /// The message types.
    #[serde(default)]
    pub message_types: Vec<String>,
}

/// An HTTP request inside the socket. The scheme is not transmitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// The host, with `:port` if the address had one. Servers route by path and ignore it.
    #[serde(default)]
    pub host: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The method.
    pub method: String,
    /// The query: names and values still percent-encoded.
    #[serde(default)]
    pub params: BTreeMap<String, Params>,
    /// The headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// The values of a query parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Params {
    /// It is there once.
    One(String),
    /// It is there several times.
    Many(Vec<String>),
}

#[derive(Serialize, Deserialize)]
struct Update {
    token: TokenText,
}

#[derive(Serialize, Deserialize)]
struct Upstream<T> {
    active_grant: Option<String>,
    http_request: T,
}

#[derive(Serialize, Deserialize)]
struct Acknowledgement {
    status: Status,
}

#[derive(Serialize, Deserialize)]
struct Context<T> {
    notification_ctx_id: T,
}

#[derive(Serialize)]
struct Nothing {}

impl<'a> ClientFrame<'a> {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// `proto.twilsock.preamble`, `.too_long`, `.length`, `.header`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let parts = frame::decode(bytes)?;
        let message = match &*parts.lead.method {
            "init" => ClientMessage::Init(frame::rest(parts.header)?),
            "update" => ClientMessage::Update { token: frame::rest::<Update>(parts.header)?.token },
            "message" => ClientMessage::Request(frame::rest::<Upstream<_>>(parts.header)?.http_request),
            "reply" => ClientMessage::Reply { status: frame::rest::<Acknowledgement>(parts.header)?.status },
            "close" => ClientMessage::Close,
            "telemetry.v1" => ClientMessage::Telemetry,
            "put_notification_ctx" => {
                let Context { notification_ctx_id } = frame::rest(parts.header)?;
                ClientMessage::PutNotificationContext { notification_ctx_id }
            }
            "delete_notification_ctx" => {
                let Context { notification_ctx_id } = frame::rest(parts.header)?;
                ClientMessage::DeleteNotificationContext { notification_ctx_id }
            }
            other => ClientMessage::Other { method: other.to_owned() },
        };
        Ok(Self { id: parts.lead.id, message, payload_type: parts.lead.payload_type, payload: parts.payload })
    }
}

impl ClientMessage {
    /// Writes the message as a frame. Only a request and a notification context have a payload.
    pub fn encode(&self, id: &str, payload: &[u8]) -> Vec<u8> {
        match self {
            Self::Init(init) => frame::encode("init", id, init, None, payload),
            Self::Update { token } => frame::encode("update", id, &Update { token: token.clone() }, None, payload),
            Self::Request(request) => {
                let kind = request.headers.get("Content-Type").map_or("application/json", String::as_str);
                let rest = Upstream { active_grant: Some(PRODUCT.to_owned()), http_request: request };
                frame::encode("message", id, &rest, Some(kind), payload)
            }
            Self::Reply { status } => {
                let rest = Acknowledgement { status: status.clone() };
                frame::encode("reply", id, &rest, Some("application/json"), payload)
            }
            Self::Close => frame::encode("close", id, &Nothing {}, None, payload),
            Self::Telemetry => frame::encode("telemetry.v1", id, &Nothing {}, None, payload),
            Self::PutNotificationContext { notification_ctx_id } => {
                frame::encode("put_notification_ctx", id, &Context { notification_ctx_id }, Some(JSON), payload)
            }
            Self::DeleteNotificationContext { notification_ctx_id } => {
                frame::encode("delete_notification_ctx", id, &Context { notification_ctx_id }, None, payload)
            }
            Self::Other { method } => frame::encode(method, id, &Nothing {}, None, payload),
        }
    }
}
