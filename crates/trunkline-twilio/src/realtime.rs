//! The real-time client: takes part in conversations as a chat identity, over Twilio's socket.
//!
//! The protocol is [`trunkline_proto::conversations::client::Client`], a state machine; here is its driver. One task
//! owns the socket and the timers and makes no decision of its own.
//!
//! ```no_run
//! use trunkline_core::Secret;
//! use trunkline_twilio::realtime::{ApiKeyTokens, Event, RealtimeClient, RealtimeSettings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = ApiKeyTokens::new(
//!     "AC00000000000000000000000000000001".parse()?,
//!     "SK00000000000000000000000000000001".parse()?,
//!     Secret::new("the key's secret"),
//!     "IS00000000000000000000000000000001".parse()?,
//!     "bot",
//! );
//! let (client, mut events) = RealtimeClient::start(tokens, RealtimeSettings::default());
//! while let Some(event) = events.recv().await {
//!     if let Event::MessageAdded(message) = event {
//!         client.typing(&message.conversation).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod driver;
mod handle;
mod snapshot;
mod socket;
mod token;

use std::time::Duration;

pub use trunkline_proto::conversations::client::{
    Counters, Done, Event, MAX_CONVERSATIONS, MAX_PARTICIPANTS, MessageChange, ParticipantChange,
};
pub use trunkline_proto::conversations::{MessageData, NewMessage, ParticipantData};
pub use trunkline_proto::twilsock::client::{ConnectionState, Loss};

pub use self::handle::{RealtimeClient, RealtimeError, SentMessage};
pub use self::snapshot::RealtimeSnapshot;
pub use self::token::{AccessTokenGrant, ApiKeyTokens, DEFAULT_TOKEN_TTL, MIN_TOKEN_TTL, TokenError, TokenProvider};

/// How a real-time client connects.
#[derive(Debug, Clone)]
pub struct RealtimeSettings {
    /// The socket's address, `ws` or `wss`; Twilio's own for `region` and `edge` if unset.
    pub url: Option<String>,
    /// Twilio's region, such as `ie1`; `us1` if unset.
    pub region: Option<String>,
    /// Twilio's edge location, such as `dublin`.
    pub edge: Option<String>,
    /// How many events wait for a slow receiver before the socket is read no further; default 256.
    pub event_buffer: usize,
    /// How long opening the socket may take; default 10 s.
    pub connect_timeout: Duration,
}

impl Default for RealtimeSettings {
    fn default() -> Self {
        Self { url: None, region: None, edge: None, event_buffer: 256, connect_timeout: Duration::from_secs(10) }
    }
}

impl RealtimeSettings {
    /// The socket's address.
    pub fn socket_url(&self) -> String {
        self.url.clone().unwrap_or_else(|| {
            trunkline_proto::conversations::client::socket_url(self.region.as_deref(), self.edge.as_deref())
        })
    }
}
