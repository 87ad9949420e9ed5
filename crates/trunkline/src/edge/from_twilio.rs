//! Twilio's webhooks as facts of ours. Twilio's types end here.

use jiff::Timestamp;
use serde::Serialize;
use trunkline_core::event::{
    CONVERSATION_CHANGED, ConversationChanged, ConversationPhase, DELIVERY_UPDATED, DeliveryStatus, DeliveryUpdated,
    MESSAGE_RECEIVED, MediaRef, MessageMetadata, MessageReceived,
};
use trunkline_core::{Channel, ContactAddress, Envelope, EnvelopeError};
use trunkline_proto::rest::MessageMedia;
use trunkline_proto::webhook::{ConversationsEvent, ConversationsWebhook};

/// The connector's name in envelopes.
pub(crate) const SOURCE: &str = "twilio";

/// What a webhook asks of us.
pub(super) enum Fact {
    /// To be committed before it is answered.
    Publish(Box<Envelope>),
    /// Nothing: a question that we let pass, our own message, something that is only told.
    Nothing,
}

/// Reads the fact out of a webhook. `identity` is the bot's.
pub(super) fn fact(
    webhook: &ConversationsWebhook,
    token: Option<&str>,
    identity: &str,
    now: Timestamp,
) -> Result<Fact, EnvelopeError> {
    let key = || webhook.dedupe_key(token);
    match &webhook.event {
        ConversationsEvent::OnMessageAdded(added) => {
            let author = added.author.as_str();
            if !is_person(author, identity) || carries_outbox_id(added.attributes.as_deref()) {
                return Ok(Fact::Nothing);
            }
            let conversation = added.conversation_sid.as_str().to_owned();
            let received = MessageReceived {
                from: author.to_owned(),
                text: added.body.clone(),
                media: added.media.iter().map(media).collect(),
                channel: channel_of(author),
                metadata: MessageMetadata {
                    conversation: conversation.clone(),
                    message: added.message_sid.as_str().to_owned(),
                    participant: added.participant_sid.map(|sid| sid.as_str().to_owned()),
                    index: added.index,
                    created: added.date_created.unwrap_or(now),
                },
            };
            publish(key(), MESSAGE_RECEIVED, conversation, now, &received)
        }
        ConversationsEvent::OnDeliveryUpdated(updated) => {
            let Some(status) = DeliveryStatus::from_name(updated.status.as_str()) else { return Ok(Fact::Nothing) };
            let conversation = updated.conversation_sid.as_str().to_owned();
            let receipt = DeliveryUpdated {
                conversation: conversation.clone(),
                message: updated.message_sid.as_str().to_owned(),
                status,
                error: updated.error_code,
            };
            publish(key(), DELIVERY_UPDATED, conversation, now, &receipt)
        }
        ConversationsEvent::OnConversationStateUpdated(updated) => {
            let state = match updated.state_to.as_str() {
                "active" => ConversationPhase::Active,
                "inactive" => ConversationPhase::Inactive,
                "closed" => ConversationPhase::Closed,
                _ => return Ok(Fact::Nothing),
            };
            changed(key(), updated.conversation_sid.as_str(), state, now)
        }
        ConversationsEvent::OnConversationRemoved(removed) => {
            changed(key(), removed.conversation_sid.as_str(), ConversationPhase::Closed, now)
        }
        _ => Ok(Fact::Nothing),
    }
}

/// Whether an author is someone to answer: not the bot, not the service itself.
pub(crate) fn is_person(author: &str, identity: &str) -> bool {
    !author.is_empty() && author != identity && author != "system"
}

/// Whether a message is one of ours: it carries the id of an outbox row.
pub(crate) fn carries_outbox_id(attributes: Option<&str>) -> bool {
    attributes.is_some_and(|attributes| outbox_id(attributes).is_some())
}

/// The attributes of a message of ours.
pub(crate) fn attributes(outbox_id: &str) -> String {
    serde_json::json!({ "trunkline": { "outbox_id": outbox_id } }).to_string()
}

/// The id of the outbox row in a message's attributes.
pub(crate) fn outbox_id(attributes: &str) -> Option<String> {
    let attributes: serde_json::Value = serde_json::from_str(attributes).ok()?;
    attributes.get("trunkline")?.get("outbox_id")?.as_str().map(str::to_owned)
}

/// How someone with this address writes.
pub(crate) fn channel_of(author: &str) -> Channel {
    ContactAddress::parse(author).map_or(Channel::Chat, |address| address.channel())
}

pub(crate) fn media(media: &MessageMedia) -> MediaRef {
    MediaRef {
        id: media.sid.as_str().to_owned(),
        content_type: media.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: media.size.unwrap_or_default(),
        filename: media.filename.clone(),
    }
}

fn changed(key: String, conversation: &str, state: ConversationPhase, now: Timestamp) -> Result<Fact, EnvelopeError> {
    let changed = ConversationChanged { conversation: conversation.to_owned(), state };
    publish(key, CONVERSATION_CHANGED, conversation.to_owned(), now, &changed)
}

fn publish<T: Serialize>(
    key: String,
    kind: &str,
    conversation: String,
    now: Timestamp,
    data: &T,
) -> Result<Fact, EnvelopeError> {
    Ok(Fact::Publish(Box::new(Envelope::new(key, SOURCE, kind, conversation, now, data)?)))
}
