//! What changes in a conversation besides new messages, applied to the store.

use std::time::Duration;

use jiff::Timestamp;
use trunkline_bus::{BusError, Delivery};
use trunkline_core::event::{
    CONVERSATION_UPDATED, ConversationChanged, ConversationUpdated, MESSAGE_REMOVED, MESSAGE_UPDATED, MessageRemoved,
    MessageUpdated, PARTICIPANT_ADDED, PARTICIPANT_REMOVED, PARTICIPANT_UPDATED, ParticipantChanged,
};
use trunkline_core::{EnvelopeError, Pii};
use trunkline_store::{NewInbound, Presence, StoreError};

use super::Context;
use super::ingress::{bury, later};

/// A change may be faster than the message that it is of: how often and how long to wait for that.
const TRIES: u32 = 6;
const WAIT: Duration = Duration::from_millis(500);

/// Whether an envelope of this type tells of a change.
pub(super) fn is_change(kind: &str) -> bool {
    presence(kind).is_some() || matches!(kind, MESSAGE_UPDATED | MESSAGE_REMOVED | CONVERSATION_UPDATED)
}

fn presence(kind: &str) -> Option<Presence> {
    match kind {
        PARTICIPANT_ADDED => Some(Presence::Added),
        PARTICIPANT_UPDATED => Some(Presence::Updated),
        PARTICIPANT_REMOVED => Some(Presence::Removed),
        _ => None,
    }
}

/// Notes the name and the attributes that a new conversation has from the beginning; any that are told later are newer.
pub(super) async fn first_name(context: &Context, connector: &str, told: &ConversationChanged) -> Option<StoreError> {
    if told.friendly_name.is_none() && told.attributes.is_none() {
        return None;
    }
    match context.store.is_erased(connector, &told.conversation, Timestamp::UNIX_EPOCH).await {
        Ok(false) => {}
        Ok(true) => return None,
        Err(error) => return Some(error),
    }
    let first = ConversationUpdated {
        conversation: told.conversation.clone(),
        friendly_name: told.friendly_name.clone(),
        unique_name: None,
        attributes: told.attributes.clone(),
        changed: Timestamp::UNIX_EPOCH,
    };
    context.store.name_conversation(connector, &first).await.err()
}

/// A number that is pointed at us although its messages go into conversations: each text comes twice, as two different
/// messages, and is answered where the conversation is.
pub(super) async fn beside_conversations(context: &Context, inbound: &mut NewInbound) -> Result<(), StoreError> {
    let Some(own) = inbound.to.as_deref().filter(|_| inbound.to_be_answered) else { return Ok(()) };
    let address = inbound.from.to_wire();
    if context.store.is_bound_elsewhere(&inbound.connector, &address, own, inbound.created_at).await? {
        tracing::warn!("a text came by a number that also has conversations; it is answered there and not here");
        inbound.to_be_answered = false;
    }
    Ok(())
}

/// What a change came to.
enum Applied {
    /// It is in the store; this conversation looks different now, if it is one of ours.
    Done(Option<String>),
    /// The message that it is of is not recorded.
    TooEarly,
}

/// Why a change could not be applied.
enum Trouble {
    Data(EnvelopeError),
    Store(StoreError),
}

/// Applies a change and settles its delivery.
pub(super) async fn settle(context: &Context, delivery: Delivery) -> Result<(), BusError> {
    match apply(context, &delivery).await {
        Ok(Applied::Done(changed)) => {
            if let Some(conversation_id) = changed {
                context.live.changed(&conversation_id);
            }
            delivery.ack().await
        }
        Ok(Applied::TooEarly) if delivery.attempt < TRIES => delivery.nak(WAIT).await,
        // Nobody of ours has heard of that message: it was written before our time.
        Ok(Applied::TooEarly) => delivery.ack().await,
        Err(Trouble::Store(error)) => later(delivery, &error).await,
        Err(Trouble::Data(error)) => bury(context, delivery, error.code(), "the data is not such a change").await,
    }
}

async fn apply(context: &Context, delivery: &Delivery) -> Result<Applied, Trouble> {
    let envelope = &delivery.envelope;
    let (connector, store) = (envelope.source.as_str(), &context.store);
    if let Some(presence) = presence(&envelope.kind) {
        let told: ParticipantChanged = envelope.data().map_err(Trouble::Data)?;
        if store.is_erased(connector, &told.conversation, told.changed).await.map_err(Trouble::Store)? {
            return Ok(Applied::Done(None));
        }
        let noted = store.note_participant(connector, presence, &told).await.map_err(Trouble::Store)?;
        return Ok(Applied::Done(noted));
    }
    match envelope.kind.as_str() {
        MESSAGE_UPDATED => {
            let told: MessageUpdated = envelope.data().map_err(Trouble::Data)?;
            let text = Pii::new(told.text);
            let edited = store.edit_message(connector, &told.conversation, &told.message, &text, told.changed).await;
            Ok(edited.map_err(Trouble::Store)?.map_or(Applied::TooEarly, |id| Applied::Done(Some(id))))
        }
        MESSAGE_REMOVED => {
            let told: MessageRemoved = envelope.data().map_err(Trouble::Data)?;
            let removed = store.remove_message(connector, &told.conversation, &told.message, told.removed).await;
            let removed = removed.map_err(Trouble::Store)?;
            if removed.as_ref().is_some_and(|removed| removed.others_wait) {
                context.missed.wake();
            }
            Ok(Applied::Done(removed.map(|removed| removed.conversation_id)))
        }
        _ => {
            let told: ConversationUpdated = envelope.data().map_err(Trouble::Data)?;
            if store.is_erased(connector, &told.conversation, told.changed).await.map_err(Trouble::Store)? {
                return Ok(Applied::Done(None));
            }
            Ok(Applied::Done(store.name_conversation(connector, &told).await.map_err(Trouble::Store)?))
        }
    }
}
