//! The tools that agents have called for their answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use trunkline_store::ToolCallRow;

use super::ConsoleState;
use super::api::{Failure, no_conversation};

/// `GET /api/v1/conversations/{id}/tools`: the latest ones, oldest first.
pub(super) async fn of_conversation(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    if state.store.conversation(&id).await?.is_none() {
        return Err(no_conversation());
    }
    Ok(Json(json!({ "tools": shown(&state.store.tool_calls(&id).await?) })))
}

/// Tool calls as the API shows them.
pub(crate) fn shown(calls: &[ToolCallRow]) -> Vec<Value> {
    let call = |call: &ToolCallRow| {
        json!({
            "turn": call.turn,
            "number": call.number,
            "tool": call.tool,
            "arguments": call.arguments.expose(),
            "result": call.result.expose(),
            "error_code": call.error_code,
            "duration_ms": call.duration_ms,
            "at": call.created_at.to_string(),
        })
    };
    calls.iter().map(call).collect()
}
