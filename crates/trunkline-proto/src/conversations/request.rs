//! Bodies and answers of the requests that travel inside the socket.

use serde::{Deserialize, Serialize};

use crate::sync::PageMeta;

/// The header that names one change; a server that sees it twice answers the second time as the first.
pub const MUTATION_ID: &str = "X-Twilio-Mutation-Id";

/// `POST {conversations}/{CH}/Messages`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMessage {
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
    /// Of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Media that were uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_sids: Option<Vec<String>>,
    /// A content template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_sid: Option<String>,
    /// What goes into the template: JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_variables: Option<String>,
}

/// What the answer to [`NewMessage`] says at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// `IM…`.
    #[serde(default)]
    pub sid: Option<String>,
    /// Its index in the conversation.
    pub index: u64,
}

/// `POST {conversations}/{CH}/Participants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddParticipant {
    /// Who.
    pub identity: String,
    /// JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<String>,
}

/// A page of `GET {my_conversations}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MyConversations {
    /// The conversations.
    pub conversations: Vec<MyConversationRecord>,
    /// Whether there is more.
    pub meta: PageMeta,
}

/// A conversation of one client, as REST tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MyConversationRecord {
    /// `CH…`.
    pub conversation_sid: String,
    /// `joined`.
    #[serde(default)]
    pub status: String,
    /// The index up to which the client has read.
    #[serde(default)]
    pub last_read_message_index: Option<u64>,
    /// Messages behind that; `None` if the client has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_messages_count: Option<u64>,
}

/// `POST {my_conversations}/{CH}`: how far the client has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MyConversationUpdate {
    /// The index; `None` for nothing.
    pub last_read_message_index: Option<u64>,
}

/// The answer to `POST {typing}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypingAnswer {
    /// How often typing needs to be told, in seconds.
    #[serde(default)]
    pub typing_timeout: Option<u64>,
}
