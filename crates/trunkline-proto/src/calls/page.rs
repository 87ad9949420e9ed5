//! A page of a list as the API of 2010 has it: the items are the only array, addresses are relative.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct CallsPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Path and query of the next page, from the host on; `None` on the last.
    pub next_page_uri: Option<String>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for CallsPage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let next_page_uri = match fields.remove("next_page_uri") {
            Some(Value::String(uri)) if !uri.is_empty() => Some(uri),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(D::Error::custom("the page's next_page_uri is no text")),
        };
        let items = fields.into_iter().find_map(|(_, value)| match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        let items = items.ok_or_else(|| D::Error::custom("the page has no items"))?;
        let items = items.into_iter().map(|item| T::deserialize(item).map_err(D::Error::custom));
        Ok(Self { items: items.collect::<Result<_, _>>()?, next_page_uri })
    }
}
