//! A conversation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Links;
use crate::sid::{AccountSid, ConversationSid, MessagingServiceSid, ServiceSid};
use crate::wire_enum::wire_enum;

wire_enum! {
    /// Where a conversation is in its life.
    ConversationState {
        /// Being set up: several participants at once, or Group MMS.
        Initializing = "initializing",
        /// Quiet for as long as its timer says; a new message makes it active again.
        Inactive = "inactive",
        /// Open, the state after creation.
        Active = "active",
        /// Over for good; its address pairs are free again.
        Closed = "closed",
    }
}

/// A conversation, keyed `conversations` in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its identifier.
    pub sid: ConversationSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The service it belongs to.
    #[serde(default)]
    pub chat_service_sid: Option<ServiceSid>,
    /// The Messaging Service that its SMS go through.
    #[serde(default)]
    pub messaging_service_sid: Option<MessagingServiceSid>,
    /// A name for people, at most 256 characters.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// A name that can stand for the SID in paths.
    #[serde(default)]
    pub unique_name: Option<String>,
    /// JSON as text, `{}` if never set, at most 16 KB.
    #[serde(default = "super::no_attributes", deserialize_with = "super::attributes")]
    pub attributes: String,
    /// Where it is in its life.
    pub state: ConversationState,
    /// When it was created.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// When it will change its state by itself.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub timers: Timers,
    /// E-mail bindings, as Twilio sends them.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub bindings: serde_json::Map<String, serde_json::Value>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// `participants`, `messages`, `webhooks`, `export`.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub links: Links,
}

/// When a conversation will change its state; a timer that does not run is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timers {
    /// When it becomes inactive.
    #[serde(default, with = "super::date", skip_serializing_if = "Option::is_none")]
    pub date_inactive: Option<Timestamp>,
    /// When it becomes closed.
    #[serde(default, with = "super::date", skip_serializing_if = "Option::is_none")]
    pub date_closed: Option<Timestamp>,
}
