//! Whether a webhook or an upgrade to a socket came from Twilio.

use trunkline_core::messaging::WebhookEvent;
use trunkline_proto::signature::{
    Accepted, RequestKind, SETTINGS_HEADER, SIGNATURE_HEADER, SignatureError, SignedRequest, SigningKeys,
    verify as check,
};

/// How the signed text of a webhook is made: by its method and the type of its body.
pub(crate) fn kind_of(event: &WebhookEvent) -> RequestKind {
    let content_type = event.header("content-type").unwrap_or_default();
    if event.method.eq_ignore_ascii_case("GET") {
        RequestKind::Get
    } else if content_type.starts_with("application/json") {
        RequestKind::Json
    } else {
        RequestKind::Form
    }
}

/// Verifies the signature of a request.
pub(crate) fn verify(event: &WebhookEvent, kind: RequestKind, keys: &SigningKeys) -> Result<Accepted, SignatureError> {
    let request = SignedRequest {
        kind,
        url: &event.url,
        params: &event.params,
        body: Some(&event.body),
        signature: event.header(SIGNATURE_HEADER),
        settings: event.header(SETTINGS_HEADER),
    };
    check(&request, keys)
}
