//! The operations and the error codes of the contract.

use std::fmt;

use crate::{OperationError, UnknownProvider};

/// What went wrong, in which operation of the contract, and whether it may be tried again.
pub type MessagingError = OperationError<Operation, ErrorCode>;

/// The thirteen operations of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `Start`
    Start,
    /// `Stop`
    Stop,
    /// `CreateConversation`
    CreateConversation,
    /// `GetConversation`
    GetConversation,
    /// `ListConversations`
    ListConversations,
    /// `CloseConversation`
    CloseConversation,
    /// `SendMessage`
    SendMessage,
    /// `ReceiveMessages`
    ReceiveMessages,
    /// `AddParticipant`
    AddParticipant,
    /// `RemoveParticipant`
    RemoveParticipant,
    /// `HandleWebhook`
    HandleWebhook,
    /// `HealthCheck`
    HealthCheck,
    /// `GetConfig`
    GetConfig,
    /// Building a backend: `NewBackend`.
    NewBackend,
}

impl Operation {
    /// Snake-case name, as in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::CreateConversation => "create_conversation",
            Self::GetConversation => "get_conversation",
            Self::ListConversations => "list_conversations",
            Self::CloseConversation => "close_conversation",
            Self::SendMessage => "send_message",
            Self::ReceiveMessages => "receive_messages",
            Self::AddParticipant => "add_participant",
            Self::RemoveParticipant => "remove_participant",
            Self::HandleWebhook => "handle_webhook",
            Self::HealthCheck => "health_check",
            Self::GetConfig => "get_config",
            Self::NewBackend => "new_backend",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

crate::operation_error::codes! {
    /// A setting or an argument is missing or wrong.
    InvalidConfig => "ErrCodeInvalidConfig",
    /// The provider does not accept the credentials.
    AuthError => "ErrCodeAuthError",
    /// The provider could not be reached, or the connection was lost.
    NetworkError => "ErrCodeNetworkError",
    /// The provider did not answer in time.
    Timeout => "ErrCodeTimeout",
    /// Work in flight did not finish in time.
    ShutdownError => "ErrCodeShutdownError",
    /// The provider asks to slow down.
    RateLimit => "ErrCodeRateLimit",
    /// The provider refused to create or change the conversation.
    ConversationFailed => "ErrCodeConversationFailed",
    /// There is no such conversation.
    ConversationNotFound => "ErrCodeConversationNotFound",
    /// The conversation could not be closed.
    CloseFailed => "ErrCodeCloseFailed",
    /// The message has no content, or content that the provider refuses.
    InvalidMessage => "ErrCodeInvalidMessage",
    /// The provider refused the message.
    MessageFailed => "ErrCodeMessageFailed",
    /// No stream of messages could be opened.
    ChannelFailed => "ErrCodeChannelFailed",
    /// The participant has no usable identity or address.
    InvalidParticipant => "ErrCodeInvalidParticipant",
    /// There is no such participant.
    ParticipantNotFound => "ErrCodeParticipantNotFound",
    /// The webhook is not signed with a key that we know.
    InvalidSignature => "ErrCodeInvalidSignature",
    /// The webhook lacks what its type needs.
    InvalidWebhook => "ErrCodeInvalidWebhook",
    /// The registry knows no provider of that name.
    ProviderNotFound => "ErrCodeProviderNotFound",
    /// The backend is stopped.
    NotRunning => "ErrCodeNotRunning",
    /// A fault of ours.
    Internal => "ErrCodeInternalError",
}

impl From<UnknownProvider> for MessagingError {
    fn from(unknown: UnknownProvider) -> Self {
        Self::new(Operation::NewBackend, ErrorCode::ProviderNotFound, unknown.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_written_as_in_the_contract() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.starts_with("ErrCode")));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
