//! Conversations events: their names, who asked for the change, and what is handed to the webhook dispatcher.
//!
//! An [`Event`] is complete when it is made: its parameters and targets are those of the moment of the change.

use serde::{Deserialize, Serialize};
use trunkline_proto::sid::AnySid;

use super::records::Method;

macro_rules! event_types {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// Names of the events of Conversations v1: every pre-event and post-event that can be filtered on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub(crate) enum EventType {
            $(#[serde(rename = $name)] $variant,)+
        }

        impl EventType {
            const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as filters and webhooks write it.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

event_types! {
    ConversationAdd = "onConversationAdd",
    ConversationAdded = "onConversationAdded",
    ConversationRemove = "onConversationRemove",
    ConversationRemoved = "onConversationRemoved",
    ConversationUpdate = "onConversationUpdate",
    ConversationUpdated = "onConversationUpdated",
    ConversationStateUpdated = "onConversationStateUpdated",
    MessageAdd = "onMessageAdd",
    MessageAdded = "onMessageAdded",
    MessageRemove = "onMessageRemove",
    MessageRemoved = "onMessageRemoved",
    MessageUpdate = "onMessageUpdate",
    MessageUpdated = "onMessageUpdated",
    ParticipantAdd = "onParticipantAdd",
    ParticipantAdded = "onParticipantAdded",
    ParticipantRemove = "onParticipantRemove",
    ParticipantRemoved = "onParticipantRemoved",
    ParticipantUpdate = "onParticipantUpdate",
    ParticipantUpdated = "onParticipantUpdated",
    DeliveryUpdated = "onDeliveryUpdated",
    UserAdded = "onUserAdded",
    UserUpdate = "onUserUpdate",
    UserUpdated = "onUserUpdated",
}

impl EventType {
    /// The event with this name, if there is one. Names are case-sensitive.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// Whether the event asks before a change rather than telling of one.
    pub(crate) fn is_pre(self) -> bool {
        matches!(
            self,
            Self::ConversationAdd
                | Self::ConversationRemove
                | Self::ConversationUpdate
                | Self::MessageAdd
                | Self::MessageRemove
                | Self::MessageUpdate
                | Self::ParticipantAdd
                | Self::ParticipantRemove
                | Self::ParticipantUpdate
                | Self::UserUpdate
        )
    }
}

/// Who caused a change. It decides whether webhooks are sent and what they say of their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A REST call; `webhooks` is its `X-Twilio-Webhook-Enabled` header.
    Rest { webhooks: bool },
    /// A text or a receipt from a channel, by its name in webhooks (`SMS`, `WHATSAPP`).
    Channel(&'static str),
    /// A client with a socket, by the position of its user.
    Sdk { user: u64 },
    /// A timer that ran out.
    Timer,
}

impl Origin {
    pub(crate) fn sends_webhooks(self) -> bool {
        match self {
            Self::Rest { webhooks } => webhooks,
            Self::Channel(_) | Self::Sdk { .. } | Self::Timer => true,
        }
    }

    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Rest { .. } | Self::Timer => "API",
            Self::Channel(name) => name,
            Self::Sdk { .. } => "SDK",
        }
    }
}

/// Parameters of a webhook, in the order in which they are sent.
pub(crate) type Params = Vec<(&'static str, String)>;

/// Where a webhook goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) method: Method,
}

/// Something that happened and that somebody wants to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Its name where faults are matched and webhooks are noted: that of an [`EventType`], or another.
    pub(crate) kind: &'static str,
    /// What it is about, a conversation, a user or a message: events of one thing are told in their order.
    pub(crate) lane: AnySid,
    pub(crate) targets: Vec<Target>,
    pub(crate) params: Params,
}

/// Something that is about to happen and that somebody may refuse or change.
#[derive(Debug, Clone)]
pub(crate) struct PreEvent {
    pub(crate) kind: EventType,
    pub(crate) targets: Vec<Target>,
    pub(crate) params: Params,
}

/// What an answer to a pre-event changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Amendment {
    pub(crate) friendly_name: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) attributes: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(EventType::ALL.len(), 23);
        for event in EventType::ALL {
            assert_eq!(EventType::parse(event.as_str()), Some(*event));
        }
        assert_eq!(EventType::parse("onmessageadded"), None);
    }

    #[test]
    fn rest_is_silent_unless_it_asks() {
        assert!(!Origin::Rest { webhooks: false }.sends_webhooks());
        assert!(Origin::Rest { webhooks: true }.sends_webhooks());
        assert!(Origin::Channel("SMS").sends_webhooks());
    }
}
