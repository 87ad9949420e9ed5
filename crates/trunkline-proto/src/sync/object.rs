//! Objects as opened, and their items.

use serde::{Deserialize, Serialize};

use super::{Data, revision};

/// The answer to opening an object: `GET /v3/{Maps|Lists|Documents}/{sid or unique name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its SID: `MP…`, `ES…` or `ET…`.
    pub sid: String,
    /// The name under which it can be opened as well.
    #[serde(default)]
    pub unique_name: Option<String>,
    /// Its own address.
    #[serde(default)]
    pub url: String,
    /// Grows with every change; opaque.
    #[serde(default, deserialize_with = "revision")]
    pub revision: String,
    /// The id of its last event; a subscription continues from there. 0 if nothing ever happened.
    #[serde(default)]
    pub last_event_id: Option<u64>,
    /// When it was made, ISO 8601.
    #[serde(default)]
    pub date_created: Option<String>,
    /// When it last changed, ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
    /// When it goes by itself; never for those of Conversations.
    #[serde(default)]
    pub date_expires: Option<String>,
    /// Related addresses.
    #[serde(default)]
    pub links: ObjectLinks,
    /// The value of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// The items, where `Include=items` asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
}

/// Addresses related to an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLinks {
    /// The items of a list or a map; absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
}

/// What names an item in its list or map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKey {
    /// In a list: a number that only grows.
    Index(u64),
    /// In a map.
    Key(String),
}

/// An item of a list or a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// In a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// In a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its own address.
    #[serde(default)]
    pub url: String,
    /// Grows with every change; opaque.
    #[serde(default, deserialize_with = "revision")]
    pub revision: String,
    /// The id of the event that last changed it: older events do not concern it any more.
    pub last_event_id: u64,
    /// The value.
    pub data: Data,
    /// When it was made, ISO 8601.
    #[serde(default)]
    pub date_created: Option<String>,
    /// When it last changed, ISO 8601.
    #[serde(default)]
    pub date_updated: Option<String>,
    /// When it goes by itself.
    #[serde(default)]
    pub date_expires: Option<String>,
}

impl Item {
    /// What names it; `None` if the server gave neither index nor key.
    pub fn item_key(&self) -> Option<ItemKey> {
        self.index.map(ItemKey::Index).or_else(|| self.key.clone().map(ItemKey::Key))
    }
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In the requested order.
    pub items: Vec<Item>,
    /// Whether there is more.
    pub meta: PageMeta,
}

/// Whether there are items on either side of a page, in the requested order. The tokens' text means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMeta {
    /// Something precedes the page.
    #[serde(default)]
    pub previous_token: Option<String>,
    /// Something follows the page.
    #[serde(default)]
    pub next_token: Option<String>,
    /// How many were asked for.
    #[serde(default)]
    pub page_size: u32,
}

impl PageMeta {
    /// Whether something follows the page.
    pub fn has_next(&self) -> bool {
        self.next_token.as_deref().is_some_and(|token| !token.is_empty())
    }
}

/// The largest page that the service gives.
pub const MAX_PAGE_SIZE: u32 = 100;
