//! What changes in a conversation besides new messages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Channel;

/// Fact: a message has other words now, whoever wrote it.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageUpdated {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
    /// What it says now.
    pub text: String,
    /// When it was changed.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub changed: Timestamp,
}

/// Fact: a message was taken away. One that had no answer yet gets none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageRemoved {
    /// The conversation.
    pub conversation: String,
    /// The message.
    pub message: String,
    /// When it was taken away.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub removed: Timestamp,
}

/// Fact: a conversation has another name or other attributes now, or has its first.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationUpdated {
    /// The conversation.
    pub conversation: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
    /// Its name for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<String>,
    /// What its platform keeps beside it, where it is told with this: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
    /// When it was changed.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub changed: Timestamp,
}

/// Fact: someone joined a conversation, is known differently now, or left. The type of its envelope says which.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParticipantChanged {
    /// The conversation.
    pub conversation: String,
    /// The participant, as the connector names them.
    pub participant: String,
    /// The chat identity; none for someone on a telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// How they write, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Our address that they write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_address: Option<String>,
    /// The role, as the provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The index of the last message that they have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_index: Option<u64>,
    /// When it happened.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub changed: Timestamp,
}
