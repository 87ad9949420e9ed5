//! The events by name, and which payload each carries. Several events carry the same parameters and share a payload.
//!
//! Names in the imperative (`onMessageAdd`) are pre-events: questions that Twilio asks before it acts. Names in the past
//! (`onMessageAdded`) are facts.

use super::WebhookError;
use super::parameters::Parameters;
use super::payload::{
    ConversationChanged, ConversationCreated, ConversationProposed, DeliveryUpdated, MessageAdded, MessageChanged,
    MessageProposed, ParticipantChanged, ParticipantProposed, StateUpdated, UserChanged,
};
use crate::sid::ConversationSid;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// What caused an event.
    Source {
        /// A client of the Conversations SDK.
        Sdk = "SDK",
        /// A REST call.
        Api = "API",
        /// A text from a phone.
        Sms = "SMS",
        /// A WhatsApp message.
        WhatsApp = "WHATSAPP",
    }
}

/// Declares the event types together with what each carries and how that is read.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($payload:ident) = $name:literal,)+) => {
        wire_enum! {
            /// The name of an event.
            EventType { $($(#[$doc])* $variant = $name,)+ }
        }

        /// What happened, or is about to.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum ConversationsEvent {
            $($(#[$doc])* $variant($payload),)+
            /// An event that is not known here; all its parameters are in
            /// [`ConversationsWebhook::unknown`](super::ConversationsWebhook::unknown).
            Unknown(Box<str>),
        }

        impl ConversationsEvent {
            /// The name of this event.
            pub fn event_type(&self) -> EventType {
                match self {
                    $(Self::$variant(_) => EventType::$variant,)+
                    Self::Unknown(name) => EventType::Unknown(name.clone()),
                }
            }

            pub(super) fn parse(event_type: EventType, from: &mut Parameters<'_>) -> Result<Self, WebhookError> {
                Ok(match event_type {
                    $(EventType::$variant => Self::$variant($payload::parse(from)?),)+
                    EventType::Unknown(name) => Self::Unknown(name),
                })
            }
        }
    };
}

events! {
    /// Pre-event: a conversation is to be created. It has no SID yet.
    OnConversationAdd(ConversationProposed) = "onConversationAdd",
    /// A conversation was created.
    OnConversationAdded(ConversationCreated) = "onConversationAdded",
    /// Pre-event: a conversation is to be deleted.
    OnConversationRemove(ConversationChanged) = "onConversationRemove",
    /// A conversation was deleted.
    OnConversationRemoved(ConversationChanged) = "onConversationRemoved",
    /// Pre-event: a conversation is to be changed.
    OnConversationUpdate(ConversationChanged) = "onConversationUpdate",
    /// A conversation was changed.
    OnConversationUpdated(ConversationChanged) = "onConversationUpdated",
    /// A conversation's state changed.
    OnConversationStateUpdated(StateUpdated) = "onConversationStateUpdated",
    /// Pre-event: a message is to be posted. It has no SID and no index yet.
    OnMessageAdd(MessageProposed) = "onMessageAdd",
    /// A message was posted.
    OnMessageAdded(MessageAdded) = "onMessageAdded",
    /// Pre-event: a message is to be deleted.
    OnMessageRemove(MessageChanged) = "onMessageRemove",
    /// A message was deleted.
    OnMessageRemoved(MessageChanged) = "onMessageRemoved",
    /// Pre-event: a message is to be changed.
    OnMessageUpdate(MessageChanged) = "onMessageUpdate",
    /// A message was changed.
    OnMessageUpdated(MessageChanged) = "onMessageUpdated",
    /// Pre-event: a participant is to join. It has no SID yet.
    OnParticipantAdd(ParticipantProposed) = "onParticipantAdd",
    /// A participant joined.
    OnParticipantAdded(ParticipantChanged) = "onParticipantAdded",
    /// Pre-event: a participant is to be removed.
    OnParticipantRemove(ParticipantChanged) = "onParticipantRemove",
    /// A participant left or was removed.
    OnParticipantRemoved(ParticipantChanged) = "onParticipantRemoved",
    /// Pre-event: a participant is to be changed.
    OnParticipantUpdate(ParticipantChanged) = "onParticipantUpdate",
    /// A participant was changed.
    OnParticipantUpdated(ParticipantChanged) = "onParticipantUpdated",
    /// What became of a message to one recipient changed.
    OnDeliveryUpdated(DeliveryUpdated) = "onDeliveryUpdated",
    /// A user was created.
    OnUserAdded(UserChanged) = "onUserAdded",
    /// Pre-event: a user is to be changed.
    OnUserUpdate(UserChanged) = "onUserUpdate",
    /// A user was changed.
    OnUserUpdated(UserChanged) = "onUserUpdated",
}

impl EventType {
    /// Whether this is a question that Twilio asks before it acts, rather than a fact.
    pub fn is_pre_event(&self) -> bool {
        matches!(
            self,
            Self::OnConversationAdd
                | Self::OnConversationRemove
                | Self::OnConversationUpdate
                | Self::OnMessageAdd
                | Self::OnMessageRemove
                | Self::OnMessageUpdate
                | Self::OnParticipantAdd
                | Self::OnParticipantRemove
                | Self::OnParticipantUpdate
                | Self::OnUserUpdate
        )
    }
}

impl ConversationsEvent {
    /// The conversation that this event is about; `None` if it has no SID yet, is not known, or is about a user.
    pub fn conversation_sid(&self) -> Option<ConversationSid> {
        match self {
            Self::OnConversationAdd(_)
            | Self::OnUserAdded(_)
            | Self::OnUserUpdate(_)
            | Self::OnUserUpdated(_)
            | Self::Unknown(_) => None,
            Self::OnConversationAdded(created) => Some(created.conversation_sid),
            Self::OnConversationRemove(changed)
            | Self::OnConversationRemoved(changed)
            | Self::OnConversationUpdate(changed)
            | Self::OnConversationUpdated(changed) => Some(changed.conversation_sid),
            Self::OnConversationStateUpdated(updated) => Some(updated.conversation_sid),
            Self::OnMessageAdd(proposed) => Some(proposed.conversation_sid),
            Self::OnMessageAdded(added) => Some(added.conversation_sid),
            Self::OnMessageRemove(changed)
            | Self::OnMessageRemoved(changed)
            | Self::OnMessageUpdate(changed)
            | Self::OnMessageUpdated(changed) => Some(changed.conversation_sid),
            Self::OnParticipantAdd(proposed) => Some(proposed.conversation_sid),
            Self::OnParticipantAdded(changed)
            | Self::OnParticipantRemove(changed)
            | Self::OnParticipantRemoved(changed)
            | Self::OnParticipantUpdate(changed)
            | Self::OnParticipantUpdated(changed) => Some(changed.conversation_sid),
            Self::OnDeliveryUpdated(updated) => Some(updated.conversation_sid),
        }
    }
}
