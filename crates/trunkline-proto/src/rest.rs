//! The resources of the Conversations API as types, for both ends: read by a client, written by an emulator.
//!
//! Reading tolerates unknown fields, missing optional ones and unknown enumeration values. Writing gives Twilio's
//! exact keys: `null` where Twilio writes `null`, no key where Twilio has none, dates in whole seconds.
//!
//! Not here: paths, parameters of requests, authentication.
//!
//! Source: Twilio's description of Conversations v1 (`spec/json/twilio_conversations_v1.json` of
//! github.com/twilio/twilio-oai, commit d50069b, 14 April 2026); its examples are the golden files of the tests.

mod configuration;
mod conversation;
mod date;
mod error;
mod media;
mod message;
mod page;
mod participant;
mod webhook;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

pub use self::configuration::{AddressConfiguration, AutoCreation, Configuration, Service};
pub use self::conversation::{Conversation, ConversationState, Timers};
pub use self::error::{ApiError, ClassicError, ProblemDetails};
pub use self::media::Media;
pub use self::message::{Delivery, DeliveryAmount, DeliveryStatus, Message, MessageMedia, Receipt};
pub use self::page::{Page, PageMeta};
pub use self::participant::{BindingType, MessagingBinding, Participant};
pub use self::webhook::{ScopedWebhook, ScopedWebhookConfiguration, WebhookConfiguration, WebhookTarget};

/// The default page size of every list but that of scoped webhooks.
pub const DEFAULT_PAGE_SIZE: u32 = 50;

/// The largest page of conversations, messages, participants and services.
pub const MAX_PAGE_SIZE: u32 = 100;

/// Addresses of related resources, by name.
pub type Links = BTreeMap<String, String>;

/// `null` reads as the type's default.
fn null_as_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What Twilio answers for attributes that were never set.
fn no_attributes() -> String {
    "{}".to_owned()
}

fn attributes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.unwrap_or_else(no_attributes))
}

#[cfg(test)]
mod tests;
