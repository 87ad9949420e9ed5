//! Sync objects, their items, and subscriptions.

use serde_json::{Map, Value, json};
use trunkline_proto::sync::{ObjectKind, SubscriptionBatch};

use super::upstream::{Client, Reply, Request};
use crate::clock::iso_millis;
use crate::error::ApiError;
use crate::server::App;
use crate::state::State;
use crate::state::paging::Order;
use crate::state::sync::{Item, ItemKey, ItemQuery, MAX_BATCH, ObjectId, Page, SYNC_URL, Start, item_url};

/// `GET /v3/{Maps|Lists|Documents}/{id}`
pub(super) async fn open(app: &App, client: &Client, request: &Request<'_>, collection: &str, id: &str) -> Reply {
    let kind = kind(collection, request)?;
    let with_items = request.parameter("Include") == Some("items");
    let (user, id) = (client.user, id.to_owned());
    let body = app.owner.call(move |state| {
        let object = readable(state, user, kind, &id)?;
        let sid = state.object_sid(object);
        let url = format!("{SYNC_URL}/v3/{}/{sid}", kind.collection());
        let event = state.object_event(object);
        let date = state.object_dates(object).map(iso_millis);
        let mut body = json!({
            "sid": sid,
            "unique_name": state.object_name(object),
            "url": url,
            "revision": event.to_string(),
            "last_event_id": event,
            "date_created": date[0],
            "date_updated": date[1],
            "date_expires": null,
            "links": {"items": format!("{url}/Items")},
            "data": state.object_data(object),
        });
        if with_items && let Some(fields) = body.as_object_mut() {
            let query = ItemQuery { start: Start::End, order: Order::Ascending, size: MAX_INCLUDED };
            let page = state.items(object, &query)?;
            fields.insert("items".to_owned(), page.items.into_iter().map(|one| item(&sid, kind, one)).collect());
        }
        Ok::<Value, ApiError>(body)
    });
    Ok((200, body.await??))
}

/// `GET …/{id}/Items`
pub(super) async fn items(app: &App, client: &Client, request: &Request<'_>, collection: &str, id: &str) -> Reply {
    let kind = kind(collection, request)?;
    let size = request.page_size()?;
    let only = request.parameter("Key").or_else(|| request.parameter("Index"));
    let start = match (only, request.parameter("From")) {
        (Some(only), _) => Start::Only(only.to_owned()),
        (None, Some(from)) => Start::From(from.to_owned()),
        (None, None) => Start::End,
    };
    let order = match request.parameter("Order") {
        None | Some("asc") => Order::Ascending,
        Some("desc") => Order::Descending,
        Some(_) => return Err(ApiError::parameter("Order")),
    };
    let (user, id) = (client.user, id.to_owned());
    let found = app.owner.call(move |state| {
        let object = readable(state, user, kind, &id)?;
        let page = state.items(object, &ItemQuery { start, order, size })?;
        Ok::<(String, Page), ApiError>((state.object_sid(object), page))
    });
    let (sid, page) = found.await??;
    let body = json!({
        "items": page.items.into_iter().map(|one| item(&sid, kind, one)).collect::<Vec<_>>(),
        "meta": {
            "previous_token": page.before.then_some("p"),
            "next_token": page.after.then_some("n"),
            "page_size": size,
        },
    });
    Ok((200, body))
}

/// `POST /v4/Subscriptions`
pub(super) async fn subscribe(app: &App, client: &Client, request: &Request<'_>) -> Reply {
    let batch: SubscriptionBatch = request.json()?;
    let (socket, user) = (client.socket, client.user);
    let faults = std::sync::Arc::clone(&app.faults);
    app.owner.call(move |state| state.subscribe(socket, user, &batch, &|name| faults.gap(name))).await??;
    let body = json!({
        "max_batch_size": MAX_BATCH,
        "ttl_in_s": SUBSCRIPTION_TTL_S,
        "estimated_delivery_in_ms": ESTIMATED_DELIVERY_MS,
    });
    Ok((200, body))
}

fn kind(collection: &str, request: &Request<'_>) -> Result<ObjectKind, ApiError> {
    let kinds = [ObjectKind::Document, ObjectKind::List, ObjectKind::Map];
    let found = kinds.into_iter().find(|kind| kind.collection() == collection);
    found.ok_or_else(|| ApiError::not_found(&format!("/{}", request.path.join("/"))))
}

fn readable(state: &State, user: u64, kind: ObjectKind, id: &str) -> Result<ObjectId, ApiError> {
    let object = state.object(kind, id)?;
    state.check_object(object, user)?;
    Ok(object)
}

fn item(sid: &str, kind: ObjectKind, item: Item) -> Value {
    let mut fields = Map::with_capacity(8);
    fields.insert("url".to_owned(), json!(item_url(sid, kind, &item.key)));
    let (name, key) = match item.key {
        ItemKey::Key(key) => ("key", json!(key)),
        ItemKey::Index(index) => ("index", json!(index)),
    };
    fields.insert(name.to_owned(), key);
    fields.insert("revision".to_owned(), json!(item.log.changed.to_string()));
    fields.insert("last_event_id".to_owned(), json!(item.log.changed));
    fields.insert("data".to_owned(), item.data);
    fields.insert("date_created".to_owned(), json!(iso_millis(item.created_at)));
    fields.insert("date_updated".to_owned(), json!(iso_millis(item.at)));
    fields.insert("date_expires".to_owned(), Value::Null);
    Value::Object(fields)
}

/// Items that come with an object when it is opened.
const MAX_INCLUDED: usize = 100;
/// After this time a client renews its subscriptions.
const SUBSCRIPTION_TTL_S: u64 = 3600;
/// After this time without an outcome a client asks again.
const ESTIMATED_DELIVERY_MS: u64 = 5000;
