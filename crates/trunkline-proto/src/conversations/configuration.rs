//! `GET /Client/v2/Configuration`: where everything of one client is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The path of the configuration.
pub const PATH: &str = "/Client/v2/Configuration";

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Who the client is.
    pub identity: String,
    /// The client's own Sync objects.
    pub sync_objects: SyncObjects,
    /// Where requests go.
    pub links: Links,
    /// Limits and intervals.
    #[serde(default)]
    pub options: Options,
}

/// The Sync objects of one client, by SID or unique name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncObjects {
    /// Friendly name and attributes of the client's own user.
    pub my_user_info: String,
    /// The conversations in which the client takes part.
    pub my_conversations: String,
}

/// Absolute addresses. All but those of media are asked for inside the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// The conversations in which the client takes part, as a REST list.
    pub my_conversations: String,
    /// All conversations of the service.
    pub conversations: String,
    /// All users of the service.
    #[serde(default)]
    pub users: String,
    /// The client's own user.
    #[serde(default)]
    pub current_user: String,
    /// Where typing is told.
    pub typing: String,
    /// Where media are uploaded, by ordinary HTTP.
    #[serde(default)]
    pub media_service: String,
    /// Where several media are looked up at once, by ordinary HTTP.
    #[serde(default)]
    pub media_set_service: String,
    /// Receipts; `%s` stands for the conversation's and the message's SID.
    #[serde(default)]
    pub messages_receipts: String,
    /// Whatever else there is.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// Limits and intervals. Intervals are ISO 8601 durations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether users are told to be online.
    pub reachability_enabled: bool,
    /// How many other users a client follows.
    pub user_infos_to_subscribe: u32,
    /// How long plain reads are kept; clients take a tenth of it.
    pub http_cache_interval: String,
    /// How often a client tells how far it has read.
    pub consumption_report_interval: String,
    /// Media of one message.
    pub media_attachments_count_limit: u32,
    /// Size of one of them, in MB.
    pub media_attachment_size_limit_in_mb: u32,
    /// Size of all of them, in MB.
    pub media_attachments_total_size_limit_in_mb: u32,
    /// Content types of earlier mails.
    pub email_histories_allowed_mime_types: Vec<String>,
    /// Content types of mails.
    pub email_bodies_allowed_mime_types: Vec<String>,
}
