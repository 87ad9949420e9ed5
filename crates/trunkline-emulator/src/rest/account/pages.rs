//! Pages of this API: the list beside numbers and relative URIs, without `meta`.

use serde_json::{Map, Value, json};

use super::Call;
use crate::rest::pages::PageRequest;
use crate::state::paging::Slice;

impl PageRequest {
    /// The body of a list under `key`.
    pub(super) fn flat_body<T>(&self, call: &Call, key: &str, slice: Slice<T>, render: impl Fn(T) -> Value) -> Value {
        let uri = |page, cursor| self.address(call, &call.uri_path, page, cursor);
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

/// The largest page.
pub(super) const MAX_PAGE: usize = 1000;
