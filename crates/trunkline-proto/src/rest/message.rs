//! A message of a conversation, its media and what became of it on its way.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Links;
use crate::sid::{AccountSid, AnySid, ConversationSid, MediaSid, MessageSid, ParticipantSid, ReceiptSid};
use crate::wire_enum::wire_enum;

/// A message, keyed `messages` in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its identifier.
    pub sid: MessageSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The conversation it was posted to.
    pub conversation_sid: ConversationSid,
    /// Its place in the conversation, from 0; numbers may be skipped.
    pub index: u64,
    /// An address, an identity, or whatever the request said (`system` by default).
    #[serde(default)]
    pub author: Option<String>,
    /// The text; `None` for a message of media alone.
    #[serde(default)]
    pub body: Option<String>,
    /// The attached files; `None` for a text.
    #[serde(default)]
    pub media: Option<Vec<MessageMedia>>,
    /// JSON as text, `{}` if never set, at most 4 KB.
    #[serde(default = "super::no_attributes", deserialize_with = "super::attributes")]
    pub attributes: String,
    /// The participant who wrote it; `None` for `system`.
    #[serde(default)]
    pub participant_sid: Option<ParticipantSid>,
    /// When it was posted.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// What became of it; `None` while nothing went out to a channel.
    #[serde(default)]
    pub delivery: Option<Delivery>,
    /// The content template it was made from.
    #[serde(default)]
    pub content_sid: Option<AnySid>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// `delivery_receipts`, `channel_metadata`.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub links: Links,
}

/// A file attached to a message. Webhooks write the names capitalised, this API in snake case; both are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMedia {
    /// The file in the media service.
    #[serde(alias = "Sid")]
    pub sid: MediaSid,
    /// The name it was uploaded under.
    #[serde(default, alias = "Filename")]
    pub filename: Option<String>,
    /// Its MIME type.
    #[serde(default, alias = "ContentType")]
    pub content_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, alias = "Size")]
    pub size: Option<u64>,
}

wire_enum! {
    /// How many of a message's recipients something is true for.
    DeliveryAmount {
        /// For everyone.
        All = "all",
        /// For at least one.
        Some = "some",
        /// For nobody.
        None = "none",
    }
}

/// A summary of a message's receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The number of recipients on channels.
    pub total: u32,
    /// Handed to the carrier.
    pub sent: DeliveryAmount,
    /// Delivered to the phone.
    pub delivered: DeliveryAmount,
    /// Read by the person.
    pub read: DeliveryAmount,
    /// Not sent.
    pub failed: DeliveryAmount,
    /// Sent but not delivered.
    pub undelivered: DeliveryAmount,
}

wire_enum! {
    /// What became of a message to one recipient.
    DeliveryStatus {
        /// Read by the person.
        Read = "read",
        /// Not sent.
        Failed = "failed",
        /// Delivered to the phone.
        Delivered = "delivered",
        /// Sent but not delivered.
        Undelivered = "undelivered",
        /// Handed to the carrier.
        Sent = "sent",
    }
}

/// A delivery receipt, keyed `delivery_receipts` in lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its identifier.
    pub sid: ReceiptSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The conversation of the message.
    pub conversation_sid: ConversationSid,
    /// The message in the conversation.
    pub message_sid: MessageSid,
    /// The message on the channel; see [`ChannelMessageSid`](crate::sid::ChannelMessageSid).
    #[serde(default)]
    pub channel_message_sid: Option<AnySid>,
    /// The recipient.
    #[serde(default)]
    pub participant_sid: Option<ParticipantSid>,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Twilio's code for a failure, 0 without one.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub error_code: u32,
    /// When it was created.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
}
