//! The conversational contract on top of the REST client.
//!
//! [`TwilioMessaging`] holds no conversation: Twilio does. What lives here is the settings, whether the backend runs,
//! and the streams that wait for messages.
//!
//! Not here: telemetry of the contract's operations, which a decorator adds around any backend.
//!
//! Source: the contract *Conversational Backend API*, version 1.0.0.

mod backend;
mod convert;
mod failure;
mod participants;
mod start;
mod streams;

pub use self::backend::{MAX_CONVERSATIONS, TwilioMessaging, register};
pub use self::convert::message_from_rest;
pub use self::failure::send_failed;
pub use self::start::{HANDLED_EVENTS, WebhookRegistration};
pub use self::streams::{MAX_STREAMS, MAX_STREAMS_PER_CONVERSATION};
