//! A participant of a conversation and the channel that binds it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sid::{AccountSid, ConversationSid, ParticipantSid, RoleSid};
use crate::wire_enum::wire_enum;

wire_enum! {
    /// A channel. This API writes it in lower case, webhooks in upper case.
    BindingType {
        /// SMS and MMS.
        Sms = "sms",
        /// WhatsApp; its addresses start with `whatsapp:`.
        WhatsApp = "whatsapp",
        /// Facebook Messenger.
        Messenger = "messenger",
        /// Google Business Messages.
        Gbm = "gbm",
        /// E-mail.
        Email = "email",
        /// RCS; its addresses start with `rcs:`.
        Rcs = "rcs",
        /// Apple Messages for Business.
        Apple = "apple",
        /// The Conversations SDK.
        Chat = "chat",
    }
}

/// A participant, keyed `participants` in lists. It has either an identity or an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its identifier.
    pub sid: ParticipantSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The conversation it takes part in.
    pub conversation_sid: ConversationSid,
    /// The chat user, at most 256 characters; `None` for someone on a channel.
    #[serde(default)]
    pub identity: Option<String>,
    /// JSON as text, `{}` if never set, at most 4 KB.
    #[serde(default = "super::no_attributes", deserialize_with = "super::attributes")]
    pub attributes: String,
    /// How the participant is reached; `None` for a chat user.
    #[serde(default)]
    pub messaging_binding: Option<MessagingBinding>,
    /// What the participant may do.
    #[serde(default)]
    pub role_sid: Option<RoleSid>,
    /// When it joined.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// The index of the last message it read.
    #[serde(default)]
    pub last_read_message_index: Option<u64>,
    /// When it read that; the format is not documented.
    #[serde(default)]
    pub last_read_timestamp: Option<String>,
}

/// The addresses that bind a participant to a channel. What does not apply is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagingBinding {
    /// The channel.
    #[serde(rename = "type")]
    pub kind: BindingType,
    /// The person's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The Twilio address that the person writes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_address: Option<String>,
    /// The Twilio address that a chat user speaks from in Group MMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_address: Option<String>,
}
