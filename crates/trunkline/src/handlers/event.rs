//! The events that handlers can be told of, one type for each.

pub use trunkline_proto::messaging::{InboundMessage, MessageStatusUpdate};
use trunkline_proto::webhook::ConversationsEvent;
/// What events of Conversations carry.
pub mod payload {
    pub use trunkline_proto::webhook::{
        Binding, ConversationChanged, ConversationCreated, ConversationProposed, DeliveryUpdated, MessageAdded,
        MessageChanged, MessageProposed, ParticipantChanged, ParticipantProposed, StateUpdated, UserChanged,
    };
}

/// Something that a webhook told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Happened {
    /// An event of Conversations.
    Conversations(Box<ConversationsEvent>),
    /// A message came to a number without Conversations.
    Message(Box<InboundMessage>),
    /// What became of a message that went out from a number without Conversations.
    MessageStatus(Box<MessageStatusUpdate>),
}

/// A type of event. Sealed: those of this module are all there are.
pub trait Event: private::Sealed + Send + Sync + 'static {
    /// What an event of this type carries.
    type Payload: Send + 'static;
    /// Its name in metrics and logs: that of Twilio, where there is one.
    const NAME: &'static str;
    #[doc(hidden)]
    fn of(&self, happened: &Happened) -> Option<Self::Payload>;
}

mod private {
    pub trait Sealed {}
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($payload:ty) = $variant:ident,)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $name;

            impl private::Sealed for $name {}

            impl Event for $name {
                type Payload = $payload;
                const NAME: &'static str = stringify!($variant);

                fn of(&self, happened: &Happened) -> Option<$payload> {
                    let Happened::Conversations(event) = happened else { return None };
                    match &**event {
                        ConversationsEvent::$variant(payload) => Some(payload.clone()),
                        _ => None,
                    }
                }
            }
        )+
    };
}

events! {
    /// A conversation was created.
    ConversationAdded(payload::ConversationCreated) = OnConversationAdded,
    /// A conversation was changed.
    ConversationUpdated(payload::ConversationChanged) = OnConversationUpdated,
    /// A conversation was deleted.
    ConversationRemoved(payload::ConversationChanged) = OnConversationRemoved,
    /// A conversation's state changed.
    ConversationStateUpdated(payload::StateUpdated) = OnConversationStateUpdated,
    /// A message was posted, also one of ours.
    MessageAdded(payload::MessageAdded) = OnMessageAdded,
    /// A message was changed.
    MessageUpdated(payload::MessageChanged) = OnMessageUpdated,
    /// A message was deleted.
    MessageRemoved(payload::MessageChanged) = OnMessageRemoved,
    /// A participant joined.
    ParticipantAdded(payload::ParticipantChanged) = OnParticipantAdded,
    /// A participant was changed.
    ParticipantUpdated(payload::ParticipantChanged) = OnParticipantUpdated,
    /// A participant left or was removed.
    ParticipantRemoved(payload::ParticipantChanged) = OnParticipantRemoved,
    /// What became of a message to one recipient changed.
    DeliveryUpdated(payload::DeliveryUpdated) = OnDeliveryUpdated,
    /// A user was created.
    UserAdded(payload::UserChanged) = OnUserAdded,
    /// A user was changed.
    UserUpdated(payload::UserChanged) = OnUserUpdated,
}

/// A message came to a number without Conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageReceived;

impl private::Sealed for MessageReceived {}

impl Event for MessageReceived {
    type Payload = InboundMessage;
    const NAME: &'static str = "MessageReceived";

    fn of(&self, happened: &Happened) -> Option<InboundMessage> {
        if let Happened::Message(message) = happened { Some((**message).clone()) } else { None }
    }
}

/// What became of a message that went out from a number without Conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageStatus;

impl private::Sealed for MessageStatus {}

impl Event for MessageStatus {
    type Payload = MessageStatusUpdate;
    const NAME: &'static str = "MessageStatus";

    fn of(&self, happened: &Happened) -> Option<MessageStatusUpdate> {
        if let Happened::MessageStatus(update) = happened { Some((**update).clone()) } else { None }
    }
}

/// Everything that a webhook tells, questions aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anything;

impl private::Sealed for Anything {}

impl Event for Anything {
    type Payload = Happened;
    const NAME: &'static str = "Anything";

    fn of(&self, happened: &Happened) -> Option<Happened> {
        Some(happened.clone())
    }
}
