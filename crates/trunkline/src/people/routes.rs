//! `/api/v1/contacts`: people, for whoever has the console's token.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::Instrument as _;
use trunkline_core::{AddressError, Channel};
use trunkline_store::{ContactRow, Linked, MAX_CONTACTS, StoreError};

use super::export::export;
use super::{People, codes, show};
use crate::console::{Access, Body, Failure, bad, guarded, past_call, summary};

/// People in a list, if nothing else is asked for.
const PAGE: u32 = 50;
/// Conversations, and calls, that are shown with a person.
const MAX_SHOWN: u32 = 100;
/// The longest text that is searched for, in bytes.
const MAX_QUERY: usize = 200;

/// The routes, for whoever has the console's token.
pub(crate) fn people_routes(people: People, access: &Access) -> Router {
    let routes = Router::new()
        .route("/api/v1/contacts", get(list))
        .route("/api/v1/contacts/{id}", get(one).delete(erase))
        .route("/api/v1/contacts/{id}/export", get(exported))
        .route("/api/v1/contacts/{id}/link", post(link))
        .route("/api/v1/contacts/{id}/unlink", post(unlink))
        .with_state(Arc::new(people));
    guarded(routes, access)
}

#[derive(Deserialize)]
struct Wanted {
    query: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn list(State(people): State<Arc<People>>, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Failure> {
    let limit = wanted.limit.unwrap_or(PAGE).clamp(1, MAX_CONTACTS);
    let query = wanted.query.as_deref().map(str::trim).filter(|query| !query.is_empty());
    if query.is_some_and(|query| query.len() > MAX_QUERY) {
        return Err(bad("query", "must have at most 200 bytes"));
    }
    let cursor = wanted.cursor.as_deref();
    // A part of a number as it stands, but for what people put between digits; a whole one also as platforms write it.
    let digits = query.and_then(digits);
    let mut rows = people.store.contacts(digits.as_deref().or(query), limit, cursor).await?;
    if let Some(number) = query.filter(|_| rows.is_empty()).and_then(|query| people.numbers.e164(query)) {
        rows = people.store.contacts(Some(number.as_str()), limit, cursor).await?;
    }
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.id.clone());
    Ok(Json(json!({ "contacts": rows.iter().map(show::contact).collect::<Vec<_>>(), "next": next })))
}

/// The digits of what looks like a number.
fn digits(query: &str) -> Option<String> {
    let is_number = query.chars().all(|letter| letter.is_ascii_digit() || " ()+-./".contains(letter));
    let digits: String = query.chars().filter(char::is_ascii_digit).collect();
    (is_number && !digits.is_empty()).then_some(digits)
}

async fn one(State(people): State<Arc<People>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let contact = found(&people, &id).await?;
    whole(&people, &contact).await.map(Json)
}

/// A person with everything that is known of them but what was said.
async fn whole(people: &People, contact: &ContactRow) -> Result<Value, Failure> {
    let store = &people.store;
    let conversations = store.conversations_of(&contact.id, MAX_SHOWN).await?;
    let calls = store.calls_of(&contact.id, MAX_SHOWN).await?;
    let memories = store.memories_of_contact(&contact.id, None).await?;
    let mut shown = show::contact(contact);
    if let Value::Object(fields) = &mut shown {
        fields.insert("memories".to_owned(), show::memories(&memories));
        fields.insert("consent".to_owned(), show::decisions(&store.decisions_of(&contact.id).await?));
        fields.insert("conversations".to_owned(), conversations.iter().map(summary).collect());
        fields.insert("calls".to_owned(), calls.iter().map(|call| past_call(call, &[])).collect());
    }
    Ok(shown)
}

async fn exported(State(people): State<Arc<People>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let contact = found(&people, &id).await?;
    export(&people.store, &contact).await.map(Json)
}

async fn erase(State(people): State<Arc<People>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    // Goes on when whoever asked does not wait for it.
    let erasing = Arc::clone(&people);
    let work = people.tasks.spawn(async move { erasing.erase(&id).await }.in_current_span());
    let broke_off = |_| {
        let reason = "the gateway stops; what is left to do is done after its next start".to_owned();
        Failure(StatusCode::SERVICE_UNAVAILABLE, codes::BROKE_OFF, reason)
    };
    work.await.map_err(broke_off)?.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    contact: Option<String>,
    address: Option<String>,
    channel: Option<String>,
}

async fn link(
    State(people): State<Arc<People>>,
    Path(id): Path<String>,
    Body(link): Body<Link>,
) -> Result<Json<Value>, Failure> {
    let linked = match (&link.contact, &link.address) {
        (Some(other), None) => people.store.link_contacts(&id, other).await,
        (None, Some(address)) => {
            let address = people.numbers.address(address, channel(link.channel.as_deref())?).map_err(bad_address)?;
            people.store.link_address(&id, &address).await
        }
        _ => return Err(bad("contact", "or address must be given, and not both")),
    };
    told(&people, linked).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlink {
    address: String,
    channel: Option<String>,
}

async fn unlink(
    State(people): State<Arc<People>>,
    Path(id): Path<String>,
    Body(unlink): Body<Unlink>,
) -> Result<Json<Value>, Failure> {
    let named = channel(unlink.channel.as_deref())?;
    let address = people.numbers.address(&unlink.address, named).map_err(bad_address)?;
    // `whatsapp:` in front of a number names the channel too.
    let named = named.or_else(|| (address.channel() == Channel::Whatsapp).then_some(Channel::Whatsapp));
    let unlinked = people.store.unlink_address(&id, address.address(), named).await;
    told(&people, unlinked).await
}

/// What linking came to, with the person as they are now.
async fn told(people: &People, linked: Result<Linked, StoreError>) -> Result<Json<Value>, Failure> {
    let linked = linked.map_err(|error| match error {
        StoreError::NotFound { what } => missing(what),
        error => error.into(),
    })?;
    let contact = found(people, &linked.contact_id).await?;
    Ok(Json(json!({ "changed": linked.changed, "contact": show::contact(&contact) })))
}

async fn found(people: &People, id: &str) -> Result<ContactRow, Failure> {
    people.store.contact(id).await?.ok_or_else(|| missing("contact"))
}

fn missing(what: &str) -> Failure {
    Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, format!("there is no such {what}"))
}

fn bad_address(error: AddressError) -> Failure {
    Failure(StatusCode::BAD_REQUEST, codes::BAD_ADDRESS, error.to_string())
}

fn channel(name: Option<&str>) -> Result<Option<Channel>, Failure> {
    let read = name.map(str::parse).transpose();
    read.map_err(|_| bad("channel", "must be sms, whatsapp, chat, email or voice"))
}
