//! The webhooks of a provider that does not exist: a message of a person, signed with a shared word.

use bytes::Bytes;
use jiff::Timestamp;
use trunkline_core::messaging::{
    Config, ConversationId, ErrorCode, MessageId, MessagingError, Operation, WebhookEvent,
};

/// The header with the signature: the signing key itself, as this is for tests alone.
pub const SIGNATURE_HEADER: &str = "x-scripted-signature";

/// The secret setting with the signing key. Default `scripted`.
pub const SIGNING_KEY_SETTING: &str = "signing_key";

const DEFAULT_KEY: &str = "scripted";

/// A message that a webhook tells of.
pub(super) struct Told {
    pub(super) conversation: ConversationId,
    pub(super) id: MessageId,
    pub(super) author: String,
    pub(super) body: String,
}

fn key(config: &Config) -> String {
    config.secrets(SIGNING_KEY_SETTING).first().map_or(DEFAULT_KEY, |key| key.expose()).to_owned()
}

pub(super) fn make(config: &Config, told: &Told) -> WebhookEvent {
    let params = [
        ("EventType", "message.added"),
        ("Conversation", told.conversation.as_str()),
        ("Message", told.id.as_str()),
        ("Author", &told.author),
        ("Body", &told.body),
    ];
    WebhookEvent {
        url: "https://gateway.example.com/webhooks/scripted".to_owned(),
        method: "POST".to_owned(),
        headers: vec![(SIGNATURE_HEADER.to_owned(), key(config))],
        params: params.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: Bytes::new(),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

/// Reads a webhook; `None` for an event that nothing comes of.
pub(super) fn read(config: &Config, event: &WebhookEvent) -> Result<Option<Told>, MessagingError> {
    let refused = |code, why| MessagingError::new(Operation::HandleWebhook, code, why);
    if event.header(SIGNATURE_HEADER) != Some(key(config).as_str()) {
        return Err(refused(ErrorCode::InvalidSignature, "the webhook's signature is not valid"));
    }
    let param = |name| {
        let value = event.param(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| refused(ErrorCode::InvalidWebhook, "the webhook is not complete"))
    };
    if param("EventType")? != "message.added" {
        return Ok(None);
    }
    Ok(Some(Told {
        conversation: param("Conversation")?.into(),
        id: param("Message")?.into(),
        author: param("Author")?.to_owned(),
        body: param("Body")?.to_owned(),
    }))
}
