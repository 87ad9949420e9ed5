//! From Twilio's resources and events to the contract's types.

use trunkline_core::messaging::{
    Binding, Conversation, ConversationId, ConversationState, DeliveryStatus, MediaRef, Message, MessageId,
    Participant, ParticipantId, SentMessage,
};
use trunkline_core::{Channel, Pii};
use trunkline_proto::rest::{self, BindingType, Delivery, DeliveryAmount, MessageMedia};
use trunkline_proto::sid::ConversationSid;
use trunkline_proto::webhook::MessageAdded;

pub(super) fn conversation_id(sid: ConversationSid) -> ConversationId {
    ConversationId::new(sid.as_str())
}

pub(super) fn conversation(from: rest::Conversation) -> Conversation {
    let mut conversation = Conversation::new(conversation_id(from.sid), state_from_rest(&from.state));
    conversation.friendly_name = from.friendly_name;
    conversation.unique_name = from.unique_name;
    conversation.attributes = from.attributes;
    conversation.created_at = from.date_created;
    conversation.updated_at = from.date_updated;
    conversation
}

/// A state that Twilio may add is taken as active: it is not known to be over.
fn state_from_rest(state: &rest::ConversationState) -> ConversationState {
    match state {
        rest::ConversationState::Initializing => ConversationState::Initializing,
        rest::ConversationState::Inactive => ConversationState::Inactive,
        rest::ConversationState::Closed => ConversationState::Closed,
        _ => ConversationState::Active,
    }
}

pub(super) fn state_to_rest(state: ConversationState) -> rest::ConversationState {
    rest::ConversationState::from(state.as_str())
}

pub(super) fn sent(from: &rest::Message) -> SentMessage {
    SentMessage { id: MessageId::new(from.sid.as_str()), index: from.index, created_at: from.date_created }
}

/// A message that was read back, as the contract's type.
pub fn message_from_rest(from: rest::Message) -> Message {
    let mut message = Message::new(
        MessageId::new(from.sid.as_str()),
        conversation_id(from.conversation_sid),
        from.index,
        from.author.unwrap_or_default(),
        from.body.unwrap_or_default(),
    );
    message.participant = from.participant_sid.map(|sid| ParticipantId::new(sid.as_str()));
    message.media = media(from.media.unwrap_or_default());
    message.attributes = from.attributes;
    message.status = from.delivery.as_ref().map_or(DeliveryStatus::Created, status);
    message.created_at = from.date_created;
    message
}

pub(super) fn message_from_event(from: MessageAdded) -> Message {
    let mut message = Message::new(
        MessageId::new(from.message_sid.as_str()),
        conversation_id(from.conversation_sid),
        from.index,
        from.author,
        from.body,
    );
    message.participant = from.participant_sid.map(|sid| ParticipantId::new(sid.as_str()));
    message.media = media(from.media);
    message.attributes = from.attributes.unwrap_or(message.attributes);
    message.created_at = from.date_created;
    message
}

fn media(from: Vec<MessageMedia>) -> Vec<MediaRef> {
    let one = |file: MessageMedia| MediaRef {
        id: file.sid.to_string(),
        content_type: file.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: file.size.unwrap_or_default(),
        filename: file.filename,
    };
    from.into_iter().map(one).collect()
}

/// How far the message has come for the recipient for whom it has come farthest.
fn status(delivery: &Delivery) -> DeliveryStatus {
    let reached = [
        (&delivery.read, DeliveryStatus::Read),
        (&delivery.delivered, DeliveryStatus::Delivered),
        (&delivery.failed, DeliveryStatus::Failed),
        (&delivery.undelivered, DeliveryStatus::Undelivered),
        (&delivery.sent, DeliveryStatus::Sent),
    ];
    let is_for_someone = |amount: &DeliveryAmount| matches!(amount, DeliveryAmount::All | DeliveryAmount::Some);
    let farthest = reached.into_iter().find(|(amount, _)| is_for_someone(amount));
    farthest.map_or(DeliveryStatus::Created, |(_, status)| status)
}

pub(super) fn participant(from: rest::Participant) -> Participant {
    let mut participant =
        Participant::new(ParticipantId::new(from.sid.as_str()), conversation_id(from.conversation_sid));
    participant.identity = from.identity;
    participant.binding = from.messaging_binding.and_then(binding);
    participant.role = from.role_sid.map(|sid| sid.to_string());
    participant.attributes = from.attributes;
    participant
}

/// A binding on a channel that the contract knows, with a person at its end.
fn binding(from: rest::MessagingBinding) -> Option<Binding> {
    let channel = match from.kind {
        BindingType::Sms => Channel::Sms,
        BindingType::WhatsApp => Channel::Whatsapp,
        BindingType::Email => Channel::Email,
        BindingType::Chat => Channel::Chat,
        _ => return None,
    };
    Some(Binding { channel, address: Pii::new(from.address?), proxy_address: from.proxy_address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(read: &str, delivered: &str, sent: &str) -> Delivery {
        let none = || DeliveryAmount::None;
        let [read, delivered, sent] = [read, delivered, sent].map(DeliveryAmount::from);
        Delivery { total: 2, sent, delivered, read, failed: none(), undelivered: none() }
    }

    #[test]
    fn the_farthest_recipient_counts() {
        assert_eq!(status(&delivery("none", "none", "none")), DeliveryStatus::Created);
        assert_eq!(status(&delivery("none", "none", "some")), DeliveryStatus::Sent);
        assert_eq!(status(&delivery("none", "some", "all")), DeliveryStatus::Delivered);
        assert_eq!(status(&delivery("some", "all", "all")), DeliveryStatus::Read);
    }

    #[test]
    fn states_survive_the_way_there_and_back() {
        use ConversationState as State;
        for state in [State::Initializing, State::Active, State::Inactive, State::Closed] {
            assert_eq!(state_from_rest(&state_to_rest(state)), state);
        }
        assert_eq!(state_from_rest(&rest::ConversationState::from("napping")), State::Active);
    }
}
