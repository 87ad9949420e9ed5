//! Where webhooks go: for the account, for a service, for one conversation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sid::{AccountSid, AnySid, ConversationSid, ServiceSid, WebhookSid};
use crate::wire_enum::wire_enum;

wire_enum! {
    /// Who a webhook is for. `flex` is for accounts only, `trigger` and `studio` for conversations only.
    WebhookTarget {
        /// A URL, on events.
        Webhook = "webhook",
        /// Twilio Flex.
        Flex = "flex",
        /// A URL, on keywords.
        Trigger = "trigger",
        /// A Studio flow.
        Studio = "studio",
    }
}

/// The webhooks of an account, or of a service if `chat_service_sid` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookConfiguration {
    /// The account.
    pub account_sid: AccountSid,
    /// The service; not in the account's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_service_sid: Option<ServiceSid>,
    /// Where pre-events go.
    #[serde(default)]
    pub pre_webhook_url: Option<String>,
    /// Where post-events go.
    #[serde(default)]
    pub post_webhook_url: Option<String>,
    /// `GET` or `POST`.
    #[serde(default)]
    pub method: Option<String>,
    /// The events that are sent, by name.
    #[serde(default)]
    pub filters: Option<Vec<String>>,
    /// Who it is for; only in the account's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<WebhookTarget>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
}

/// A webhook of one conversation, keyed `webhooks` in lists; at most 5 each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopedWebhook {
    /// Its identifier.
    pub sid: WebhookSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The conversation.
    pub conversation_sid: ConversationSid,
    /// What it calls.
    pub target: WebhookTarget,
    /// How it calls; only what fits the target is there.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub configuration: ScopedWebhookConfiguration,
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

/// How a conversation's webhook calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScopedWebhookConfiguration {
    /// The address that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `get` or `post`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Event names, or the keywords of a trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<String>>,
    /// The Studio flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_sid: Option<AnySid>,
    /// The message index after which messages were replayed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_after: Option<u64>,
}
