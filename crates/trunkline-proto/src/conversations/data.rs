//! The data of Sync items and documents.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Status of a client that takes part in a conversation.
pub const JOINED: &str = "joined";

/// An item of the my-conversations map, under the conversation's SID.
///
/// It holds nothing of the conversation itself: clients take whatever is here for a change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MyConversation {
    /// [`JOINED`], or `notParticipating`.
    pub status: String,
    /// The conversation's document.
    pub channel: String,
    /// The list of its messages.
    #[serde(default)]
    pub messages: Option<String>,
    /// The map of its participants.
    #[serde(default)]
    pub roster: Option<String>,
    /// The index up to which the client has read; `None` if it has not begun.
    #[serde(default)]
    pub last_consumed_message_index: Option<u64>,
    /// `default` or `muted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_level: Option<String>,
}

/// The document of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationData {
    /// `CH…`.
    pub sid: String,
    /// For people.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// For programs.
    #[serde(default)]
    pub unique_name: Option<String>,
    /// JSON text.
    #[serde(default = "no_attributes", deserialize_with = "text_or_json")]
    pub attributes: String,
    /// Whoever made it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub date_created: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
    /// The list of its messages.
    pub messages: String,
    /// The map of its participants.
    pub roster: String,
    /// The newest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<LastMessage>,
    /// Whether it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ConversationStateData>,
    /// Bindings of e-mail; `{}` without.
    #[serde(default)]
    pub bindings: Map<String, Value>,
}

/// Where the newest message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMessage {
    /// Its index.
    #[serde(default)]
    pub index: Option<u64>,
    /// ISO 8601.
    #[serde(default)]
    pub timestamp: Option<String>,
}

/// The state of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationStateData {
    /// `active`, `inactive` or `closed`.
    pub current: String,
    /// ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
}

/// An item of the list of messages, under the message's index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageData {
    /// `IM…`.
    pub sid: String,
    /// The same as the item's.
    pub index: u64,
    /// An identity or an address; nobody for some system messages.
    #[serde(default)]
    pub author: Option<String>,
    /// The body.
    #[serde(default)]
    pub text: Option<String>,
    /// `text` or `media`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// When it was made, ISO 8601.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// When it last changed, ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
    /// Who changed it.
    #[serde(default)]
    pub last_updated_by: Option<String>,
    /// JSON text; also on updates, where absence would mean `{}`.
    #[serde(default = "no_attributes", deserialize_with = "text_or_json")]
    pub attributes: String,
    /// `MB…` of the author.
    #[serde(default)]
    pub member_sid: Option<String>,
    /// Of a mail.
    #[serde(default)]
    pub subject: Option<String>,
    /// The media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medias: Option<Vec<MediaData>>,
    /// The first of the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaData>,
    /// How the delivery of copies goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Value>,
}

/// A medium of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaData {
    /// `ME…`.
    pub sid: String,
    /// `media`, `body` or `history`.
    #[serde(default)]
    pub category: Option<String>,
    /// Its name.
    #[serde(default)]
    pub filename: Option<String>,
    /// Its MIME type.
    #[serde(default)]
    pub content_type: Option<String>,
    /// In bytes.
    #[serde(default)]
    pub size: Option<u64>,
}

/// An item of the roster, under the participant's SID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantData {
    /// Of a chat participant.
    #[serde(default)]
    pub identity: Option<String>,
    /// JSON text.
    #[serde(default = "no_attributes", deserialize_with = "text_or_json")]
    pub attributes: String,
    /// ISO 8601.
    #[serde(default)]
    pub date_created: Option<String>,
    /// ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
    /// `RL…`.
    #[serde(default)]
    pub role_sid: Option<String>,
    /// `chat`, `sms`, `whatsapp`, …
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The map of the user's name and attributes.
    #[serde(default)]
    pub user_info: Option<String>,
    /// The index up to which the participant has read.
    #[serde(default)]
    pub last_consumed_message_index: Option<u64>,
    /// When they did, ISO 8601.
    #[serde(default)]
    pub last_consumption_timestamp: Option<String>,
    /// Bindings of e-mail; `{}` without.
    #[serde(default)]
    pub bindings: Map<String, Value>,
}

/// An item of a user's map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserValue {
    /// The friendly name, or the attributes as JSON text.
    pub value: Option<String>,
}

/// The payload of a typing notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// The conversation.
    pub channel_sid: String,
    /// Who types.
    pub identity: String,
    /// For how long it holds without another one, in seconds.
    #[serde(default = "usual_typing_timeout")]
    pub typing_timeout: u64,
}

/// How long typing holds, in seconds.
pub const TYPING_TIMEOUT_SECONDS: u64 = 5;

fn usual_typing_timeout() -> u64 {
    TYPING_TIMEOUT_SECONDS
}

fn no_attributes() -> String {
    "{}".to_owned()
}

/// Attributes are JSON text; JSON itself is taken too.
fn text_or_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => no_attributes(),
        other => other.to_string(),
    })
}
