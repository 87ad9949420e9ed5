//! Who answers in a conversation: an agent of the configuration, or a person of ours.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_store::Care;

use super::api::{Failure, no_conversation};
use super::body::Body;
use super::conversations::shown;
use super::{ConsoleState, codes};

/// Which agent is to answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    /// The agent's name; null or absent: the one that the routes choose.
    agent: Option<String>,
}

/// `GET /api/v1/agents`: the agents of the configuration, by name.
pub(super) async fn list(State(state): State<Arc<ConsoleState>>) -> Json<Value> {
    Json(json!({ "agents": state.agents.names() }))
}

/// A person of ours answers from now on: what the other one writes waits for them.
pub(super) async fn hand_over(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let shown = changed(&state, &id, Care::HandOver).await?;
    // The answer that an agent is making is not needed any more.
    state.under_way.end(&id);
    Ok(shown)
}

/// The agents answer again, beginning with what has waited.
pub(super) async fn resume(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let shown = changed(&state, &id, Care::Resume).await?;
    state.missed.wake();
    Ok(shown)
}

/// Names the agent that answers from the next turn on.
pub(super) async fn choose(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Body(Wish { agent }): Body<Wish>,
) -> Result<Json<Value>, Failure> {
    if let Some(name) = &agent
        && state.agents.named(name).is_none()
    {
        let known = state.agents.names().join(", ");
        let reason = format!("agent: there is none of that name; there are: {known}");
        return Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, codes::UNKNOWN_AGENT, reason));
    }
    changed(&state, &id, Care::Agent(agent)).await
}

async fn changed(state: &ConsoleState, id: &str, care: Care) -> Result<Json<Value>, Failure> {
    state.store.set_care(id, &care).await?;
    state.live.changed(id);
    shown(&state.store, id).await?.map(Json).ok_or_else(no_conversation)
}
