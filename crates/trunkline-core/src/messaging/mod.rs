//! The contract of a messaging backend: thirteen operations, their types, their errors and their settings.

mod backend;
mod config;
mod error;
mod registry;
mod types;
mod webhook;

pub use backend::{ConversationalBackend, MessageStream};
pub use config::{Config, ConfigBuilder, Setting};
pub use error::{ErrorCode, MessagingError, Operation};
pub use registry::{Factory, Registry};
pub use types::{
    Binding, Conversation, ConversationConfig, ConversationId, ConversationState, DeliveryStatus, MediaRef,
    MediaSource, Message, MessageId, NewParticipant, OutgoingMessage, Participant, ParticipantId, SentMessage,
};
pub use webhook::WebhookEvent;
