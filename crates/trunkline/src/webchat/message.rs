//! A line of the chat log as the rest of the gateway knows it: the same fact by whichever way it is seen.

use trunkline_core::event::{MESSAGE_RECEIVED, MessageMetadata, MessageReceived};
use trunkline_core::{Channel, Envelope, EnvelopeError};
use trunkline_store::{ChatLine, ChatSide};

/// The connector's name in envelopes.
pub(crate) const SOURCE: &str = "webchat";
/// What conversations begin with, before 32 random hexadecimal digits.
const PREFIX: &str = "chat-";
/// Digits of a conversation that name its visitor.
const VISITOR_DIGITS: usize = 16;

/// A name for a new conversation.
pub(super) fn new_conversation() -> String {
    format!("{PREFIX}{:032x}", rand::random::<u128>())
}

/// The connector's name for a message.
pub(crate) fn message_id(conversation: &str, index: u64) -> String {
    format!("{conversation}/{index}")
}

/// The fact that a visitor wrote `line`; `None` if it is ours.
pub(crate) fn received(conversation: &str, line: &ChatLine) -> Option<MessageReceived> {
    if !matches!(line.side, ChatSide::Visitor { .. }) {
        return None;
    }
    Some(MessageReceived {
        from: visitor(conversation),
        text: line.text.expose().clone(),
        media: Vec::new(),
        channel: Channel::Chat,
        metadata: MessageMetadata {
            conversation: conversation.to_owned(),
            message: message_id(conversation, line.index),
            participant: None,
            index: line.index,
            created: line.at,
            to: None,
        },
    })
}

/// The envelope of a line that a visitor wrote under `client_id`: repeated, it is the same.
pub(super) fn envelope(conversation: &str, client_id: &str, line: &ChatLine) -> Result<Envelope, EnvelopeError> {
    let id = format!("{conversation}:{client_id}");
    Envelope::new(id, SOURCE, MESSAGE_RECEIVED, conversation, line.at, &received(conversation, line))
}

/// The visitor's address: a chat identity that nobody else has.
fn visitor(conversation: &str) -> String {
    let digits: String = conversation.trim_start_matches(PREFIX).chars().take(VISITOR_DIGITS).collect();
    format!("visitor-{digits}")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use trunkline_core::{ContactAddress, Pii};

    use super::*;

    #[test]
    fn a_line_of_a_visitor_is_a_fact_and_one_of_ours_is_not() {
        let conversation = new_conversation();
        assert_ne!(conversation, new_conversation());
        let line = |side| ChatLine { index: 3, side, text: Pii::new("hi".into()), at: Timestamp::UNIX_EPOCH };
        let theirs = line(ChatSide::Visitor { client_id: "m1".into() });
        let fact = received(&conversation, &theirs).unwrap();
        assert_eq!(ContactAddress::parse(&fact.from).unwrap().channel(), Channel::Chat);
        assert_eq!((fact.metadata.index, fact.metadata.message), (3, format!("{conversation}/3")));
        let envelope = envelope(&conversation, "m1", &theirs).unwrap();
        assert_eq!(envelope.id, format!("{conversation}:m1"));
        assert_eq!(envelope.data::<MessageReceived>().unwrap().text, "hi");
        assert!(received(&conversation, &line(ChatSide::Agent { outbox_id: "o".into() })).is_none());
    }
}
