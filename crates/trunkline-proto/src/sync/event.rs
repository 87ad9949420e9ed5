//! Changes of objects, and how subscriptions went: the payloads of notifications.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Data, ItemKey, ObjectKind, SyncError};

/// The message type of replayed events and of the outcomes of subscriptions.
pub const SYNC_EVENT: &str = "twilio.sync.event";

/// The most events that one notification may carry.
pub const MAX_EVENTS: usize = 1000;

/// The payload of one notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// That of the batch that it belongs to.
    pub correlation_id: Option<u64>,
    /// What it tells, in order.
    pub told: Vec<Told>,
}

/// One thing that a notification tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Told {
    /// An object changed.
    Event(Event),
    /// Something came of a request to subscribe.
    Outcome(Outcome),
    /// Something that is not known here or that has no meaning for Conversations.
    Other,
}

/// A change of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The object's kind.
    pub kind: ObjectKind,
    /// The object.
    pub object_sid: String,
    /// Greater than that of every earlier event of the object.
    pub id: u64,
    /// When, ISO 8601.
    pub date_created: Option<String>,
    /// The object's revision after it.
    pub revision: Option<String>,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An item is new.
    ItemAdded(ChangedItem),
    /// An item is different.
    ItemUpdated(ChangedItem),
    /// An item is gone.
    ItemRemoved {
        /// Which.
        key: ItemKey,
        /// What it was.
        data: Option<Data>,
    },
    /// The document is now this, as a whole.
    DocumentUpdated {
        /// The new value.
        data: Data,
    },
    /// The object is gone.
    Removed,
}

/// An item after a change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedItem {
    /// Which.
    pub key: ItemKey,
    /// Its address.
    pub url: Option<String>,
    /// Its revision.
    pub revision: Option<String>,
    /// What it is now.
    pub data: Data,
}

/// What came of a request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything up to `last_event_id` was sent before this; what comes is sent as it comes.
    Established {
        /// The object.
        object_sid: String,
        /// Whether the replay is whole.
        replay_status: ReplayStatus,
        /// The last event that the server has sent or that needs no sending.
        last_event_id: u64,
    },
    /// Nothing more is sent of this object.
    Canceled {
        /// The object.
        object_sid: String,
    },
    /// It was not possible. Status 404: the object does not exist any more.
    Failed {
        /// The object.
        object_sid: String,
        /// As in HTTP.
        status: u16,
        /// Twilio's number.
        code: u32,
        /// For people.
        message: String,
    },
}

/// Whether a replay is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayStatus {
    /// Everything was sent.
    Completed,
    /// There is more: the client asks again from where it is.
    Interrupted,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(default)]
    correlation_id: Option<u64>,
    #[serde(default, borrow)]
    event: Option<&'a RawValue>,
    #[serde(default, borrow)]
    events: Option<Vec<&'a RawValue>>,
}

#[derive(Serialize)]
struct Written<'a, T> {
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<u64>,
    event: &'a T,
}

/// The fields of every kind of event; which of them are there depends on the kind.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Fields {
    id: u64,
    date_created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_data: Option<Data>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_data: Option<Data>,
}

#[derive(Serialize, Deserialize)]
struct OutcomeFields {
    object_sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay_status: Option<ReplayStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_event_id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
struct Failure {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
}

impl Notification {
    /// Reads the payload of a notification.
    ///
    /// # Errors
    ///
    /// `proto.sync.invalid`, also for more than [`MAX_EVENTS`] events. An unknown type of event is none.
    pub fn decode(payload: &[u8]) -> Result<Self, SyncError> {
        let envelope: Envelope<'_> =
            serde_json::from_slice(payload).map_err(|_| SyncError { what: "envelope of a notification" })?;
        let several = envelope.events.unwrap_or_default();
        if several.len() > MAX_EVENTS {
            return Err(SyncError { what: "number of events in a notification" });
        }
        let told = envelope.event.into_iter().chain(several).map(|event| Told::decode(&envelope.event_type, event));
        Ok(Self { correlation_id: envelope.correlation_id, told: told.collect::<Result<_, _>>()? })
    }
}

impl Told {
    fn decode(event_type: &str, event: &RawValue) -> Result<Self, SyncError> {
        match event_type {
            "subscription_established" | "subscription_canceled" | "subscription_failed" => {
                Outcome::decode(event_type, event).map(Self::Outcome)
            }
            _ => match kind_of(event_type) {
                Some((kind, what)) => {
                    Event::decode(kind, what, event).map(|event| event.map_or(Self::Other, Self::Event))
                }
                None => Ok(Self::Other),
            },
        }
    }
}

/// The kind of object and what happened to it, from names such as `map_item_added`.
fn kind_of(event_type: &str) -> Option<(ObjectKind, &str)> {
    let (kind, what) = event_type.split_once('_')?;
    let kind = match kind {
        "map" => ObjectKind::Map,
        "list" => ObjectKind::List,
        "document" => ObjectKind::Document,
        _ => return None,
    };
    Some((kind, what))
}

impl Event {
    fn decode(kind: ObjectKind, what: &str, event: &RawValue) -> Result<Option<Self>, SyncError> {
        let invalid = || SyncError { what: "event" };
        let fields: Fields = serde_json::from_str(event.get()).map_err(|_| invalid())?;
        let (object_sid, revision) = match kind {
            ObjectKind::Map => (fields.map_sid, fields.map_revision),
            ObjectKind::List => (fields.list_sid, fields.list_revision),
            ObjectKind::Document => (fields.document_sid, fields.document_revision),
        };
        let key = fields.item_index.map(ItemKey::Index).or_else(|| fields.item_key.map(ItemKey::Key));
        let change = match what {
            "item_added" | "item_updated" => {
                let item = ChangedItem {
                    key: key.ok_or_else(invalid)?,
                    url: fields.item_url,
                    revision: fields.item_revision,
                    data: fields.item_data.ok_or_else(invalid)?,
                };
                if what == "item_added" { Change::ItemAdded(item) } else { Change::ItemUpdated(item) }
            }
            "item_removed" => Change::ItemRemoved { key: key.ok_or_else(invalid)?, data: fields.item_data },
            "updated" => Change::DocumentUpdated { data: fields.document_data.ok_or_else(invalid)? },
            "removed" => Change::Removed,
            _ => return Ok(None),
        };
        let object_sid = object_sid.ok_or_else(invalid)?;
        Ok(Some(Self { kind, object_sid, id: fields.id, date_created: fields.date_created, revision, change }))
    }

    /// The `event_type` of this event.
    pub fn event_type(&self) -> &'static str {
        match (self.kind, &self.change) {
            (ObjectKind::Map, Change::ItemAdded(_)) => "map_item_added",
            (ObjectKind::Map, Change::ItemUpdated(_)) => "map_item_updated",
            (ObjectKind::Map, Change::ItemRemoved { .. }) => "map_item_removed",
            (ObjectKind::Map, Change::Removed) => "map_removed",
            (ObjectKind::List, Change::ItemAdded(_)) => "list_item_added",
            (ObjectKind::List, Change::ItemUpdated(_)) => "list_item_updated",
            (ObjectKind::List, Change::ItemRemoved { .. }) => "list_item_removed",
            (ObjectKind::List, Change::Removed) => "list_removed",
            (ObjectKind::Document, Change::Removed) => "document_removed",
            (_, _) => "document_updated",
        }
    }

    /// Writes the payload of a notification of this event alone; `correlation_id` for a replayed one.
    pub fn encode(&self, correlation_id: Option<u64>) -> Vec<u8> {
        let mut fields = Fields { id: self.id, date_created: self.date_created.clone(), ..Fields::default() };
        let (sid, revision) = match self.kind {
            ObjectKind::Map => (&mut fields.map_sid, &mut fields.map_revision),
            ObjectKind::List => (&mut fields.list_sid, &mut fields.list_revision),
            ObjectKind::Document => (&mut fields.document_sid, &mut fields.document_revision),
        };
        *sid = Some(self.object_sid.clone());
        revision.clone_from(&self.revision);
        match &self.change {
            Change::ItemAdded(item) | Change::ItemUpdated(item) => {
                fields.item_url.clone_from(&item.url);
                fields.item_revision.clone_from(&item.revision);
                fields.item_data = Some(item.data.clone());
                fields.set_key(&item.key);
            }
            Change::ItemRemoved { key, data } => {
                fields.item_data.clone_from(data);
                fields.set_key(key);
            }
            Change::DocumentUpdated { data } => fields.document_data = Some(data.clone()),
            Change::Removed => {}
        }
        written(self.event_type(), correlation_id, &fields)
    }
}

impl Fields {
    fn set_key(&mut self, key: &ItemKey) {
        match key {
            ItemKey::Index(index) => self.item_index = Some(*index),
            ItemKey::Key(key) => self.item_key = Some(key.clone()),
        }
    }
}

impl Outcome {
    fn decode(event_type: &str, event: &RawValue) -> Result<Self, SyncError> {
        let invalid = || SyncError { what: "outcome of a subscription" };
        let fields: OutcomeFields = serde_json::from_str(event.get()).map_err(|_| invalid())?;
        let object_sid = fields.object_sid;
        Ok(match event_type {
            "subscription_established" => Self::Established {
                object_sid,
                replay_status: fields.replay_status.unwrap_or(ReplayStatus::Completed),
                last_event_id: fields.last_event_id.unwrap_or_default(),
            },
            "subscription_canceled" => Self::Canceled { object_sid },
            _ => {
                let error = fields.error.ok_or_else(invalid)?;
                Self::Failed { object_sid, status: error.status, code: error.code, message: error.message }
            }
        })
    }

    /// The object that it is about.
    pub fn object_sid(&self) -> &str {
        match self {
            Self::Established { object_sid, .. } | Self::Canceled { object_sid } | Self::Failed { object_sid, .. } => {
                object_sid
            }
        }
    }

    /// Writes the payload of a notification of this outcome alone.
    pub fn encode(&self, correlation_id: u64) -> Vec<u8> {
        let mut fields = OutcomeFields {
            object_sid: self.object_sid().to_owned(),
            replay_status: None,
            last_event_id: None,
            error: None,
        };
        let event_type = match self {
            Self::Established { replay_status, last_event_id, .. } => {
                fields.replay_status = Some(*replay_status);
                fields.last_event_id = Some(*last_event_id);
                "subscription_established"
            }
            Self::Canceled { .. } => "subscription_canceled",
            Self::Failed { status, code, message, .. } => {
                fields.error = Some(Failure { status: *status, code: *code, message: message.clone() });
                "subscription_failed"
            }
        };
        written(event_type, Some(correlation_id), &fields)
    }
}

fn written(event_type: &str, correlation_id: Option<u64>, event: &impl Serialize) -> Vec<u8> {
    // Texts, numbers and JSON that was read as such: there is nothing that cannot be written.
    serde_json::to_vec(&Written { event_type, correlation_id, event }).unwrap_or_default()
}
