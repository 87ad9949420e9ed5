//! A webhook as it came in.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

/// A webhook request, decoded but not yet trusted: [`handle_webhook`] verifies it.
///
/// [`handle_webhook`]: super::ConversationalBackend::handle_webhook
#[derive(Clone)]
pub struct WebhookEvent {
    /// The public URL that the provider called, query included: what was signed.
    pub url: String,
    /// The HTTP method.
    pub method: String,
    /// Header fields that matter to a signature, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Form parameters, decoded, in the order received; empty for JSON.
    pub params: Vec<(String, String)>,
    /// The body as received.
    pub body: Bytes,
    /// When it arrived.
    pub received_at: Timestamp,
}

impl WebhookEvent {
    /// The value of header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of parameter `name`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// `Debug` tells where it came in and how large it was, not what it said.
impl fmt::Debug for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookEvent")
            .field("method", &self.method)
            .field("params", &self.params.len())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
