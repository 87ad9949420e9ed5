//! The REST client of Conversations v1, the media service and the API of 2010.
//!
//! One pooled connection set, typed answers, typed errors. What may be repeated is repeated with full jitter under a
//! deadline and a budget; what may not is left to the caller with [`RestError::UnknownOutcome`] or
//! [`RestError::Unavailable`]: a create that may have happened is never sent a second time from here.
//!
//! Not here: the messaging contract (see [`crate::TwilioMessaging`]), webhooks, telemetry beyond one span a request.
//!
//! Source: Twilio's description of Conversations v1; `/docs/usage/api`, `/docs/global-infrastructure`.

pub mod calls;
mod channel_messages;
mod circuit;
mod client;
mod config;
mod configuration;
mod conversations;
mod endpoints;
mod error;
mod files;
mod media;
mod messages;
mod numbers;
mod pages;
mod participants;
mod public;
mod rate;
mod retry;

pub use self::channel_messages::{ChannelMessageFilter, ChannelMessages, MAX_CHANNEL_MESSAGE_CHARS, NewChannelMessage};
pub use self::client::{MAX_RESPONSE_BYTES, RestClient};
pub use self::config::{Credentials, RestConfig};
pub use self::configuration::WebhookUpdate;
pub use self::conversations::{ConversationFilter, ConversationUpdate, NewConversation};
pub use self::endpoints::{Endpoints, EndpointsError};
pub use self::error::RestError;
pub use self::media::MAX_MEDIA_BYTES;
pub use self::messages::{MAX_WALKED, NewMessage, Order};
pub use self::numbers::{Class, ERROR_NUMBERS, ErrorNumber};
pub use self::pages::{Listing, MAX_PAGES};
pub use self::participants::NewParticipant;
pub use self::public::{NotPublic, PublicOnly, is_not_public, may_be_public};
pub use self::retry::RetryPolicy;
