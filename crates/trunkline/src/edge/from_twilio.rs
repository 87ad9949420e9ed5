//! Twilio's webhooks as facts of ours. Twilio's types end here.

use jiff::Timestamp;
use serde::Serialize;
use trunkline_core::event::{
    CONVERSATION_CHANGED, ConversationChanged, ConversationPhase, DELIVERY_UPDATED, DeliveryStatus, DeliveryUpdated,
    MESSAGE_RECEIVED, MediaRef, MessageMetadata, MessageReceived,
};
use trunkline_core::{Channel, ContactAddress, Envelope, EnvelopeError};
use trunkline_proto::conversations::MediaData;
use trunkline_proto::rest::MessageMedia;
use trunkline_proto::sid::MessageSid;
use trunkline_proto::webhook::{ConversationsEvent, ConversationsWebhook, message_added_key};
use trunkline_twilio::realtime::MessageChange;

use super::changes::object_of;

/// The connector's name in envelopes.
pub(crate) const SOURCE: &str = "twilio";

/// What a webhook asks of us.
pub(super) enum Fact {
    /// To be committed before it is answered.
    Publish(Box<Envelope>),
    /// Nothing: a question that we let pass, our own message, something that is only told.
    Nothing,
}

/// Reads the fact out of a webhook.
pub(super) fn fact(
    webhook: &ConversationsWebhook,
    token: Option<&str>,
    people: &People,
    now: Timestamp,
) -> Result<Fact, EnvelopeError> {
    let key = || webhook.dedupe_key(token);
    match &webhook.event {
        ConversationsEvent::OnMessageAdded(added) => {
            let author = added.author.as_str();
            if !people.include(author) || carries_outbox_id(added.attributes.as_deref()) {
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
                    to: None,
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
                participant: updated.participant_sid.map(|sid| sid.as_str().to_owned()),
                outbox_id: None,
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
        ConversationsEvent::OnConversationAdded(added) => {
            let created = ConversationChanged {
                conversation: added.conversation_sid.as_str().to_owned(),
                state: ConversationPhase::Active,
                friendly_name: added.friendly_name.clone(),
                attributes: added.attributes.as_deref().map(object_of).filter(|told| !told.is_empty()),
                created: true,
            };
            publish(key(), CONVERSATION_CHANGED, created.conversation.clone(), now, &created)
        }
        ConversationsEvent::OnConversationRemoved(removed) => {
            changed(key(), removed.conversation_sid.as_str(), ConversationPhase::Closed, now)
        }
        event => {
            let change = super::changes::change(event, &key(), now)?;
            Ok(change.map_or(Fact::Nothing, |envelope| Fact::Publish(Box::new(envelope))))
        }
    }
}

/// The fact of a message that the socket brought: the same as its webhook's, under the same key. `None` if it is not a
/// person's.
pub(crate) fn heard(
    message: &MessageChange,
    people: &People,
    now: Timestamp,
) -> Result<Option<Envelope>, EnvelopeError> {
    let data = &message.data;
    let author = data.author.as_deref().filter(|author| people.include(author));
    let (Some(author), Ok(sid)) = (author, data.sid.parse::<MessageSid>()) else { return Ok(None) };
    if carries_outbox_id(Some(&data.attributes)) {
        return Ok(None);
    }
    let received = MessageReceived {
        from: author.to_owned(),
        text: data.text.clone().unwrap_or_default(),
        media: data.medias.iter().flatten().take(MAX_MEDIA).map(media_of_socket).collect(),
        channel: channel_of(author),
        metadata: MessageMetadata {
            conversation: message.conversation.clone(),
            message: data.sid.clone(),
            participant: data.member_sid.clone(),
            index: data.index,
            created: data.timestamp.as_deref().and_then(|at| at.parse().ok()).unwrap_or(now),
            to: None,
        },
    };
    let conversation = message.conversation.clone();
    Envelope::new(message_added_key(sid), SOURCE, MESSAGE_RECEIVED, conversation, now, &received).map(Some)
}

fn media_of_socket(media: &MediaData) -> MediaRef {
    MediaRef {
        id: media.sid.clone(),
        content_type: media.content_type.clone().unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        size: media.size.unwrap_or_default(),
        filename: media.filename.clone(),
    }
}

/// Files of one message that are taken from the socket. Twilio's limit is 10.
const MAX_MEDIA: usize = 100;

/// The type of a file of which no type is told.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Whose messages are answered: whoever writes from an address of their own, and, if that is wanted, chat users.
///
/// A chat identity may be a customer in a chat window or a colleague who helps out in the conversation, and a REST
/// message may carry any author: only an address surely is a customer's.
#[derive(Debug, Clone)]
pub struct People {
    identity: String,
    our_number: Option<String>,
    chat_users: bool,
}

impl People {
    /// `identity` is the bot's and `our_number` the account's; neither is a person.
    pub fn new(identity: impl Into<String>, our_number: Option<String>, chat_users: bool) -> Self {
        Self { identity: identity.into(), our_number, chat_users }
    }

    /// Whether the author of a message is someone to answer.
    pub fn include(&self, author: &str) -> bool {
        let ours = self.our_number.as_deref().is_some_and(|number| author.trim_start_matches("whatsapp:") == number);
        if author.is_empty() || author == self.identity || author == "system" || ours {
            return false;
        }
        let is_address = ContactAddress::parse(author).is_ok_and(|address| address.channel() != Channel::Chat);
        is_address || self.chat_users
    }
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
        content_type: media.content_type.clone().unwrap_or_else(|| UNKNOWN_TYPE.to_owned()),
        size: media.size.unwrap_or_default(),
        filename: media.filename.clone(),
    }
}

fn changed(key: String, conversation: &str, state: ConversationPhase, now: Timestamp) -> Result<Fact, EnvelopeError> {
    let changed = ConversationChanged {
        conversation: conversation.to_owned(),
        state,
        friendly_name: None,
        attributes: None,
        created: false,
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_who_writes_from_an_address() {
        let people = People::new("bot", Some("+15550009999".into()), false);
        for author in ["+15550001111", "whatsapp:+15550001111", "ada@example.com"] {
            assert!(people.include(author), "{author}");
        }
        for author in ["", "bot", "system", "alice", "+15550009999", "whatsapp:+15550009999"] {
            assert!(!people.include(author), "{author}");
        }
        assert!(People::new("bot", None, true).include("alice"));
        assert!(!People::new("bot", None, true).include("bot"));
    }

    #[test]
    fn our_messages_are_known_by_what_they_carry() {
        assert_eq!(outbox_id(&attributes("o-1")).as_deref(), Some("o-1"));
        for other in ["{}", "", "[]", r#"{"trunkline":1}"#, r#"{"trunkline":{"outbox_id":1}}"#] {
            assert_eq!(outbox_id(other), None, "{other}");
        }
    }
}
