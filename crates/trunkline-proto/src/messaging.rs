//! Programmable Messaging as types: a message of the API of 2010, and the two webhooks of a message.
//!
//! Reading tolerates unknown fields, missing ones and unknown words. What a person could be known by, and what was
//! written, is not printed.
//!
//! Not here: paths, parameters of requests, signatures.
//!
//! Source: Twilio's description of the API of 2010-04-01, message resource; `/docs/messaging/guides/webhook-request`.

mod resource;
#[cfg(test)]
mod tests;
mod webhook;

pub use self::resource::ChannelMessage;
pub use self::webhook::{InboundMessage, MAX_MEDIA, MessageStatusUpdate};
