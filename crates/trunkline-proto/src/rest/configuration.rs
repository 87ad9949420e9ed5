//! Settings of an account, its services, and how addresses open conversations.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Links;
use crate::rest::BindingType;
use crate::sid::{AccountSid, AddressSid, AnySid, MessagingServiceSid, ServiceSid};

/// The account's defaults for new conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The account.
    pub account_sid: AccountSid,
    /// The service that is meant when a path names none.
    #[serde(default)]
    pub default_chat_service_sid: Option<ServiceSid>,
    /// The Messaging Service that new conversations get.
    #[serde(default)]
    pub default_messaging_service_sid: Option<MessagingServiceSid>,
    /// ISO 8601 duration until a conversation is inactive, at least `PT1M`.
    #[serde(default)]
    pub default_inactive_timer: Option<String>,
    /// ISO 8601 duration until a conversation is closed, at least `PT10M`.
    #[serde(default)]
    pub default_closed_timer: Option<String>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// `service`, `webhooks`.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub links: Links,
}

/// A Conversations service, keyed `services` in lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its identifier.
    pub sid: ServiceSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// A name for people.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// When it was created.
    #[serde(default, with = "super::date")]
    pub date_created: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, with = "super::date")]
    pub date_updated: Option<Timestamp>,
    /// Its absolute address.
    #[serde(default)]
    pub url: Option<String>,
    /// `conversations`, `users`, `roles` and so on.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub links: Links,
}

/// What happens when a person writes to one of the account's addresses, keyed `address_configurations` in lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressConfiguration {
    /// Its identifier.
    pub sid: AddressSid,
    /// The account that owns it.
    pub account_sid: AccountSid,
    /// The channel.
    #[serde(rename = "type")]
    pub kind: BindingType,
    /// The account's address.
    pub address: String,
    /// A name for people.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// What an unbound pair of addresses does.
    #[serde(default)]
    pub auto_creation: Option<AutoCreation>,
    /// ISO country code of the address.
    #[serde(default)]
    pub address_country: Option<String>,
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

/// How a conversation is opened for an unbound pair of addresses. What does not apply is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AutoCreation {
    /// Whether one is opened at all.
    #[serde(default)]
    pub enabled: bool,
    /// `webhook`, `studio` or `default`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The service that the conversation will belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_service_sid: Option<ServiceSid>,
    /// The scoped webhook that the conversation gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    /// Its method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_method: Option<String>,
    /// Its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_filters: Option<Vec<String>>,
    /// The Studio flow that the conversation gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub studio_flow_sid: Option<AnySid>,
    /// How often the flow is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub studio_retry_count: Option<u32>,
}
