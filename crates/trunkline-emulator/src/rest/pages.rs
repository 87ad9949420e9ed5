//! Pages of a list: reading what page is asked for, and the `meta` object around it.

use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::call::Call;
use crate::error::{self, ApiError};
use crate::state::paging::{Cursor, Slice};

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest {
    pub(super) size: usize,
    pub(super) cursor: Option<Cursor>,
    /// Only echoed: the cursor says where the page is.
    pub(super) page: usize,
}

impl PageRequest {
    /// Reads `PageSize`, `Page` and `PageToken`. `max` is the largest size, and the default if that is under 50.
    pub(super) fn of(call: &Call, max: usize) -> Result<Self, ApiError> {
        let query = &call.query;
        let size = query.number("PageSize")?.unwrap_or(DEFAULT_SIZE.min(max));
        if size == 0 {
            return Err(ApiError::parameter("PageSize"));
        }
        if size > max {
            return Err(error::PAGE_SIZE);
        }
        let cursor = match query.text("PageToken") {
            Some(token) => Some(Cursor::parse(token).ok_or_else(|| ApiError::parameter("PageToken"))?),
            None => None,
        };
        Ok(Self { size, cursor, page: query.number("Page")?.unwrap_or(0) })
    }

    /// The address of another page of the list at `base`, filters included.
    pub(super) fn address(&self, call: &Call, base: &str, page: usize, cursor: Option<Cursor>) -> String {
        let mut pairs = Serializer::new(String::new());
        pairs.extend_pairs(call.query.pairs().filter(|(name, _)| !PAGING.contains(name)));
        pairs.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
        if let Some(cursor) = cursor {
            pairs.append_pair("PageToken", &cursor.token());
        }
        format!("{base}?{}", pairs.finish())
    }

    /// The body of a list: `meta`, and the items under `key`.
    pub(super) fn body<T>(&self, call: &Call, key: &str, slice: Slice<T>, render: impl Fn(T) -> Value) -> Value {
        let base = call.own_url();
        let url = |page, cursor| self.address(call, &base, page, cursor);
        let meta = json!({
            "page": self.page,
            "page_size": self.size,
            "first_page_url": url(0, None),
            "previous_page_url": slice.previous.map(|cursor| url(self.page.saturating_sub(1), Some(cursor))),
            "url": url(self.page, self.cursor),
            "next_page_url": slice.next.map(|cursor| url(self.page.saturating_add(1), Some(cursor))),
            "key": key,
        });
        let items = slice.items.into_iter().map(render).collect();
        Value::Object(Map::from_iter([("meta".to_owned(), meta), (key.to_owned(), Value::Array(items))]))
    }
}

const DEFAULT_SIZE: usize = 50;
const PAGING: [&str; 3] = ["PageSize", "Page", "PageToken"];
