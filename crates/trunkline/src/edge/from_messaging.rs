//! Programmable Messaging's webhooks and messages as facts of ours. Twilio's types end here.
//!
//! This platform keeps no conversations: a conversation is one of our addresses and a person's.

use jiff::Timestamp;
use trunkline_core::event::{
    DELIVERY_UPDATED, DeliveryStatus, DeliveryUpdated, MESSAGE_RECEIVED, MediaRef, MessageMetadata, MessageReceived,
};
use trunkline_core::{Channel, ContactAddress, Envelope, EnvelopeError, derived_name};
use trunkline_proto::messaging::{ChannelMessage, InboundMessage, MessageStatusUpdate};
use url::Url;

use super::from_twilio::People;

/// The connector's name in envelopes.
pub(crate) const SOURCE: &str = "twilio-messaging";
/// The path of status callbacks, below the public base.
pub(crate) const STATUS_PATH: &str = "/webhooks/twilio/messaging/status";
/// The path of messages that come in.
pub const MESSAGES_PATH: &str = "/webhooks/twilio/messaging";

/// The parameter of a status callback's address that names the outbox row.
const OUTBOX_PARAMETER: &str = "outbox";
/// The longest name of an outbox row that is read from an address.
const MAX_OUTBOX_ID: usize = 128;

/// The name of the conversation of two addresses: the same however a message of it is seen, and no telephone number,
/// because names stand in logs.
pub(crate) fn conversation(account: &str, own: &str, person: &str) -> String {
    format!("pair-{}", derived_name(format!("{account}\n{own}\n{person}")))
}

/// Whether the sender of a message is a person to answer: on a telephone, and not ourselves.
fn is_person(people: &People, from: &str, to: &str) -> bool {
    let channel = ContactAddress::parse(from).map(|address| address.channel());
    matches!(channel, Ok(Channel::Sms | Channel::Whatsapp)) && from != to && people.include(from)
}

/// The fact of a message that came in; `None` if it is nobody's who can be answered.
pub(super) fn received(
    message: &InboundMessage,
    people: &People,
    now: Timestamp,
) -> Result<Option<Envelope>, EnvelopeError> {
    if !is_person(people, &message.from, &message.to) {
        return Ok(None);
    }
    let conversation = conversation(message.account_sid.as_str(), &message.to, &message.from);
    let received = MessageReceived {
        from: message.from.clone(),
        text: message.body.clone(),
        media: message.media.iter().map(|(url, kind)| media(url, kind)).collect(),
        channel: super::from_twilio::channel_of(&message.from),
        metadata: MessageMetadata {
            conversation: conversation.clone(),
            message: message.message_sid.as_str().to_owned(),
            participant: None,
            // The platform counts nothing: the time stands for the place.
            index: place(now),
            created: now,
            to: Some(message.to.clone()),
        },
    };
    Envelope::new(message.dedupe_key(), SOURCE, MESSAGE_RECEIVED, conversation, now, &received).map(Some)
}

/// The same of a message that was found in the list. `number` tells it from others of the same second.
pub(crate) fn found(account: &str, message: &ChannelMessage, people: &People, number: u64) -> Option<MessageReceived> {
    let (from, to) = (message.from.as_deref()?, message.to.as_deref()?);
    if !message.is_inbound() || !is_person(people, from, to) {
        return None;
    }
    let created = message.date_sent.or(message.date_created)?;
    Some(MessageReceived {
        from: from.to_owned(),
        text: message.body.clone().unwrap_or_default(),
        // The list tells how many files there are, and not which.
        media: Vec::new(),
        channel: super::from_twilio::channel_of(from),
        metadata: MessageMetadata {
            conversation: conversation(account, to, from),
            message: message.sid.as_str().to_owned(),
            participant: None,
            index: place(created).saturating_add(number),
            created,
            to: Some(to.to_owned()),
        },
    })
}

/// The place of a message that was sent, or came, at this moment.
pub(crate) fn place(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

/// The fact of a status callback; `None` for a status that says nothing of a delivery. `url` is the address that was
/// called.
pub(super) fn told(
    update: &MessageStatusUpdate,
    url: &str,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Option<Envelope>, EnvelopeError> {
    let Some(status) = status(&update.status) else { return Ok(None) };
    let conversation = conversation(update.account_sid.as_str(), &update.from, &update.to);
    let receipt = DeliveryUpdated {
        conversation: conversation.clone(),
        message: update.message_sid.as_str().to_owned(),
        status,
        error: update.error_code,
        participant: None,
        outbox_id: outbox_id(url),
    };
    Envelope::new(update.dedupe_key(token), SOURCE, DELIVERY_UPDATED, conversation, now, &receipt).map(Some)
}

fn status(name: &str) -> Option<DeliveryStatus> {
    Some(match name {
        "accepted" | "scheduled" | "queued" | "sending" => DeliveryStatus::Created,
        "partially_delivered" => DeliveryStatus::Sent,
        "canceled" => DeliveryStatus::Failed,
        other => return DeliveryStatus::from_name(other),
    })
}

/// The address of the status callbacks of a message that is sent for `outbox_id`.
pub(crate) fn status_callback(public_base: &str, outbox_id: &str) -> Option<String> {
    let mut url = Url::parse(&format!("{}{STATUS_PATH}", public_base.trim_end_matches('/'))).ok()?;
    url.query_pairs_mut().append_pair(OUTBOX_PARAMETER, outbox_id);
    Some(url.into())
}

fn outbox_id(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let (_, id) = url.query_pairs().find(|(name, _)| name == OUTBOX_PARAMETER)?;
    (!id.is_empty() && id.len() <= MAX_OUTBOX_ID).then(|| id.into_owned())
}

/// A file is known by its address, where it is fetched.
fn media(url: &str, content_type: &str) -> MediaRef {
    MediaRef { id: url.to_owned(), content_type: content_type.to_owned(), size: 0, filename: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AC: &str = "AC00000000000000000000000000000001";

    #[test]
    fn a_pair_has_one_name_and_the_name_shows_no_number() {
        let name = conversation(AC, "+15550009999", "+15550001111");
        assert_eq!(name, conversation(AC, "+15550009999", "+15550001111"));
        assert!(name.starts_with("pair-") && name.len() == 5 + 32 && !name.contains("555000"), "{name}");
        for (own, person) in [("+15550001111", "+15550009999"), ("+15550009999", "whatsapp:+15550001111")] {
            assert_ne!(name, conversation(AC, own, person));
        }
    }

    #[test]
    fn an_outbox_row_comes_back_by_the_address_that_is_called() {
        let url = status_callback("https://gw.example.com/in/", "a b&c").unwrap();
        assert!(url.starts_with("https://gw.example.com/in/webhooks/twilio/messaging/status?outbox="), "{url}");
        assert_eq!(outbox_id(&url).as_deref(), Some("a b&c"));
        let long = format!("https://h/x?outbox={}", "x".repeat(MAX_OUTBOX_ID + 1));
        for other in ["https://h/x", "https://h/x?outbox=", &long] {
            assert_eq!(outbox_id(other), None, "{other}");
        }
    }

    #[test]
    fn only_telephones_other_than_ours_are_people() {
        let people = People::new("bot", Some("+15550009999".into()), true);
        assert!(is_person(&people, "+15550001111", "+15550009999"));
        assert!(is_person(&people, "whatsapp:+15550001111", "whatsapp:+15550009999"));
        for from in ["+15550009999", "12345", "BRAND", "", "+15550008888"] {
            assert!(!is_person(&people, from, "+15550008888"), "{from}");
        }
    }
}
