//! Webhooks: a form, its signature and its event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_proto::form;
use trunkline_proto::messaging::{InboundMessage, MAX_MEDIA, MessageStatusUpdate};
use trunkline_proto::signature::{Algorithm, RequestKind, SignedRequest, SigningKeys, sign, verify};
use trunkline_proto::webhook::ConversationsWebhook;

const URL: &str = "https://gateway.example.com/webhooks/twilio";

fuzz_target!(|bytes: &[u8]| {
    let Ok(params) = form::decode(bytes) else { return };
    let signature = sign(Algorithm::HmacSha1, b"token", URL, &params);
    let request = SignedRequest {
        kind: RequestKind::Form,
        url: URL,
        params: &params,
        body: None,
        signature: Some(&signature),
        settings: None,
    };
    verify(&request, &SigningKeys::new(["token"])).expect("a signature of ours is good");
    if let Ok(webhook) = ConversationsWebhook::parse(&params) {
        assert!(!webhook.dedupe_key(None).is_empty());
    }
    if let Ok(message) = InboundMessage::parse(&params) {
        assert!(message.media.len() <= MAX_MEDIA && message.dedupe_key().ends_with(":received"));
    }
    if let Ok(update) = MessageStatusUpdate::parse(&params) {
        assert!(!update.dedupe_key(None).is_empty());
    }
});
