//! The provider's part of the contract's codes: they stand beside the contract's own, with Twilio's error number.

/// Twilio asks to slow down, or the sender's own rate is used up.
pub(super) const RATE_LIMIT: &str = "ErrCodeTwilioRateLimit";
/// Twilio does not accept the credentials, or they do not suffice.
pub(super) const AUTH_ERROR: &str = "ErrCodeTwilioAuthError";
/// Twilio did not answer in time.
pub(super) const TIMEOUT: &str = "ErrCodeTwilioTimeout";
/// Twilio cannot be reached, the connection was lost, or it answered with a server error.
pub(super) const NETWORK_ERROR: &str = "ErrCodeTwilioNetworkError";
/// Twilio refused a message, or its answer to one was not understood.
pub(super) const MESSAGE_FAILED: &str = "ErrCodeTwilioMessageFailed";
/// Twilio refused any other operation, or its answer to one was not understood.
pub(super) const CONVERSATION_FAILED: &str = "ErrCodeTwilioConversationFailed";
/// A webhook is not believed or not understood.
pub(super) const INVALID_WEBHOOK: &str = "ErrCodeTwilioInvalidWebhook";
