//! Twilio's webhooks of what changes in a conversation as facts of ours.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use trunkline_core::event::{
    CONVERSATION_UPDATED, ConversationUpdated, MESSAGE_REMOVED, MESSAGE_UPDATED, MessageRemoved, MessageUpdated,
    PARTICIPANT_ADDED, PARTICIPANT_REMOVED, PARTICIPANT_UPDATED, ParticipantChanged,
};
use trunkline_core::{Channel, Envelope, EnvelopeError};
use trunkline_proto::rest::BindingType;
use trunkline_proto::webhook::{self, ConversationsEvent};

use super::from_twilio::{SOURCE, channel_of};

/// The fact of a webhook that tells of a change; `None` if it does not.
pub(super) fn change(event: &ConversationsEvent, key: &str, now: Timestamp) -> Result<Option<Envelope>, EnvelopeError> {
    use ConversationsEvent as Event;
    match event {
        Event::OnMessageUpdated(it) => {
            let updated = MessageUpdated {
                conversation: it.conversation_sid.as_str().to_owned(),
                message: it.message_sid.as_str().to_owned(),
                text: it.body.clone(),
                changed: it.date_updated.unwrap_or(now),
            };
            envelope(key, MESSAGE_UPDATED, it.conversation_sid.as_str(), now, &updated)
        }
        Event::OnMessageRemoved(it) => {
            let removed = MessageRemoved {
                conversation: it.conversation_sid.as_str().to_owned(),
                message: it.message_sid.as_str().to_owned(),
                removed: it.date_removed.or(it.date_updated).unwrap_or(now),
            };
            envelope(key, MESSAGE_REMOVED, it.conversation_sid.as_str(), now, &removed)
        }
        Event::OnConversationUpdated(it) => {
            let updated = ConversationUpdated {
                conversation: it.conversation_sid.as_str().to_owned(),
                friendly_name: it.friendly_name.clone(),
                unique_name: it.unique_name.clone(),
                attributes: it.attributes.as_deref().map(object_of),
                changed: it.date_updated.unwrap_or(now),
            };
            envelope(key, CONVERSATION_UPDATED, it.conversation_sid.as_str(), now, &updated)
        }
        Event::OnParticipantAdded(it) => {
            let joined = participant(it, it.date_created, now);
            envelope(key, PARTICIPANT_ADDED, it.conversation_sid.as_str(), now, &joined)
        }
        Event::OnParticipantUpdated(it) => {
            let updated = participant(it, it.date_updated, now);
            envelope(key, PARTICIPANT_UPDATED, it.conversation_sid.as_str(), now, &updated)
        }
        Event::OnParticipantRemoved(it) => {
            let removed = participant(it, it.date_removed.or(it.date_updated), now);
            envelope(key, PARTICIPANT_REMOVED, it.conversation_sid.as_str(), now, &removed)
        }
        _ => Ok(None),
    }
}

/// The largest attributes that are kept, in bytes: what Twilio allows for a conversation.
const MAX_ATTRIBUTES_BYTES: usize = 16 << 10;

/// What attributes say; nothing where they are no object, or larger than they may be.
pub(crate) fn object_of(attributes: &str) -> Map<String, Value> {
    if attributes.len() > MAX_ATTRIBUTES_BYTES {
        return Map::new();
    }
    serde_json::from_str(attributes).unwrap_or_default()
}

fn envelope<T: Serialize>(
    key: &str,
    kind: &str,
    conversation: &str,
    now: Timestamp,
    data: &T,
) -> Result<Option<Envelope>, EnvelopeError> {
    Envelope::new(key, SOURCE, kind, conversation, now, data).map(Some)
}

fn participant(it: &webhook::ParticipantChanged, at: Option<Timestamp>, now: Timestamp) -> ParticipantChanged {
    let binding = &it.messaging_binding;
    let channel = match &binding.kind {
        Some(BindingType::Sms) => Some(Channel::Sms),
        Some(BindingType::WhatsApp) => Some(Channel::Whatsapp),
        Some(BindingType::Email) => Some(Channel::Email),
        Some(BindingType::Chat) => Some(Channel::Chat),
        _ => binding.address.as_deref().map(channel_of).or_else(|| it.identity.as_ref().map(|_| Channel::Chat)),
    };
    ParticipantChanged {
        conversation: it.conversation_sid.as_str().to_owned(),
        participant: it.participant_sid.as_str().to_owned(),
        identity: it.identity.clone(),
        channel,
        address: binding.address.clone(),
        own_address: binding.proxy_address.clone(),
        role: it.role_sid.as_ref().map(|sid| sid.as_str().to_owned()),
        read_index: it.last_read_message_index,
        changed: at.unwrap_or(now),
    }
}
