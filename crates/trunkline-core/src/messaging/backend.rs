//! The trait that a provider implements.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;

use super::{
    Config, Conversation, ConversationConfig, ConversationId, Message, MessagingError, NewParticipant, OutgoingMessage,
    Participant, ParticipantId, SentMessage, WebhookEvent,
};
use crate::HealthStatus;

/// Messages of one conversation as they arrive. Ends when the conversation closes or the backend stops.
pub type MessageStream = Pin<Box<dyn Stream<Item = Message> + Send>>;

/// A provider of conversations: the contract *Conversational Backend API* 1.0.0.
///
/// Object-safe: the gateway holds an `Arc<dyn ConversationalBackend>`. Every error names the operation and carries
/// one of the contract's codes. Unless a method says otherwise it is cancel-safe in the sense that dropping its
/// future leaves the backend usable; a request that has left may still take effect at the provider.
#[async_trait]
pub trait ConversationalBackend: Send + Sync {
    /// Validates the configuration, verifies credentials and reachability, registers the webhook if one is set.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig`, `ErrCodeAuthError`, `ErrCodeNetworkError`.
    ///
    /// # Cancel safety
    /// The backend stays stopped; start it again.
    async fn start(&self) -> Result<(), MessagingError>;

    /// Refuses new work, finishes what is in flight, closes every message stream.
    ///
    /// # Errors
    /// `ErrCodeShutdownError` if something in flight did not finish within the configured time-out.
    ///
    /// # Cancel safety
    /// Work in flight goes on unobserved; call it again to wait for it.
    async fn stop(&self) -> Result<(), MessagingError>;

    /// Creates a conversation.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig`, `ErrCodeRateLimit`, `ErrCodeNetworkError`, `ErrCodeConversationFailed`.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the conversation may exist at the provider.
    async fn create_conversation(&self, config: ConversationConfig) -> Result<Conversation, MessagingError>;

    /// Fetches a conversation.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeNetworkError`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn get_conversation(&self, id: &ConversationId) -> Result<Conversation, MessagingError>;

    /// Lists all conversations, following every page.
    ///
    /// # Errors
    /// `ErrCodeNetworkError`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn list_conversations(&self) -> Result<Vec<Conversation>, MessagingError>;

    /// Closes a conversation and ends its message streams.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeCloseFailed`.
    ///
    /// # Cancel safety
    /// May have taken effect; closing a closed conversation is harmless.
    async fn close_conversation(&self, id: &ConversationId) -> Result<(), MessagingError>;

    /// Sends one message, with text or media or both.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeInvalidMessage`, `ErrCodeRateLimit`, `ErrCodeNetworkError`. When
    /// [`MessagingError::retry`] is [`Retry::Unknown`](crate::Retry::Unknown) the message may have been sent.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the message may have been sent.
    async fn send_message(&self, id: &ConversationId, message: OutgoingMessage) -> Result<SentMessage, MessagingError>;

    /// A stream of the messages that arrive in a conversation from now on.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeChannelFailed`.
    ///
    /// # Cancel safety
    /// Cancel-safe. Dropping the stream ends the subscription.
    async fn receive_messages(&self, id: &ConversationId) -> Result<MessageStream, MessagingError>;

    /// Adds a participant. One who is there already is a success.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeInvalidParticipant`, `ErrCodeRateLimit`.
    ///
    /// # Cancel safety
    /// May have taken effect; adding again is harmless.
    async fn add_participant(
        &self,
        id: &ConversationId,
        participant: NewParticipant,
    ) -> Result<Participant, MessagingError>;

    /// Removes a participant.
    ///
    /// # Errors
    /// `ErrCodeConversationNotFound`, `ErrCodeParticipantNotFound`.
    ///
    /// # Cancel safety
    /// May have taken effect.
    async fn remove_participant(&self, id: &ConversationId, participant: &ParticipantId) -> Result<(), MessagingError>;

    /// Verifies the signature of a webhook, reads it, and hands it to the streams that wait for it.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`, `ErrCodeInvalidWebhook`. On either, nothing was handed on.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn handle_webhook(&self, event: &WebhookEvent) -> Result<(), MessagingError>;

    /// Asks the provider whether all is well.
    ///
    /// # Errors
    /// None of the provider's troubles: they are in the status.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn health_check(&self) -> Result<HealthStatus, MessagingError>;

    /// The configuration in force (the contract's `GetConfig`).
    fn config(&self) -> Arc<Config>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn takes(_: Option<Arc<dyn ConversationalBackend>>) {}
        takes(None);
    }
}
