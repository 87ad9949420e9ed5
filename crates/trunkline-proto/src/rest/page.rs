//! A page of a list: the items are under a key that the page itself names.

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Where a page stands in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageMeta {
    /// Number of the page, from 0. It echoes what was asked and is no position.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub page: u32,
    /// The most items on a page.
    #[serde(default, deserialize_with = "super::null_as_default")]
    pub page_size: u32,
    /// Absolute address of the first page.
    #[serde(default)]
    pub first_page_url: Option<String>,
    /// Absolute address of the page before, `None` on the first.
    #[serde(default)]
    pub previous_page_url: Option<String>,
    /// Absolute address of this page.
    #[serde(default)]
    pub url: Option<String>,
    /// Absolute address of the next page, `None` on the last.
    #[serde(default)]
    pub next_page_url: Option<String>,
    /// The name under which the items are.
    pub key: String,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Where it stands.
    pub meta: PageMeta,
    /// What is on it.
    pub items: Vec<T>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let meta = fields.remove("meta").ok_or_else(|| D::Error::missing_field("meta"))?;
        let meta: PageMeta = serde_json::from_value(meta).map_err(|_| D::Error::custom("the page's meta is broken"))?;
        let items = fields.remove(&meta.key).ok_or_else(|| D::Error::custom("the page has no items under its key"))?;
        let Value::Array(items) = items else { return Err(D::Error::custom("the page's items are no array")) };
        let items = items.into_iter().map(|item| T::deserialize(item).map_err(D::Error::custom));
        Ok(Self { meta, items: items.collect::<Result<_, _>>()? })
    }
}

impl<T: Serialize> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_map(Some(2))?;
        page.serialize_entry("meta", &self.meta)?;
        page.serialize_entry(&self.meta.key, &self.items)?;
        page.end()
    }
}
