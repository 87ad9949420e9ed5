//! One conversation: what the list says of it, who is in it, who answers in it; and its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_core::Pii;
use trunkline_store::{ConversationSummary, ParticipantRow, SessionRow, Store, StoreError, SummaryRow};

use super::api::{Failure, no_conversation, summary};
use super::{ConsoleState, codes};
use crate::pipeline::tell_closed;

pub(super) async fn show(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    shown(&state.store, &id).await?.map(Json).ok_or_else(no_conversation)
}

/// Closes a conversation at its platform and here. One that is closed already stays so.
pub(super) async fn close(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let row = state.store.conversation(&id).await?.ok_or_else(no_conversation)?;
    let Some(connector) = state.connectors.named(&row.connector) else {
        let reason = "the connector of this conversation is switched off".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::NO_CONNECTOR, reason));
    };
    connector
        .close(&row.external_id)
        .await
        .map_err(|error| Failure(StatusCode::BAD_GATEWAY, error.code, error.message))?;
    tell_closed((&state.store, &*state.bus, &state.ingress, &state.live), &row).await.map_err(|code| {
        let reason = "the end of the conversation cannot be told; try again".to_owned();
        Failure(StatusCode::SERVICE_UNAVAILABLE, code, reason)
    })?;
    shown(&state.store, &id).await?.map(Json).ok_or_else(no_conversation)
}

/// The conversation as the API shows it; `None` if there is none of that name.
pub(super) async fn shown(store: &Store, id: &str) -> Result<Option<Value>, StoreError> {
    let Some(row) = store.conversation_summary(id).await? else { return Ok(None) };
    let conversation = &row.conversation;
    let participants = store.participants(&conversation.connector, &conversation.external_id).await?;
    let session = store.session(id).await?;
    let mut shown = summary(&row);
    if let Value::Object(fields) = &mut shown {
        let session = session.map(|session| self::session(&row, &session, &participants));
        fields.insert("session".to_owned(), session.unwrap_or_default());
        let summary = store.summary_of_conversation(id).await?;
        fields.insert("summary".to_owned(), summary.as_ref().map(said_in_short).unwrap_or_default());
        fields.insert("participants".to_owned(), participants.iter().map(participant).collect());
    }
    Ok(Some(shown))
}

/// A summary as the API shows it.
pub(crate) fn said_in_short(row: &SummaryRow) -> Value {
    json!({ "text": row.text.expose(), "made_by": row.made_by, "updated_at": row.updated_at.to_string() })
}

fn session(row: &ConversationSummary, session: &SessionRow, participants: &[ParticipantRow]) -> Value {
    let of_people = participants.iter().filter_map(|one| one.channel.as_deref());
    let channels: BTreeSet<_> = of_people.chain([row.conversation.channel.as_str()]).collect();
    json!({
        "id": session.id,
        "agent": session.agent,
        "state": if session.is_active { "active" } else { "closed" },
        "channels": channels,
        "started_at": session.started_at.to_string(),
        "last_activity_at": session.last_activity_at.to_string(),
        "closed_at": session.closed_at.map(|at| at.to_string()),
        "history": format!("/api/v1/conversations/{}/messages", row.conversation.id),
    })
}

fn participant(row: &ParticipantRow) -> Value {
    json!({
        "id": row.external_id,
        "identity": row.identity.as_ref().map(Pii::expose),
        "channel": row.channel,
        "address": row.address.as_ref().map(Pii::expose),
        "own_address": row.own_address,
        "role": row.role,
        "read_index": row.read_index,
        "joined_at": row.joined_at.map(|at| at.to_string()),
    })
}
