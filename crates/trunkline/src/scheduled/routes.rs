//! Promised texts in the API.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use trunkline_store::{ConversationRow, ScheduledRow, Store};

use super::codes;
use crate::console::{Access, Failure, guarded, no_conversation};
use crate::pipeline::Context;

/// `GET /api/v1/conversations/{id}/scheduled`, and `DELETE …/{text}`, which takes one back.
pub(crate) fn scheduled_routes(context: &Context, access: &Access) -> Router {
    let routes = Router::new()
        .route("/api/v1/conversations/{id}/scheduled", get(list))
        .route("/api/v1/conversations/{id}/scheduled/{text}", delete(cancel))
        .with_state(context.clone());
    guarded(routes, access)
}

async fn list(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let store = &context.store;
    known(store, &id).await?;
    Ok(Json(json!({ "scheduled": shown(&store.scheduled_in(&id).await?) })))
}

async fn cancel(
    State(context): State<Context>,
    Path((id, text)): Path<(String, String)>,
) -> Result<Json<Value>, Failure> {
    let store = &context.store;
    let row = known(store, &id).await?;
    let is_here = store.scheduled_in(&id).await?.iter().any(|one| one.id == text);
    if !is_here || !store.cancel_scheduled(&text, &row.contact_id, "operator").await? {
        let reason = "no such text waits in this conversation".to_owned();
        return Err(Failure(StatusCode::NOT_FOUND, codes::NOT_WAITING, reason));
    }
    context.metrics.scheduled("operator");
    context.live.changed(&id);
    Ok(Json(json!({ "scheduled": shown(&store.scheduled_in(&id).await?) })))
}

async fn known(store: &Store, id: &str) -> Result<ConversationRow, Failure> {
    store.conversation(id).await?.ok_or_else(no_conversation)
}

/// Promises as the API shows them.
pub(crate) fn shown(rows: &[ScheduledRow]) -> Vec<Value> {
    let one = |row: &ScheduledRow| {
        json!({
            "id": row.id,
            "text": row.body.expose(),
            "at": row.due_at.to_string(),
            "state": row.state,
            "reason": row.reason,
            "promised_at": row.created_at.to_string(),
        })
    };
    rows.iter().map(one).collect()
}
