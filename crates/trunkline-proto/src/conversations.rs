//! What Conversations puts into Sync objects and sends over the socket's requests.
//!
//! | Module | Holds |
//! |---|---|
//! | [`configuration`] | where everything of one client is |
//! | [`data`] | the data of Sync items and documents: conversations, messages, participants, users |
//! | [`client`] | a client as a state machine |
//! | [`request`] | bodies and answers of the requests that change something |
//!
//! | Object | Kind | Items |
//! |---|---|---|
//! | my conversations | map | by conversation SID: [`MyConversation`] |
//! | a conversation | document | [`ConversationData`] |
//! | its messages | list | by message index: [`MessageData`] |
//! | its participants (the roster) | map | by participant SID: [`ParticipantData`] |
//! | a user | map | `friendlyName`, `attributes`, `reachability` |
//!
//! Attributes are JSON *text* in all of them.
//!
//! Not here: the objects themselves (see [`sync`](crate::sync)).
//!
//! Source: the behaviour of `@twilio/conversations` 3.0.1; Twilio publishes no description of this side.

pub mod client;
pub mod configuration;
pub mod data;
pub mod request;

pub use self::configuration::{Configuration, Links, Options, SyncObjects};
pub use self::data::{
    ConversationData, ConversationStateData, LastMessage, MediaData, MessageData, MyConversation, ParticipantData,
    Typing, UserValue,
};
pub use self::request::{
    AddParticipant, MyConversationRecord, MyConversationUpdate, MyConversations, NewMessage, SentMessage, TypingAnswer,
};

/// The message type of typing notifications.
pub const TYPING_INDICATOR: &str = "twilio.ipmsg.typing_indicator";

#[cfg(test)]
mod tests;
