//! What the console reads: status, conversations, threads.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_bus::BusError;
use trunkline_core::event::MediaRef;
use trunkline_store::{ConversationSummary, MessageFile, MessageRow, StoreError};
use trunkline_twilio::rest::ErrorNumber;

use super::{ConsoleState, care, codes, conversations, tools};
use crate::connectors::Connector;
use crate::pipeline::{INGRESS_CONSUMER, SENDER_CONSUMER};

/// The largest page.
const MAX_PAGE: u32 = 500;

pub(super) fn routes(state: Arc<ConsoleState>) -> Router {
    Router::new()
        .route("/api/v1/status", get(show_status))
        .route("/api/v1/connectors/{name}", get(connector))
        .route("/api/v1/conversations", get(latest))
        .route("/api/v1/conversations/{id}", get(conversations::show))
        .route("/api/v1/conversations/{id}/close", post(conversations::close))
        .route("/api/v1/conversations/{id}/hand-over", post(care::hand_over))
        .route("/api/v1/conversations/{id}/resume", post(care::resume))
        .route("/api/v1/conversations/{id}/agent", post(care::choose))
        .route("/api/v1/conversations/{id}/messages", get(messages))
        .route("/api/v1/conversations/{id}/tools", get(tools::of_conversation))
        .route("/api/v1/agents", get(care::list))
        .with_state(state)
}

/// What could not be read, as an answer.
pub(crate) struct Failure(pub(crate) StatusCode, pub(crate) &'static str, pub(crate) String);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.code(), error.to_string())
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.code(), error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "code": code, "message": message, "status": status.as_u16() }))).into_response()
    }
}

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<u32>,
    before: Option<String>,
}

impl Page {
    /// The last one of the page before.
    pub(super) fn before(&self) -> Option<&str> {
        self.before.as_deref()
    }

    pub(super) fn limit(&self, default: u32) -> u32 {
        self.limit.unwrap_or(default).clamp(1, MAX_PAGE)
    }
}

async fn show_status(State(state): State<Arc<ConsoleState>>) -> Result<Json<Value>, Failure> {
    status(&state).await.map(Json)
}

pub(super) async fn status(state: &ConsoleState) -> Result<Value, Failure> {
    let reasons = state.readiness.reasons();
    let connectors: Vec<_> = state
        .connectors
        .iter()
        .map(|connector| {
            let (status, trouble) = connector_status(state, connector.as_ref(), reasons.is_empty());
            json!({ "name": connector.name(), "status": status, "trouble": trouble })
        })
        .collect();
    let backlog = state.bus.backlog(INGRESS_CONSUMER).await? + state.bus.backlog(SENDER_CONSUMER).await?;
    Ok(json!({
        "ready": reasons.is_empty(),
        "reasons": reasons,
        "version": env!("CARGO_PKG_VERSION"),
        "connectors": connectors,
        "backlog": backlog,
        "dead_letters": state.bus.dead_letter_count().await?,
        "conversations": state.store.conversation_count().await?,
    }))
}

async fn latest(State(state): State<Arc<ConsoleState>>, Query(page): Query<Page>) -> Result<Json<Value>, Failure> {
    let limit = page.limit(50);
    let before = match page.before.as_deref() {
        None => None,
        Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| bad("before", "is not a cursor of this list"))?),
    };
    let rows = state.store.latest_conversations(limit, before).await?;
    let more = rows.len() == limit as usize;
    let next =
        rows.last().filter(|_| more).map(|row| format!("{}.{}", row.updated_at.as_millisecond(), row.conversation.id));
    Ok(Json(json!({ "conversations": rows.iter().map(summary).collect::<Vec<_>>(), "next": next })))
}

pub(super) fn read_cursor(cursor: &str) -> Option<(i64, &str)> {
    let (at, id) = cursor.split_once('.')?;
    Some((at.parse().ok()?, id))
}

pub(crate) fn bad(what: &str, why: &str) -> Failure {
    Failure(StatusCode::BAD_REQUEST, codes::BAD_REQUEST, format!("{what} {why}"))
}

pub(crate) fn no_conversation() -> Failure {
    Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such conversation".to_owned())
}

async fn messages(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Failure> {
    if state.store.conversation_summary(&id).await?.is_none() {
        return Err(no_conversation());
    }
    let limit = page.limit(200);
    let rows = state.store.messages(&id, limit, page.before.as_deref()).await?;
    let more = rows.len() == limit as usize;
    let next = rows.first().filter(|_| more).map(|row| row.id.clone());
    let mut messages = Vec::with_capacity(rows.len());
    for row in &rows {
        // Few messages bring files.
        let files = if row.media.is_empty() { Vec::new() } else { state.store.files_of(&row.id).await? };
        messages.push(message(row, &files));
    }
    Ok(Json(json!({ "messages": messages, "next": next })))
}

/// Whether a connector works, and what does not.
fn connector_status(state: &ConsoleState, connector: &dyn Connector, is_ready: bool) -> (&'static str, Option<String>) {
    if !state.readiness.is_connector_up(connector.name()) {
        return ("unhealthy", None);
    }
    let trouble = connector.trouble();
    if is_ready && trouble.is_none() { ("healthy", None) } else { ("degraded", trouble) }
}

async fn connector(State(state): State<Arc<ConsoleState>>, Path(name): Path<String>) -> Result<Json<Value>, Failure> {
    let Some(connector) = state.connectors.named(&name) else {
        return Err(Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such connector".to_owned()));
    };
    let (status, trouble) = connector_status(&state, connector.as_ref(), state.readiness.reasons().is_empty());
    let mut body = json!({ "name": connector.name(), "status": status, "trouble": trouble });
    if let (Value::Object(body), Value::Object(said)) = (&mut body, connector.snapshot()) {
        body.extend(said);
    }
    Ok(Json(body))
}

/// A conversation as the console shows it.
pub(crate) fn summary(row: &ConversationSummary) -> Value {
    let state = if row.conversation.state == "closed" {
        "closed"
    } else if row.opted_out {
        "opted_out"
    } else if row.conversation.handed_over_at.is_some() {
        "handed_over"
    } else if row.pending > 0 {
        "answering"
    } else if row.failed {
        "failed"
    } else {
        "idle"
    };
    let last = row
        .last_message
        .as_ref()
        .map(|(direction, text, at)| json!({ "direction": direction, "text": text, "at": at.to_string() }));
    json!({
        "id": row.conversation.id,
        "connector": row.conversation.connector,
        "external_id": row.conversation.external_id,
        "channel": row.conversation.channel,
        "address": row.conversation.address,
        "friendly_name": row.friendly_name,
        "attributes": row.attributes,
        "state": state,
        "last_message": last,
        "updated_at": row.updated_at.to_string(),
        "pending": row.pending,
        "agent": row.conversation.agent,
        "handed_over_at": row.conversation.handed_over_at.and_then(at).map(|at| at.to_string()),
        "opted_out": row.opted_out,
    })
}

fn at(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

/// What the provider's error number means, of a code that ends with one.
fn meaning(error_code: &str) -> Option<&'static str> {
    let number = error_code.rsplit('/').next()?.parse().ok()?;
    ErrorNumber::find(number).map(|known| known.meaning)
}

/// A file of a message: what its sender said of it, and what became of it.
fn media(file: &MediaRef, became: Option<&MessageFile>) -> Value {
    let (kept, error_code) = match became {
        Some(MessageFile::Kept(kept)) => (Some(kept), None),
        Some(MessageFile::Refused(code)) => (None, Some(code)),
        None => (None, None),
    };
    json!({
        "id": file.id,
        "content_type": kept.map_or(&file.content_type, |kept| &kept.content_type),
        "size": kept.map_or(file.size, |kept| kept.size.unsigned_abs()),
        "filename": file.filename,
        "kind": kept.map(|kept| &kept.kind),
        "sha256": kept.map(|kept| &kept.hash),
        "url": kept.map(|kept| format!("/api/v1/media/{}", kept.hash)),
        "error_code": error_code,
    })
}

/// A message as the console shows it.
pub(crate) fn message(row: &MessageRow, files: &[(usize, MessageFile)]) -> Value {
    let became = |at| files.iter().find(|(position, _)| *position == at).map(|(_, file)| file);
    let files: Vec<_> = row.media.iter().enumerate().map(|(at, file)| media(file, became(at))).collect();
    json!({
        "id": row.id,
        "external_id": row.external_id,
        "outbox_id": row.outbox_id,
        "direction": row.direction.as_str(),
        "author": row.author.expose(),
        "text": row.body.expose(),
        "media": files,
        "status": row.status,
        "index": row.index,
        "at": row.created_at.to_string(),
        "error_code": row.error_code,
        "error_meaning": row.error_code.as_deref().and_then(meaning),
        "edited_at": row.edited_at.map(|at| at.to_string()),
        "removed_at": row.removed_at.map(|at| at.to_string()),
    })
}
