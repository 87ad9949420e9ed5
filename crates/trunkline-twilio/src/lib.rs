//! Twilio as a messaging backend and as a voice backend.
//!
//! [`TwilioMessaging`] implements the conversational contract of `trunkline-core`; [`rest::RestClient`] is the client
//! underneath, usable by itself; [`voice::TwilioVoice`] implements the voice contract; [`realtime::RealtimeClient`] takes part in conversations over the socket.
//!
//! ```no_run
//! use trunkline_core::messaging::{Config, ConversationConfig, ConversationalBackend};
//! use trunkline_twilio::TwilioMessaging;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::builder()
//!     .provider("twilio")
//!     .setting("account_sid", "AC00000000000000000000000000000001")
//!     .secret("auth_token", "the account's token")
//!     .build()?;
//! let backend = TwilioMessaging::new(config)?;
//! backend.start().await?;
//! let conversation = backend.create_conversation(ConversationConfig::default()).await?;
//! # drop(conversation);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod codes;
mod messaging;
pub mod realtime;
pub mod rest;
mod running;
mod settings;
mod signed;
pub mod voice;

pub use self::messaging::{
    HANDLED_EVENTS, MAX_CONVERSATIONS, MAX_STREAMS, MAX_STREAMS_PER_CONVERSATION, TwilioMessaging, WebhookRegistration,
    message_from_rest, register, send_failed,
};
pub use self::settings::SETTINGS;
