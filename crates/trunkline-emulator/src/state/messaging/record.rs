//! One message as it is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trunkline_proto::sid::{ChannelMessageSid, ContentSid};

use super::super::records::{DeliveryStatus, Direction, MediaRef, PhoneMessage};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MessageDirection {
    Inbound,
    OutboundApi,
    OutboundReply,
}

impl MessageDirection {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundReply => "outbound-reply",
        }
    }
}

/// Those of Twilio's statuses that a message has here; nothing is ever `sending`, `receiving` or partly delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageStatus {
    /// A Messaging Service is to send it.
    Accepted,
    Scheduled,
    Queued,
    Sent,
    Delivered,
    Read,
    Undelivered,
    Failed,
    Received,
    Canceled,
}

impl MessageStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Received => "received",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more is to be done for the message.
    pub(super) fn is_final(self) -> bool {
        !self.is_waiting() && self != Self::Scheduled
    }

    /// Whether the carrier is to have the message next.
    pub(super) fn is_waiting(self) -> bool {
        matches!(self, Self::Accepted | Self::Queued)
    }
}

impl From<DeliveryStatus> for MessageStatus {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Sent => Self::Sent,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Read => Self::Read,
            DeliveryStatus::Undelivered => Self::Undelivered,
            DeliveryStatus::Failed => Self::Failed,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChannelMessage {
    pub(crate) sid: ChannelMessageSid,
    pub(crate) position: u64,
    pub(crate) direction: MessageDirection,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) media: Vec<MediaRef>,
    pub(crate) content_sid: Option<ContentSid>,
    pub(crate) segments: usize,
    pub(crate) status: MessageStatus,
    /// Set before it is sent if it cannot be.
    pub(crate) error_code: Option<u32>,
    pub(crate) status_callback: Option<String>,
    pub(crate) send_at: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) feedback: Option<String>,
    /// Twilio's own words about STOP, START and HELP.
    pub(crate) is_service_text: bool,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
    pub(crate) date_sent: Option<Timestamp>,
}

impl ChannelMessage {
    /// The message on a phone.
    pub(super) fn line(&self, direction: Direction, status: DeliveryStatus) -> PhoneMessage {
        PhoneMessage {
            direction,
            from: self.from.clone(),
            to: self.to.clone(),
            body: self.body.clone(),
            media: self.media.clone(),
            status,
            error_code: self.error_code,
            conversation_sid: None,
            message_sid: self.sid.into(),
            at: self.date_updated,
        }
    }
}
