//! The nouns of the contract. No provider's type is named here.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

pub use crate::event::DeliveryStatus;
pub use crate::event::MediaRef;
use crate::{Channel, Pii};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Takes the provider's name as it is.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The provider's name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }
    };
}

/// The media types of files that people and agents send each other: pictures, films and sound.
pub const MEDIA_TYPES: &[&str] = &[
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/webm",
    "audio/mpeg",
    "audio/wav",
    "audio/ogg",
    "audio/mp4",
];

id!(
    /// A conversation, as its provider names it.
    ConversationId
);
id!(
    /// A message, as its provider names it.
    MessageId
);
id!(
    /// A participant, as the provider names them.
    ParticipantId
);

/// What to create a conversation with. Everything may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationConfig {
    /// A name for people, 256 characters at most.
    pub friendly_name: Option<String>,
    /// A name for programs, unique in the service.
    pub unique_name: Option<String>,
    /// A JSON object as text; the provider keeps it.
    pub attributes: Option<String>,
    /// The state to start in; the provider's default is active.
    pub state: Option<ConversationState>,
}

/// What a conversation can still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConversationState {
    /// The provider is still putting it together.
    Initializing,
    /// Messages flow.
    Active,
    /// Quiet; the next message makes it active.
    Inactive,
    /// Final.
    Closed,
}

impl ConversationState {
    /// The lower-case word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
        }
    }
}

/// A conversation at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversation {
    /// The provider's name.
    pub id: ConversationId,
    /// A name for people.
    pub friendly_name: Option<String>,
    /// A name for programs.
    pub unique_name: Option<String>,
    /// A JSON object as text.
    pub attributes: String,
    /// What it can still do.
    pub state: ConversationState,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

impl Conversation {
    /// A conversation of which nothing but its name and state is known.
    pub fn new(id: ConversationId, state: ConversationState) -> Self {
        Self {
            id,
            friendly_name: None,
            unique_name: None,
            attributes: "{}".to_owned(),
            state,
            created_at: None,
            updated_at: None,
        }
    }
}

/// A message to send. At least a text, media or a template.
#[derive(Debug, Clone, Default)]
pub struct OutgoingMessage {
    /// The text.
    pub body: Pii<String>,
    /// Who speaks; the provider's default when absent.
    pub author: Option<String>,
    /// A JSON object as text that the message carries along.
    pub attributes: Option<String>,
    /// Files to send.
    pub media: Vec<MediaSource>,
    /// A template that is sent in place of text and media, as the provider names it.
    pub content_sid: Option<String>,
    /// What is filled in there, by the names of its places.
    pub content_variables: Pii<BTreeMap<String, String>>,
    /// The channel, for telemetry.
    pub channel: Option<Channel>,
}

/// A file to send.
#[derive(Clone)]
#[non_exhaustive]
pub enum MediaSource {
    /// The file itself.
    Bytes {
        /// Media type, such as `image/png`.
        content_type: String,
        /// A name for the file.
        filename: Option<String>,
        /// The content.
        data: Bytes,
    },
    /// A file on the web, that the backend would have to fetch. A backend may refuse it.
    Url(String),
}

impl fmt::Debug for MediaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes { content_type, data, .. } => write!(f, "Bytes({content_type}, {} bytes)", data.len()),
            Self::Url(_) => f.write_str("Url([personal])"),
        }
    }
}

/// What the provider made of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMessage {
    /// The provider's name for it.
    pub id: MessageId,
    /// Its place in the conversation.
    pub index: u64,
    /// When the provider accepted it.
    pub created_at: Option<Timestamp>,
}

/// A message in a conversation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Message {
    /// The provider's name.
    pub id: MessageId,
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// Its place in the conversation: grows with each message, may skip numbers.
    pub index: u64,
    /// Who wrote it: an address or an identity.
    pub author: Pii<String>,
    /// The participant who wrote it, if the provider told.
    pub participant: Option<ParticipantId>,
    /// The text.
    pub body: Pii<String>,
    /// Files sent along.
    pub media: Vec<MediaRef>,
    /// A JSON object as text.
    pub attributes: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// When the provider accepted it.
    pub created_at: Option<Timestamp>,
}

impl Message {
    /// A message of which the essentials are known.
    pub fn new(id: MessageId, conversation: ConversationId, index: u64, author: String, body: String) -> Self {
        Self {
            id,
            conversation,
            index,
            author: Pii::new(author),
            participant: None,
            body: Pii::new(body),
            media: Vec::new(),
            attributes: "{}".to_owned(),
            status: DeliveryStatus::Created,
            created_at: None,
        }
    }
}

/// A person's address together with ours, on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The channel.
    pub channel: Channel,
    /// The person's address as the provider writes it.
    pub address: Pii<String>,
    /// Our address on that channel.
    pub proxy_address: Option<String>,
}

/// Who to add to a conversation: an identity, or an address on a channel, not both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewParticipant {
    /// A chat identity.
    pub identity: Option<String>,
    /// An address on a channel.
    pub binding: Option<Binding>,
    /// A JSON object as text.
    pub attributes: Option<String>,
    /// The role, as the provider names it.
    pub role: Option<String>,
}

/// Someone in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Participant {
    /// The provider's name.
    pub id: ParticipantId,
    /// The conversation.
    pub conversation: ConversationId,
    /// A chat identity.
    pub identity: Option<String>,
    /// An address on a channel.
    pub binding: Option<Binding>,
    /// The role, as the provider names it.
    pub role: Option<String>,
    /// A JSON object as text.
    pub attributes: String,
}

impl Participant {
    /// A participant of whom nothing but the name is known.
    pub fn new(id: ParticipantId, conversation: ConversationId) -> Self {
        Self { id, conversation, identity: None, binding: None, role: None, attributes: "{}".to_owned() }
    }
}
