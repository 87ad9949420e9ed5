//! Calls, as the console shows them: those that live, those that were, and what was recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;
use trunkline_audio::dtmf::Tones;
use trunkline_core::voice::{ErrorCode, SessionConfig, SessionId, VoiceError};
use trunkline_core::{E164, Pii};
use trunkline_store::{CallRow, CallTurn};

use super::api::{Failure, Page, bad, read_cursor};
use super::body::Body;
use super::{ConsoleState, codes, tools};
use crate::calls::{CallOrder, Calls, LiveCall, recording_path};

/// The longest text that an operator may have said in a call, in bytes.
const MAX_SAY_BYTES: usize = 2_000;

pub(super) fn routes(state: Arc<ConsoleState>) -> Router {
    Router::new()
        .route("/api/v1/calls", get(calls).post(place))
        .route("/api/v1/calls/{call}", get(call))
        .route("/api/v1/calls/{call}/hang_up", post(hang_up))
        .route("/api/v1/calls/{call}/say", post(say))
        .route("/api/v1/calls/{call}/digits", post(digits))
        .route("/api/v1/calls/{call}/transfer", post(transfer))
        .route("/api/v1/calls/{call}/hold", post(hold))
        .route("/api/v1/calls/{call}/resume", post(resume))
        .route("/api/v1/calls/{call}/recording", get(recording))
        .with_state(state)
}

/// The calls that live, for the list and for the stream of changes.
pub(super) fn live(calls: &Calls) -> Vec<Value> {
    calls.live().all().iter().map(|call| live_call(call)).collect()
}

fn live_call(call: &LiveCall) -> Value {
    let shown = call.shown();
    let session = &call.session;
    let line = |(side, text): &(Option<String>, Pii<String>)| json!({ "side": side, "text": text.expose() });
    let transcript: Vec<_> = shown.transcript.iter().map(line).collect();
    json!({
        "call": session.id().as_str(),
        "direction": session.direction().as_str(),
        "contact": session.person().expose(),
        "since": session.created_at().to_string(),
        "state": session.state().as_str(),
        "machine": shown.machine,
        "level_dbfs": shown.level_dbfs,
        "turns": shown.turns.iter().map(turn).collect::<Vec<_>>(),
        "transcript": transcript,
    })
}

fn turn(turn: &CallTurn) -> Value {
    json!({
        "number": turn.number,
        "at_ms": turn.at_ms,
        "kind": turn.kind,
        "person": turn.person.expose(),
        "agent": turn.agent.expose(),
        "latency_ms": turn.latency_ms,
        "interrupted": turn.interrupted,
    })
}

/// A call that is over, as the console shows it.
pub(crate) fn past_call(row: &CallRow, turns: &[CallTurn]) -> Value {
    let ended = row.ended_at.map(|ended| ended.to_string());
    let seconds = row.ended_at.map(|ended| ended.duration_since(row.started_at).as_secs());
    let recording = row.recording.as_ref().map(|_| format!("/api/v1/calls/{}/recording", row.id));
    json!({
        "call": row.id,
        "direction": row.direction,
        "contact": row.address.expose(),
        "started": row.started_at.to_string(),
        "ended": ended,
        "outcome": row.outcome,
        "duration_s": seconds,
        "recording": recording,
        "turns": turns.iter().map(turn).collect::<Vec<_>>(),
    })
}

async fn calls(State(state): State<Arc<ConsoleState>>, Query(page): Query<Page>) -> Result<Json<Value>, Failure> {
    let limit = page.limit(50);
    let before = match page.before() {
        None => None,
        Some(cursor) => Some(read_cursor(cursor).ok_or_else(|| bad("before", "is not a cursor of this list"))?),
    };
    let rows = state.store.past_calls(limit, before).await?;
    let more = rows.len() == limit as usize;
    let next = rows.last().filter(|_| more).map(|row| format!("{}.{}", row.started_at.as_millisecond(), row.id));
    let live = state.calls.as_ref().map(live).unwrap_or_default();
    // What was said is read with the call itself: a list of fifty calls would be long. The first words tell them apart.
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    let words = state.store.first_words_of_calls(&ids).await?;
    let listed = |row: &CallRow| {
        let mut shown = past_call(row, &[]);
        if let (Some(shown), Some(words)) = (shown.as_object_mut(), words.get(&row.id)) {
            shown.insert("first_words".to_owned(), json!(words.expose()));
        }
        shown
    };
    let past: Vec<_> = rows.iter().map(listed).collect();
    Ok(Json(json!({ "live": live, "past": past, "next": next })))
}

async fn call(State(state): State<Arc<ConsoleState>>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let turns = state.store.call_turns(&id).await?;
    if let Some(call) = state.calls.as_ref().and_then(|calls| calls.live().get(&id)) {
        let mut shown = live_call(&call);
        if let Some(shown) = shown.as_object_mut().filter(|_| !turns.is_empty()) {
            shown.insert("turns".to_owned(), turns.iter().map(turn).collect());
        }
        return Ok(Json(shown));
    }
    let row = state.store.call(&id).await?.ok_or_else(no_call)?;
    let mut shown = past_call(&row, &turns);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("tools".to_owned(), tools::shown(&state.store.tool_calls_of_call(&id).await?).into());
    }
    Ok(Json(shown))
}

fn no_call() -> Failure {
    Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, "there is no such call".to_owned())
}

fn order(state: &ConsoleState, id: &str, order: CallOrder) -> Result<StatusCode, Failure> {
    let call = state.calls.as_ref().and_then(|calls| calls.live().get(id)).ok_or_else(no_call)?;
    if call.is_on_hold() && matches!(order, CallOrder::Say(_) | CallOrder::Digits(_)) {
        let reason = "the person is on hold, and hears nothing of ours; resume the call first".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::ON_HOLD, reason));
    }
    if call.order(order) {
        return Ok(StatusCode::ACCEPTED);
    }
    let reason = "the call has as many orders as it can take; try again".to_owned();
    Err(Failure(StatusCode::SERVICE_UNAVAILABLE, codes::BUSY, reason))
}

async fn hang_up(State(state): State<Arc<ConsoleState>>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let calls = state.calls.as_ref().ok_or_else(no_call)?;
    if calls.live().get(&id).is_none() {
        // Somebody who waits, or is with a colleague: the provider still has them.
        calls.backend().close_session(&SessionId::new(id)).await.map_err(|error| from_voice(&error))?;
        return Ok(StatusCode::ACCEPTED);
    }
    order(&state, &id, CallOrder::HangUp)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: String,
}

async fn say(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Body(words): Body<Words>,
) -> Result<StatusCode, Failure> {
    if words.text.trim().is_empty() || words.text.len() > MAX_SAY_BYTES {
        return Err(bad("text", "must have words, and at most 2000 bytes"));
    }
    order(&state, &id, CallOrder::Say(Pii::new(words.text)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    digits: String,
}

async fn digits(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Body(keys): Body<Keys>,
) -> Result<StatusCode, Failure> {
    if keys.digits.is_empty() || Tones::new(&keys.digits).is_err() {
        return Err(bad("digits", "must be keys: 0-9, *, #, A-D, and w for a pause"));
    }
    order(&state, &id, CallOrder::Digits(keys.digits))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    to: String,
    briefing: Option<String>,
}

async fn transfer(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Body(transfer): Body<Transfer>,
) -> Result<StatusCode, Failure> {
    let to = number("to", &transfer.to)?;
    if transfer.briefing.as_ref().is_some_and(|text| text.len() > MAX_SAY_BYTES) {
        return Err(bad("briefing", "must have at most 2000 bytes"));
    }
    order(&state, &id, CallOrder::Transfer { to, briefing: transfer.briefing.map(Pii::new) })
}

fn number(what: &str, text: &str) -> Result<E164, Failure> {
    text.parse().map_err(|_| bad(what, "must be a number in E.164 form: +, then 7 to 15 digits"))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Hold {
    announcement: Option<String>,
}

async fn hold(
    State(state): State<Arc<ConsoleState>>,
    Path(id): Path<String>,
    Body(hold): Body<Hold>,
) -> Result<StatusCode, Failure> {
    if hold.announcement.as_ref().is_some_and(|text| text.len() > MAX_SAY_BYTES) {
        return Err(bad("announcement", "must have at most 2000 bytes"));
    }
    order(&state, &id, CallOrder::Hold { announcement: hold.announcement })
}

async fn resume(State(state): State<Arc<ConsoleState>>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let calls = state.calls.as_ref().ok_or_else(no_call)?;
    calls.resume(&SessionId::new(id)).await.map_err(|error| from_voice(&error))?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCall {
    to: String,
    from: Option<String>,
    send_digits: Option<String>,
    ring_timeout_s: Option<u64>,
    #[serde(default)]
    as_text: bool,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// Calls somebody.
async fn place(
    State(state): State<Arc<ConsoleState>>,
    Body(new): Body<NewCall>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let calls = state.calls.as_ref().ok_or_else(|| {
        let reason = "calls are switched off: set TWILIO_PHONE_NUMBER and TWILIO_WEBHOOK_URL".to_owned();
        Failure(StatusCode::SERVICE_UNAVAILABLE, codes::NO_CALLS, reason)
    })?;
    if state.readiness.is_stopping() {
        let reason = "the gateway is stopping".to_owned();
        return Err(Failure(StatusCode::SERVICE_UNAVAILABLE, codes::NO_CALLS, reason));
    }
    let mut config = SessionConfig::to(number("to", &new.to)?);
    config.from = new.from.as_deref().map(|from| number("from", from)).transpose()?;
    config.send_digits = new.send_digits;
    config.as_text = new.as_text;
    config.metadata = new.metadata;
    if let Some(seconds) = new.ring_timeout_s {
        config.ring_timeout = Duration::from_secs(seconds);
    }
    let session = calls.place(config).await.map_err(|error| from_voice(&error))?;
    let placed = json!({ "call": session.id().as_str(), "provider_call": session.call() });
    Ok((StatusCode::CREATED, Json(placed)))
}

fn from_voice(error: &VoiceError) -> Failure {
    let status = match error.code() {
        ErrorCode::InvalidConfig => StatusCode::BAD_REQUEST,
        ErrorCode::SessionNotFound => StatusCode::NOT_FOUND,
        ErrorCode::RateLimit => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::CallFailed => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Failure(status, error.code().as_str(), error.to_string())
}

async fn recording(State(state): State<Arc<ConsoleState>>, Path(id): Path<String>) -> Result<Response, Failure> {
    let missing = || Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, "this call was not recorded".to_owned());
    let row = state.store.call(&id).await?.ok_or_else(no_call)?;
    let folder = state.calls.as_ref().and_then(Calls::recordings).ok_or_else(missing)?;
    let path = row.recording.as_deref().and_then(|name| recording_path(folder, name)).ok_or_else(missing)?;
    let file = tokio::fs::File::open(path).await.map_err(|_| missing())?;
    let length = file.metadata().await.map_err(|_| missing())?.len();
    let headers = [
        (header::CONTENT_TYPE, "audio/wav".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, axum::body::Body::from_stream(ReaderStream::new(file))).into_response())
}
