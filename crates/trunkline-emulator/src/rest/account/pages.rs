//! Pages of this API: the list beside numbers and relative URIs, without `meta`.

use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::Call;
use crate::error::{self, ApiError};
use crate::state::paging::{Cursor, Slice};

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest {
    pub(super) size: usize,
    pub(super) cursor: Option<Cursor>,
    /// Only echoed: the cursor says where the page is.
    page: usize,
}

impl PageRequest {
    pub(super) fn of(call: &Call) -> Result<Self, ApiError> {
        let size: usize = call.query.number("PageSize")?.unwrap_or(DEFAULT_SIZE);
        if size == 0 {
            return Err(ApiError::parameter("PageSize"));
        }
        if size > MAX_SIZE {
            return Err(error::PAGE_SIZE);
        }
        let cursor = match call.query.text("PageToken") {
            Some(token) => Some(Cursor::parse(token).ok_or_else(|| ApiError::parameter("PageToken"))?),
            None => None,
        };
        Ok(Self { size, cursor, page: call.query.number("Page")?.unwrap_or(0) })
    }

    /// The body of a list under `key`.
    pub(super) fn body<T>(&self, call: &Call, key: &str, slice: Slice<T>, render: impl Fn(T) -> Value) -> Value {
        let uri = |page: usize, cursor: Option<Cursor>| {
            let mut query = Serializer::new(String::new());
            query.extend_pairs(call.query.pairs().filter(|(name, _)| !PAGING.contains(name)));
            query.append_pair("PageSize", &self.size.to_string()).append_pair("Page", &page.to_string());
            if let Some(cursor) = cursor {
                query.append_pair("PageToken", &cursor.token());
            }
            format!("{}?{}", call.uri_path, query.finish())
        };
        let previous = slice.previous.map(|cursor| uri(self.page.saturating_sub(1), Some(cursor)));
        let next = slice.next.map(|cursor| uri(self.page.saturating_add(1), Some(cursor)));
        let start = self.page.saturating_mul(self.size);
        let last = slice.items.len().saturating_sub(1);
        let items = slice.items.into_iter().map(render).collect();
        Value::Object(Map::from_iter([
            ("first_page_uri".to_owned(), json!(uri(0, None))),
            ("end".to_owned(), json!(start.saturating_add(last))),
            ("previous_page_uri".to_owned(), json!(previous)),
            (key.to_owned(), Value::Array(items)),
            ("uri".to_owned(), json!(uri(self.page, self.cursor))),
            ("page_size".to_owned(), json!(self.size)),
            ("start".to_owned(), json!(start)),
            ("next_page_uri".to_owned(), json!(next)),
            ("page".to_owned(), json!(self.page)),
        ]))
    }
}

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 1000;
const PAGING: [&str; 3] = ["PageSize", "Page", "PageToken"];
