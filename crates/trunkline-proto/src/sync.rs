//! Sync: documents, lists and maps that clients open, subscribe to and see change; what Conversations is made of on the
//! socket.
//!
//! | Module | Holds |
//! |---|---|
//! | [`object`] | an object as opened, its items and pages of them |
//! | [`subscription`] | asking for the changes of objects |
//! | [`event`] | changes, and how a subscription went |
//! | [`client`] | which objects a client follows, and what of their events is new |
//!
//! A client opens an object, learns the id of its last event, and subscribes from there: the server sends what came
//! since, says so, and goes on with what comes. Ids of events only grow, for every object.
//!
//! Not here: which objects Conversations uses (see [`conversations`](crate::conversations)).
//!
//! Source: the behaviour of `twilio-sync` 4.0.1 inside `@twilio/conversations` 3.0.1; Twilio publishes no description.

pub mod client;
pub mod event;
pub mod object;
pub mod subscription;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

pub use self::event::{Change, Event, Notification, Outcome, ReplayStatus, Told};
pub use self::object::{Item, ItemKey, Object, ObjectLinks, Page, PageMeta};
pub use self::subscription::{Action, SubscriptionAnswer, SubscriptionBatch, SubscriptionRequest};

/// The kinds of objects that Conversations uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// Items by text key.
    Map,
    /// Items by growing number.
    List,
    /// One value.
    Document,
}

impl ObjectKind {
    /// The kind's place in paths, such as `Maps`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Map => "Maps",
            Self::List => "Lists",
            Self::Document => "Documents",
        }
    }

    /// The message type of this kind's live events.
    pub fn live_type(self) -> &'static str {
        match self {
            Self::Map => "com.twilio.rtd.cds.map",
            Self::List => "com.twilio.rtd.cds.list",
            Self::Document => "com.twilio.rtd.cds.document",
        }
    }
}

/// JSON as it came or as it is to be sent: an item's data, a document's. It prints nothing of itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(Box<RawValue>);

impl Data {
    /// The JSON form of `value`; `null` for what JSON cannot express.
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::value::to_raw_value(value).unwrap_or_default())
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Reads it as a `T`.
    ///
    /// # Errors
    ///
    /// Whatever `serde_json` says; the message may repeat a part of the data, so it is not for logs.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.0.get().len())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// Why a payload was not read. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} is not one of Sync's")]
pub struct SyncError {
    /// What was expected.
    pub what: &'static str,
}

impl SyncError {
    /// The stable code of this error, `proto.sync.invalid`.
    pub fn code(&self) -> &'static str {
        "proto.sync.invalid"
    }
}

/// Revisions are texts today; a number is taken too.
fn revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
        Nothing(()),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
        Either::Nothing(()) => String::new(),
    })
}

#[cfg(test)]
mod tests;
