//! The operations and the error codes of the contract.

use std::fmt;

use crate::{OperationError, UnknownProvider};

/// What went wrong, in which operation of the contract, and whether it may be tried again.
pub type VoiceError = OperationError<Operation, ErrorCode>;

/// The operations of the contract, and the two that are added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `Start`
    Start,
    /// `Stop`
    Stop,
    /// `CreateSession`
    CreateSession,
    /// `GetSession`
    GetSession,
    /// `ListSessions`
    ListSessions,
    /// `CloseSession`
    CloseSession,
    /// `HealthCheck`
    HealthCheck,
    /// `GetConnectionState`
    GetConnectionState,
    /// `GetActiveSessionCount`
    GetActiveSessionCount,
    /// `GetConfig`
    GetConfig,
    /// `UpdateConfig`
    UpdateConfig,
    /// `HandleInboundCall`
    HandleInboundCall,
    /// `StreamAudio`
    StreamAudio,
    /// Words instead of audio: an addition.
    StreamText,
    /// What is done to a call from outside: an addition.
    Control,
    /// Building a backend: `NewBackend`.
    NewBackend,
}

impl Operation {
    /// Snake-case name, as in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::CreateSession => "create_session",
            Self::GetSession => "get_session",
            Self::ListSessions => "list_sessions",
            Self::CloseSession => "close_session",
            Self::HealthCheck => "health_check",
            Self::GetConnectionState => "get_connection_state",
            Self::GetActiveSessionCount => "get_active_session_count",
            Self::GetConfig => "get_config",
            Self::UpdateConfig => "update_config",
            Self::HandleInboundCall => "handle_inbound_call",
            Self::StreamAudio => "stream_audio",
            Self::StreamText => "stream_text",
            Self::Control => "control",
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
    /// Calls that were live did not end in time.
    ShutdownError => "ErrCodeShutdownError",
    /// The provider asks to slow down, or no more calls are admitted.
    RateLimit => "ErrCodeRateLimit",
    /// The provider refused to create or change the call.
    CallFailed => "ErrCodeCallFailed",
    /// There is no such session.
    SessionNotFound => "ErrCodeSessionNotFound",
    /// The session could not be closed.
    CloseFailed => "ErrCodeCloseFailed",
    /// The webhook is not signed with a key that we know.
    InvalidSignature => "ErrCodeInvalidSignature",
    /// The webhook lacks what its type needs.
    InvalidWebhook => "ErrCodeInvalidWebhook",
    /// The call's audio or text could not be opened, or was lost.
    StreamFailed => "ErrCodeStreamFailed",
    /// The registry knows no provider of that name.
    ProviderNotFound => "ErrCodeProviderNotFound",
    /// The backend is stopped.
    NotRunning => "ErrCodeNotRunning",
    /// A fault of ours.
    Internal => "ErrCodeInternalError",
}

impl From<UnknownProvider> for VoiceError {
    fn from(unknown: UnknownProvider) -> Self {
        Self::new(Operation::NewBackend, ErrorCode::ProviderNotFound, unknown.to_string())
    }
}
