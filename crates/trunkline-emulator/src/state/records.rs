//! What the emulator keeps, one plain struct per resource. The store writes these as they are.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trunkline_proto::sid::{
    AddressSid, AnySid, ChannelMessageSid, ContentSid, ConversationSid, MediaSid, MessageSid, ParticipantSid,
    ReceiptSid, RoleSid, ServiceSid, UserSid, WebhookSid,
};

use super::events::EventType;
use super::sync::{ConversationLog, Log, Removals, Removed};

/// `initializing` is left out: nothing here starts a group MMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ConversationState {
    Active,
    Inactive,
    Closed,
}

impl ConversationState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Closed].into_iter().find(|state| text.eq_ignore_ascii_case(state.as_str()))
    }
}

/// Timers of a conversation, in seconds since the last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timers {
    pub(crate) inactive_seconds: Option<u32>,
    pub(crate) closed_seconds: Option<u32>,
}

/// Who writes in a conversation by e-mail. It is kept and shown; nothing here sends e-mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EmailBinding {
    pub(crate) address: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConversationRecord {
    pub(crate) sid: ConversationSid,
    #[serde(default = "super::services::not_said")]
    pub(crate) service_sid: ServiceSid,
    /// Place in the order of creation.
    pub(crate) position: u64,
    pub(crate) friendly_name: Option<String>,
    pub(crate) unique_name: Option<String>,
    pub(crate) attributes: String,
    pub(crate) messaging_service_sid: Option<String>,
    pub(crate) state: ConversationState,
    pub(crate) timers: Timers,
    /// What the timers count from, if a timer made the last change: they go on as if it had made none.
    #[serde(default)]
    pub(crate) timers_from: Option<Timestamp>,
    #[serde(default)]
    pub(crate) email: EmailBinding,
    /// Who created it: an identity, or nobody by name (REST, a text).
    #[serde(default)]
    pub(crate) created_by: Option<String>,
    #[serde(default)]
    pub(crate) log: ConversationLog,
    /// Index of the next message.
    pub(crate) next_index: u64,
    /// Position of the next participant or webhook.
    pub(crate) next_position: u64,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// A conversation and all that is in it.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) record: ConversationRecord,
    pub(crate) participants: BTreeMap<u64, Participant>,
    pub(crate) messages: BTreeMap<u64, Message>,
    pub(crate) webhooks: BTreeMap<u64, ScopedWebhook>,
    /// Where a message is in `messages`.
    pub(crate) message_indexes: HashMap<MessageSid, u64>,
    pub(crate) removed: Removed,
}

impl Conversation {
    pub(crate) fn new(record: ConversationRecord) -> Self {
        Self {
            record,
            participants: BTreeMap::new(),
            messages: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            message_indexes: HashMap::new(),
            removed: Removed::default(),
        }
    }

    pub(crate) fn message(&self, sid: MessageSid) -> Option<&Message> {
        self.messages.get(self.message_indexes.get(&sid)?)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Participant {
    pub(crate) sid: ParticipantSid,
    pub(crate) conversation_sid: ConversationSid,
    pub(crate) position: u64,
    pub(crate) identity: Option<String>,
    pub(crate) binding: Option<Binding>,
    /// One of the account's numbers that stands for a person with an identity. It is kept and shown.
    #[serde(default)]
    pub(crate) projected_address: Option<String>,
    pub(crate) role_sid: RoleSid,
    pub(crate) attributes: String,
    pub(crate) last_read_message_index: Option<u64>,
    pub(crate) last_read_timestamp: Option<String>,
    /// The person wants no notifications of this conversation.
    #[serde(default)]
    pub(crate) muted: bool,
    /// The roster item.
    #[serde(default)]
    pub(crate) log: Log,
    /// The item among the person's own conversations.
    #[serde(default)]
    pub(crate) own_log: Log,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

impl Participant {
    /// `default` or `muted`.
    pub(crate) fn notification_level(&self) -> &'static str {
        if self.muted { "muted" } else { "default" }
    }

    /// Whether messages with this author are from this participant.
    pub(crate) fn is_author(&self, author: &str) -> bool {
        self.identity.as_deref() == Some(author)
            || self.binding.as_ref().is_some_and(|binding| binding.address == author)
    }
}

/// A user of the chat service: everybody who has an identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) sid: UserSid,
    #[serde(default = "super::services::not_said")]
    pub(crate) service_sid: ServiceSid,
    /// Place in the order of creation.
    pub(crate) position: u64,
    pub(crate) identity: String,
    pub(crate) friendly_name: Option<String>,
    pub(crate) attributes: String,
    pub(crate) role_sid: RoleSid,
    /// The item `friendlyName` of the user's information.
    pub(crate) name_log: Log,
    /// The item `attributes` of the user's information.
    pub(crate) attributes_log: Log,
    /// The last event among the user's conversations.
    pub(crate) conversations_event: u64,
    /// Conversations that the user is not in any more.
    pub(crate) left: Removals<ConversationSid>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// Ties a person's address to one of the account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Binding {
    /// `sms` or `whatsapp`.
    pub(crate) channel: String,
    pub(crate) address: String,
    /// Empty after somebody took it away: nothing goes out to the person.
    pub(crate) proxy_address: String,
}

impl Binding {
    pub(crate) fn is_whole(&self) -> bool {
        !self.proxy_address.is_empty()
    }

    pub(crate) fn pair(&self) -> (String, String) {
        (self.address.clone(), self.proxy_address.clone())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) sid: MessageSid,
    pub(crate) conversation_sid: ConversationSid,
    pub(crate) index: u64,
    pub(crate) author: String,
    pub(crate) body: Option<String>,
    pub(crate) media: Vec<MediaRef>,
    #[serde(default)]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) content_sid: Option<ContentSid>,
    pub(crate) attributes: String,
    pub(crate) participant_sid: Option<ParticipantSid>,
    /// One per participant that the message went out to.
    pub(crate) receipts: BTreeMap<u64, Receipt>,
    #[serde(default)]
    pub(crate) log: Log,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

impl Message {
    /// The receipts in short; nothing for a message that went out to nobody. What was delivered was also sent.
    pub(crate) fn delivery(&self) -> Option<Value> {
        let total = self.receipts.len();
        let reached = |status: DeliveryStatus| {
            let count = self.receipts.values().filter(|receipt| receipt.status.counts_as(status)).count();
            match count {
                0 => "none",
                count if count == total => "all",
                _ => "some",
            }
        };
        (total > 0).then(|| {
            json!({
                "total": total,
                "sent": reached(DeliveryStatus::Sent),
                "delivered": reached(DeliveryStatus::Delivered),
                "read": reached(DeliveryStatus::Read),
                "failed": reached(DeliveryStatus::Failed),
                "undelivered": reached(DeliveryStatus::Undelivered),
            })
        })
    }
}

/// A file as a message names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MediaRef {
    pub(crate) sid: MediaSid,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: String,
    pub(crate) size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryStatus {
    Sent,
    Delivered,
    Read,
    /// Sent, and not delivered.
    Undelivered,
    /// Not sent.
    Failed,
}

impl DeliveryStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
        }
    }

    /// Whether it may turn into another: ways only lead forward.
    pub(crate) fn can_become(self, next: Self) -> bool {
        match self {
            Self::Sent => next != Self::Sent,
            Self::Delivered => next == Self::Read,
            Self::Read | Self::Undelivered | Self::Failed => false,
        }
    }

    /// Whether a message with this status has been through another one.
    fn counts_as(self, other: Self) -> bool {
        match other {
            Self::Sent => self != Self::Failed,
            Self::Delivered => matches!(self, Self::Delivered | Self::Read),
            Self::Read | Self::Undelivered | Self::Failed => self == other,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) sid: ReceiptSid,
    pub(crate) channel_message_sid: ChannelMessageSid,
    pub(crate) participant_sid: ParticipantSid,
    pub(crate) status: DeliveryStatus,
    #[serde(default)]
    pub(crate) error_code: u32,
    /// The entry at the phone that received it.
    pub(crate) phone_entry: u64,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

/// What a conversation's webhook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "lowercase")]
pub(crate) enum ScopedTarget {
    Webhook { url: String, method: Method, filters: Vec<EventType> },
    Trigger { url: String, method: Method, triggers: Vec<String> },
    Studio { flow_sid: String },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ScopedWebhook {
    pub(crate) sid: WebhookSid,
    pub(crate) conversation_sid: ConversationSid,
    pub(crate) position: u64,
    pub(crate) target: ScopedTarget,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Method {
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "POST")]
    Post,
}

impl Method {
    /// What is meant where nobody says.
    pub(crate) fn post() -> Self {
        Self::Post
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("get") {
            Some(Self::Get)
        } else if text.eq_ignore_ascii_case("post") {
            Some(Self::Post)
        } else {
            None
        }
    }

    pub(crate) fn upper(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    pub(crate) fn lower(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// Webhooks of the account or of its service. `None` is what Twilio shows before anything was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebhookConfig {
    pub(crate) pre_webhook_url: Option<String>,
    pub(crate) post_webhook_url: Option<String>,
    pub(crate) method: Option<Method>,
    pub(crate) filters: Option<Vec<EventType>>,
    /// `flex` instead of `webhook`. Kept and shown; it changes nothing here.
    pub(crate) flex: bool,
}

/// Defaults of the account for new conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Configuration {
    /// The account's own service if unset.
    #[serde(default)]
    pub(crate) default_chat_service_sid: Option<ServiceSid>,
    pub(crate) default_messaging_service_sid: Option<String>,
    pub(crate) default_inactive_timer: Option<String>,
    pub(crate) default_closed_timer: Option<String>,
    pub(crate) webhooks: WebhookConfig,
    /// Of the account's own service, in files of before services had records of their own.
    #[serde(default, skip_serializing)]
    pub(crate) service_webhooks: WebhookConfig,
    /// Likewise.
    #[serde(default, skip_serializing)]
    pub(crate) reachability_enabled: bool,
}

/// What happens to a text that belongs to no conversation yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AutoCreation {
    pub(crate) enabled: bool,
    pub(crate) kind: AutoCreationKind,
    /// Where conversations are made; the default service if unset.
    #[serde(default)]
    pub(crate) service_sid: Option<ServiceSid>,
    pub(crate) webhook_url: Option<String>,
    pub(crate) webhook_method: Option<Method>,
    pub(crate) webhook_filters: Vec<EventType>,
    pub(crate) studio_flow_sid: Option<String>,
    pub(crate) studio_retry_count: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AutoCreationKind {
    Webhook,
    Studio,
    Default,
}

impl AutoCreationKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Studio => "studio",
            Self::Default => "default",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Webhook, Self::Studio, Self::Default].into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str()))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AddressConfiguration {
    pub(crate) sid: AddressSid,
    pub(crate) position: u64,
    /// As it was given: Twilio keeps the caller's capitals.
    pub(crate) kind: String,
    pub(crate) address: String,
    pub(crate) friendly_name: Option<String>,
    pub(crate) address_country: Option<String>,
    pub(crate) auto_creation: AutoCreation,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// From the person at this phone.
    Sent,
    /// To the person at this phone.
    Received,
}

/// One line on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PhoneMessage {
    pub(crate) direction: Direction,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) body: Option<String>,
    pub(crate) media: Vec<MediaRef>,
    pub(crate) status: DeliveryStatus,
    /// Twilio's, of what was not delivered.
    #[serde(default)]
    pub(crate) error_code: Option<u32>,
    /// Nothing for messages that are in none.
    pub(crate) conversation_sid: Option<ConversationSid>,
    /// `IM…` in a conversation, else `SM…` or `MM…`.
    pub(crate) message_sid: AnySid,
    pub(crate) at: Timestamp,
}

/// A stored phone line: which phone, and its place among all lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PhoneEntry {
    pub(crate) phone: String,
    pub(crate) position: u64,
    pub(crate) message: PhoneMessage,
}

/// A file of the media service, without its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MediaRecord {
    pub(crate) sid: MediaSid,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: String,
    pub(crate) size: u64,
    pub(crate) author: Option<String>,
    pub(crate) message_sid: Option<MessageSid>,
    pub(crate) conversation_sid: Option<ConversationSid>,
    pub(crate) date_created: Timestamp,
    pub(crate) date_updated: Timestamp,
}

impl MediaRecord {
    pub(crate) fn reference(&self) -> MediaRef {
        MediaRef {
            sid: self.sid,
            filename: self.filename.clone(),
            content_type: self.content_type.clone(),
            size: self.size,
        }
    }
}
