//! `GET /api/v1/events`: what changes, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::wrappers::{BroadcastStream, IntervalStream};

use super::ConsoleState;
use super::api::{status, summary};
use crate::live::Change;

/// How often the status is told.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// How often calls that live are told, while there are any.
const CALLS_EVERY: Duration = Duration::from_millis(300);

enum Tick {
    Change(Change),
    Status,
    Calls,
}

pub(super) fn routes(state: Arc<ConsoleState>) -> Router {
    Router::new().route("/api/v1/events", get(events)).with_state(state)
}

async fn events(State(state): State<Arc<ConsoleState>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = BroadcastStream::new(state.live.watch()).map(|change| match change {
        Ok(change) => Tick::Change(change),
        // Behind: the page reads its lists again when the status tells that something changed.
        Err(BroadcastStreamRecvError::Lagged(_)) => Tick::Status,
    });
    let statuses = IntervalStream::new(tokio::time::interval(STATUS_EVERY)).map(|_| Tick::Status);
    // Nobody closes a page because the gateway stops: a stream that went on would be waited for.
    let stopping = state.readiness.until_stopping();
    let live = IntervalStream::new(tokio::time::interval(CALLS_EVERY)).map(|_| Tick::Calls);
    let told = stream::select(stream::select(changes, statuses), live).filter_map(move |tick| {
        let state = Arc::clone(&state);
        async move { tell(&state, tick).await }
    });
    Sse::new(told.take_until(Box::pin(stopping)).map(Ok)).keep_alive(KeepAlive::default())
}

async fn tell(state: &ConsoleState, tick: Tick) -> Option<Event> {
    let (name, data): (_, Value) = match tick {
        Tick::Change(Change::Conversation(id)) => {
            ("conversation", summary(&state.store.conversation_summary(&id).await.ok()??))
        }
        Tick::Change(Change::Calls) => ("calls", json!({})),
        Tick::Change(Change::Workflow(run)) => ("workflow", json!({ "run": run })),
        Tick::Change(Change::Typing { conversation_id, is_typing }) => {
            ("typing", json!({ "id": conversation_id, "on": is_typing }))
        }
        Tick::Calls => {
            // Levels and the floor change all the time: they are told at a pace, while there are calls.
            let live = super::calls::live(state.calls.as_ref()?);
            if live.is_empty() {
                return None;
            }
            ("calls", json!({ "live": live }))
        }
        Tick::Status => ("status", status(state).await.ok()?),
    };
    Event::default().event(name).json_data(data).ok()
}
