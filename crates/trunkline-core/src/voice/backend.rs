//! The trait that a provider implements.

use std::sync::Arc;

use async_trait::async_trait;

use super::{AudioStream, CallControl, SessionConfig, SessionId, TextStream, VoiceError, VoiceSession};
use crate::messaging::WebhookEvent;
use crate::{Config, HealthStatus};

/// Whether the provider can be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// It answers.
    Connected,
    /// The backend is not started, or is stopped.
    Disconnected,
    /// It does not answer, or refuses us.
    Error,
}

impl ConnectionState {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Error => "error",
        }
    }
}

/// A provider of calls: the contract *Voice Backend API* 1.0.0.
///
/// Object-safe: the gateway holds an `Arc<dyn VoiceBackend>`. Every error names the operation and carries one of the
/// contract's codes. Unless a method says otherwise it is cancel-safe in the sense that dropping its future leaves the
/// backend usable; a request that has left may still take effect at the provider.
#[async_trait]
pub trait VoiceBackend: Send + Sync {
    /// Validates the configuration, verifies credentials and reachability, registers the webhook if one is set.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig`, `ErrCodeAuthError`, `ErrCodeNetworkError`.
    ///
    /// # Cancel safety
    /// The backend stays stopped; start it again.
    async fn start(&self) -> Result<(), VoiceError>;

    /// Takes no more calls, completes those that are live, closes their streams.
    ///
    /// # Errors
    /// `ErrCodeShutdownError` if a call could not be ended.
    ///
    /// # Cancel safety
    /// Call it again to go on.
    async fn stop(&self) -> Result<(), VoiceError>;

    /// Calls somebody. The session is there before the telephone rings.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig`, `ErrCodeRateLimit`, `ErrCodeNetworkError`, `ErrCodeCallFailed`. When
    /// [`VoiceError::retry`] is [`Retry::Unknown`](crate::Retry::Unknown) the telephone may ring.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the call may have been placed.
    async fn create_session(&self, config: SessionConfig) -> Result<VoiceSession, VoiceError>;

    /// Finds a session that is active.
    ///
    /// # Errors
    /// `ErrCodeSessionNotFound`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn get_session(&self, id: &SessionId) -> Result<VoiceSession, VoiceError>;

    /// All sessions that are active, oldest first.
    ///
    /// # Errors
    /// None that providers know; the contract allows one.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn list_sessions(&self) -> Result<Vec<VoiceSession>, VoiceError>;

    /// Ends the call if it lives, closes its stream, and forgets the session.
    ///
    /// # Errors
    /// `ErrCodeSessionNotFound`, `ErrCodeCloseFailed`.
    ///
    /// # Cancel safety
    /// May have taken effect; the session is forgotten only when the call has ended.
    async fn close_session(&self, id: &SessionId) -> Result<(), VoiceError>;

    /// Asks the provider whether all is well.
    ///
    /// # Errors
    /// None of the provider's troubles: they are in the status.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn health_check(&self) -> Result<HealthStatus, VoiceError>;

    /// Whether the provider could be worked with when it was last tried.
    fn connection_state(&self) -> ConnectionState;

    /// How many sessions are active.
    fn active_session_count(&self) -> usize;

    /// The configuration in force (the contract's `GetConfig`).
    fn config(&self) -> Arc<Config>;

    /// Validates a configuration and puts it in force. Calls that are live keep what they began with.
    ///
    /// # Errors
    /// `ErrCodeInvalidConfig`; the old configuration stays.
    ///
    /// # Cancel safety
    /// Either configuration is in force, whole.
    async fn update_config(&self, config: Config) -> Result<(), VoiceError>;

    /// Verifies and reads the webhook of a call that comes in, makes its session, and has
    /// [`VoiceSession::answer`] ready: it tells the provider to open the call's stream.
    ///
    /// # Errors
    /// `ErrCodeInvalidSignature`, `ErrCodeInvalidWebhook`, `ErrCodeRateLimit` when no more calls are admitted.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn handle_inbound_call(&self, event: &WebhookEvent) -> Result<VoiceSession, VoiceError>;

    /// Waits until the provider has opened the call's audio, for as long as the configuration allows.
    ///
    /// # Errors
    /// `ErrCodeSessionNotFound`, `ErrCodeStreamFailed`.
    ///
    /// # Cancel safety
    /// Cancel-safe: wait again.
    async fn stream_audio(&self, id: &SessionId) -> Result<AudioStream, VoiceError>;

    /// As [`Self::stream_audio`], where the provider recognises and speaks.
    ///
    /// # Errors
    /// As [`Self::stream_audio`].
    ///
    /// # Cancel safety
    /// Cancel-safe: wait again.
    async fn stream_text(&self, id: &SessionId) -> Result<Box<dyn TextStream>, VoiceError>;

    /// Does something to a call from outside of its audio.
    ///
    /// # Errors
    /// `ErrCodeSessionNotFound`, `ErrCodeCallFailed`, `ErrCodeRateLimit`, `ErrCodeNetworkError`, `ErrCodeInvalidConfig`.
    ///
    /// # Cancel safety
    /// May have taken effect.
    async fn control(&self, id: &SessionId, control: CallControl) -> Result<(), VoiceError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn takes(_: Option<Arc<dyn VoiceBackend>>) {}
        takes(None);
    }
}
