//! The contract of a messaging backend: thirteen operations, their types, their errors and their settings.

mod backend;
mod error;
mod types;
mod webhook;

pub use crate::{Config, ConfigBuilder, Setting};
pub use backend::{ConversationalBackend, MessageStream};
pub use error::{ErrorCode, MessagingError, Operation};
pub use types::{
    Binding, Conversation, ConversationConfig, ConversationId, ConversationState, DeliveryStatus, MEDIA_TYPES,
    MediaRef, MediaSource, Message, MessageId, NewParticipant, OutgoingMessage, Participant, ParticipantId,
    SentMessage,
};
pub use webhook::WebhookEvent;

/// Builds a messaging backend from its configuration.
pub type Factory = crate::Factory<dyn ConversationalBackend, MessagingError>;
/// The messaging providers that a program was built with.
pub type Registry = crate::Registry<dyn ConversationalBackend, MessagingError>;
