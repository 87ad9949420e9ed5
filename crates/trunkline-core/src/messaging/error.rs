//! The one error type of the contract.

use std::error::Error;
use std::fmt;

use crate::Retry;

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

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $name:literal),+ $(,)?) => {
        /// The contract's error codes. Their names are part of the public surface and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant),+
        }

        impl ErrorCode {
            /// Every code, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as the contract writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}

codes! {
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

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, in which operation, and whether it may be tried again.
#[derive(Debug)]
pub struct MessagingError {
    operation: Operation,
    code: ErrorCode,
    message: String,
    provider_code: Option<&'static str>,
    provider_number: Option<u32>,
    retry: Retry,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl MessagingError {
    /// An error that will not go away by itself. `message` is for people: no secrets, no personal data.
    pub fn new(operation: Operation, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            operation,
            code,
            message: message.into(),
            provider_code: None,
            provider_number: None,
            retry: Retry::No,
            source: None,
        }
    }

    /// Says whether it may be tried again.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds the provider's own code (such as `ErrCodeTwilioRateLimit`) and error number (such as 20429).
    #[must_use]
    pub const fn with_provider(mut self, code: &'static str, number: Option<u32>) -> Self {
        self.provider_code = Some(code);
        self.provider_number = number;
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The operation that failed.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The contract's code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The provider's own code, if the failure came from there.
    pub const fn provider_code(&self) -> Option<&'static str> {
        self.provider_code
    }

    /// The provider's error number, if it gave one.
    pub const fn provider_number(&self) -> Option<u32> {
        self.provider_number
    }

    /// Whether it may be tried again.
    pub const fn retry(&self) -> Retry {
        self.retry
    }
}

impl fmt::Display for MessagingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.operation, self.message, self.code)?;
        if let Some(number) = self.provider_number {
            write!(f, ", provider error {number}")?;
        }
        f.write_str(")")
    }
}

impl Error for MessagingError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
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

    #[test]
    fn an_error_names_operation_code_and_cause() {
        let cause = std::io::Error::other("reset");
        let error = MessagingError::new(Operation::SendMessage, ErrorCode::RateLimit, "slow down")
            .with_provider("ErrCodeTwilioRateLimit", Some(20429))
            .with_source(cause);
        assert_eq!(error.to_string(), "send_message: slow down (ErrCodeRateLimit, provider error 20429)");
        assert_eq!(error.source().expect("source").to_string(), "reset");
        assert_eq!(error.provider_code(), Some("ErrCodeTwilioRateLimit"));
    }
}
