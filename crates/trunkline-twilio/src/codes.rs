//! The provider's part of the contract's codes: they stand beside the contract's own, with Twilio's error number.

/// Twilio asks to slow down, or the sender's own rate is used up.
pub(crate) const RATE_LIMIT: &str = "ErrCodeTwilioRateLimit";
/// Twilio does not accept the credentials, or they do not suffice.
pub(crate) const AUTH_ERROR: &str = "ErrCodeTwilioAuthError";
/// Twilio did not answer in time.
pub(crate) const TIMEOUT: &str = "ErrCodeTwilioTimeout";
/// Twilio cannot be reached, the connection was lost, or it answered with a server error.
pub(crate) const NETWORK_ERROR: &str = "ErrCodeTwilioNetworkError";
/// Twilio refused a message, or its answer to one was not understood.
pub(crate) const MESSAGE_FAILED: &str = "ErrCodeTwilioMessageFailed";
/// Twilio refused any other operation, or its answer to one was not understood.
pub(crate) const CONVERSATION_FAILED: &str = "ErrCodeTwilioConversationFailed";
/// A webhook is not believed or not understood.
pub(crate) const INVALID_WEBHOOK: &str = "ErrCodeTwilioInvalidWebhook";
/// Twilio refused to place or change a call, or its answer was not understood.
pub(crate) const CALL_FAILED: &str = "ErrCodeTwilioCallFailed";
/// The socket of a call is refused, was lost, or never came.
pub(crate) const STREAM_FAILED: &str = "ErrCodeTwilioStreamFailed";
