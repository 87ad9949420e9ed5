//! Asking for the changes of objects: `POST /v4/Subscriptions`.

use serde::{Deserialize, Serialize};

use super::ObjectKind;

/// The version of this exchange.
pub const EVENT_PROTOCOL_VERSION: u32 = 4;

/// How many requests a batch may have, until the server says otherwise.
pub const MAX_BATCH_SIZE: usize = 100;

/// Several requests at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionBatch {
    /// [`EVENT_PROTOCOL_VERSION`].
    pub event_protocol_version: u32,
    /// What is asked for.
    pub action: Action,
    /// The time in milliseconds since 1970; what comes of the batch carries the same.
    pub correlation_id: u64,
    /// How many of the requests are repeated.
    #[serde(default)]
    pub retried_requests: usize,
    /// For how long, in seconds; -1 leaves it to the server.
    #[serde(default = "as_the_server_likes")]
    pub ttl_in_s: i64,
    /// The requests.
    pub requests: Vec<SubscriptionRequest>,
    /// `ttl` when the time of a subscription is over and it is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn as_the_server_likes() -> i64 {
    -1
}

/// What a batch asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To hear of changes.
    Establish,
    /// To hear of them no longer.
    Cancel,
}

/// One object of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRequest {
    /// Which object.
    pub object_sid: String,
    /// Its kind.
    pub object_type: ObjectKind,
    /// The last event that the client knows: what came later is replayed. Without it the subscription begins now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_id: Option<u64>,
}

/// The answer to a batch. What comes of each request follows as a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionAnswer {
    /// How many requests a batch may have.
    #[serde(default)]
    pub max_batch_size: Option<usize>,
    /// After how many seconds subscriptions have to be renewed; not positive: never.
    #[serde(default)]
    pub ttl_in_s: Option<i64>,
    /// After how many milliseconds without any outcome the client asks again.
    #[serde(default)]
    pub estimated_delivery_in_ms: Option<u64>,
}
