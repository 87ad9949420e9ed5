//! The questions that Twilio asks before it acts, one type for each.

use trunkline_proto::webhook::{ConversationsEvent, EventType};

use super::answer::{Changes, ConversationChanges, MessageChanges, NoChanges};
use super::event::payload;

/// A type of question. Sealed: those of this module are all there are.
pub trait Question: private::Sealed + Send + Sync + 'static {
    /// What is to happen.
    type Payload: Send + 'static;
    /// What of it can be changed.
    type Changes: Changes;
    #[doc(hidden)]
    fn event_type(&self) -> EventType;
    #[doc(hidden)]
    fn of(&self, event: &ConversationsEvent) -> Option<Self::Payload>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident($payload:ty, $changes:ty) = $variant:ident,)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;

            impl private::Sealed for $name {}

            impl Question for $name {
                type Payload = $payload;
                type Changes = $changes;

                fn event_type(&self) -> EventType {
                    EventType::$variant
                }

                fn of(&self, event: &ConversationsEvent) -> Option<$payload> {
                    match event {
                        ConversationsEvent::$variant(payload) => Some(payload.clone()),
                        _ => None,
                    }
                }
            }
        )+
    };
}

questions! {
    /// A conversation is to be created. It has no SID yet.
    ConversationAdd(payload::ConversationProposed, ConversationChanges) = OnConversationAdd,
    /// A conversation is to be changed.
    ConversationUpdate(payload::ConversationChanged, ConversationChanges) = OnConversationUpdate,
    /// A conversation is to be deleted.
    ConversationRemove(payload::ConversationChanged, NoChanges) = OnConversationRemove,
    /// A message is to be posted. It has no SID and no index yet.
    MessageAdd(payload::MessageProposed, MessageChanges) = OnMessageAdd,
    /// A message is to be changed.
    MessageUpdate(payload::MessageChanged, MessageChanges) = OnMessageUpdate,
    /// A message is to be deleted.
    MessageRemove(payload::MessageChanged, NoChanges) = OnMessageRemove,
    /// A participant is to join. It has no SID yet.
    ParticipantAdd(payload::ParticipantProposed, NoChanges) = OnParticipantAdd,
    /// A participant is to be changed.
    ParticipantUpdate(payload::ParticipantChanged, NoChanges) = OnParticipantUpdate,
    /// A participant is to be removed.
    ParticipantRemove(payload::ParticipantChanged, NoChanges) = OnParticipantRemove,
    /// A user is to be changed.
    UserUpdate(payload::UserChanged, NoChanges) = OnUserUpdate,
}
