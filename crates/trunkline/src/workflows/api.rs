//! `/api/v1/workflows`: what is loaded, what runs, and what an operator does with it.

use std::collections::BTreeMap;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use trunkline_agent::workflow::{Branch, Expression, Kind, Schedule, Trigger, Workflow};
use trunkline_store::{RunRow, StepRow, StoreError};

use super::codes;
use super::engine::{Workflows, run_due};
use super::event::MAX_EVENT_BYTES;
use crate::console::{Access, guarded};

/// The largest page.
const MAX_PAGE: u32 = 500;
/// The longest key of a request, in bytes.
const MAX_KEY_BYTES: usize = 200;
/// States of runs.
const STATES: &[&str] = &["queued", "running", "waiting", "done", "compensated", "failed", "cancelled"];

/// The routes; without workflows they say so.
pub(crate) fn workflow_routes(workflows: Option<Workflows>, access: &Access) -> Router {
    let routes = match workflows {
        Some(workflows) => Router::new()
            .route("/api/v1/workflows", get(list))
            .route("/api/v1/workflows/{name}", get(show))
            .route("/api/v1/workflows/{name}/runs", post(start))
            .route("/api/v1/workflow-runs", get(runs))
            .route("/api/v1/workflow-runs/{run}", get(run))
            .route("/api/v1/workflow-runs/{run}/replay", post(replay))
            .route("/api/v1/workflow-runs/{run}/cancel", post(cancel))
            .with_state(workflows),
        None => Router::new()
            .route("/api/v1/workflows", get(async || Json(json!({ "enabled": false, "workflows": [] }))))
            .route("/api/v1/workflows/{*rest}", get(off).post(off))
            .route("/api/v1/workflow-runs", get(off))
            .route("/api/v1/workflow-runs/{*rest}", get(off).post(off)),
    };
    guarded(routes, access)
}

struct Failure(StatusCode, &'static str, String);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.code(), error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({ "code": code, "message": message, "status": status.as_u16() }))).into_response()
    }
}

async fn off() -> Failure {
    let reason = "workflows are switched off: set TRUNKLINE_WORKFLOWS to the folder of their definitions".to_owned();
    Failure(StatusCode::NOT_FOUND, codes::OFF, reason)
}

fn bad(reason: &str) -> Failure {
    Failure(StatusCode::BAD_REQUEST, codes::BAD_REQUEST, reason.to_owned())
}

fn missing(what: &str) -> Failure {
    Failure(StatusCode::NOT_FOUND, codes::NOT_FOUND, format!("there is no such {what}"))
}

/// A workflow with its graph.
fn shown(workflow: &Workflow) -> Value {
    let nodes = workflow.nodes.iter().map(|node| {
        let name = |at: usize| workflow.nodes.get(at).map(|node| node.name.clone());
        let needs: Vec<_> = node
            .needs
            .iter()
            .map(|need| json!({ "node": name(need.node), "branch": need.branch.map(Branch::as_str) }))
            .collect();
        json!({
            "name": node.name,
            "kind": node.kind.as_str(),
            "needs": needs,
            "join": if needs.len() > 1 { Some(format!("{:?}", node.join).to_ascii_lowercase()) } else { None },
            "on_failure": node.on_failure.and_then(name),
            "compensation": node.is_compensation,
            "waits_for": waits_for(&node.kind),
        })
    });
    json!({
        "name": workflow.name,
        "description": workflow.description,
        "revision": workflow.revision,
        "startable": workflow.is_startable(),
        "triggers": workflow.triggers.iter().map(trigger).collect::<Vec<_>>(),
        "timeout_s": workflow.timeout.as_secs(),
        "at_once": workflow.at_once,
        "nodes": nodes.collect::<Vec<_>>(),
    })
}

fn waits_for(kind: &Kind) -> Vec<&'static str> {
    match kind {
        Kind::Wait { event: Some(event), .. } => event.events.iter().map(|event| event.name).collect(),
        _ => Vec::new(),
    }
}

fn trigger(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Event { event, when } => json!({ "on": event.name, "when": when.as_ref().map(Expression::text) }),
        Trigger::Schedule(Schedule::Every(every)) => json!({ "every_s": every.as_secs() }),
        Trigger::Schedule(Schedule::Cron(cron, zone)) => {
            json!({ "cron": cron.as_str(), "timezone": zone.iana_name().unwrap_or("UTC") })
        }
        Trigger::Request => json!({ "api": true }),
    }
}

async fn list(State(workflows): State<Workflows>) -> Result<Json<Value>, Failure> {
    let mut counts: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for row in workflows.0.context.store.run_counts().await? {
        counts.entry(row.workflow).or_default().insert(row.state, json!(row.runs));
    }
    let loaded = workflows.0.loaded();
    let listed = loaded.workflows.values().map(|workflow| {
        let mut shown = shown(workflow);
        if let Some(shown) = shown.as_object_mut() {
            let counts = counts.get(&workflow.name).cloned().unwrap_or_default();
            shown.insert("runs".to_owned(), Value::Object(counts));
        }
        shown
    });
    Ok(Json(json!({ "enabled": true, "workflows": listed.collect::<Vec<_>>() })))
}

async fn show(State(workflows): State<Workflows>, Path(name): Path<String>) -> Result<Json<Value>, Failure> {
    let loaded = workflows.0.loaded();
    let workflow = loaded.workflows.get(&name).ok_or_else(|| missing("workflow"))?;
    let mut shown = shown(workflow);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("source".to_owned(), json!(workflow.source));
    }
    Ok(Json(shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    /// What the run is about; `event.data` of its expressions.
    #[serde(default)]
    data: Map<String, Value>,
    /// Names the request: the same one begins one run.
    id: Option<String>,
}

/// 201 with the run that began; 200 if the same request began one before.
async fn start(
    State(workflows): State<Workflows>,
    Path(name): Path<String>,
    start: Result<Json<Start>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    // What was sent is not repeated: it may be somebody's words.
    let Json(start) = start.map_err(|_| bad("the body must be a JSON object with data, an object, and perhaps id"))?;
    let loaded = workflows.0.loaded();
    let workflow = loaded.workflows.get(&name).ok_or_else(|| missing("workflow"))?;
    if !workflow.is_startable() {
        let reason = "this workflow has no trigger with api = true".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::NOT_STARTABLE, reason));
    }
    if start.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_KEY_BYTES) {
        return Err(bad("id: must have 1 to 200 bytes"));
    }
    let data = Value::Object(start.data);
    if data.to_string().len() > MAX_EVENT_BYTES {
        return Err(bad("data: is larger than an event may be"));
    }
    let key = start.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let begun = workflows.begin(workflow, "request", &format!("request:{key}"), data).await?;
    if begun.is_new {
        return Ok((StatusCode::CREATED, Json(json!({ "run": begun.id, "new": true }))));
    }
    Ok((StatusCode::OK, Json(json!({ "run": null, "new": false }))))
}

#[derive(Deserialize)]
struct Page {
    workflow: Option<String>,
    state: Option<String>,
    limit: Option<u32>,
    before: Option<String>,
}

async fn runs(State(workflows): State<Workflows>, Query(page): Query<Page>) -> Result<Json<Value>, Failure> {
    let limit = page.limit.unwrap_or(50).clamp(1, MAX_PAGE);
    if page.state.as_ref().is_some_and(|state| !STATES.contains(&state.as_str())) {
        return Err(bad(&format!("state: must be one of {}", STATES.join(", "))));
    }
    let before = match page.before.as_deref() {
        None => None,
        Some(cursor) => {
            let read = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id)));
            Some(read.ok_or_else(|| bad("before: is not a cursor of this list"))?)
        }
    };
    let wanted = (page.workflow.as_deref(), page.state.as_deref());
    let rows = workflows.0.context.store.latest_runs(wanted, limit, before).await?;
    let more = rows.len() == limit as usize;
    let next = rows.last().filter(|_| more).map(|row| format!("{}.{}", row.created_at.as_millisecond(), row.id));
    Ok(Json(json!({ "runs": rows.iter().map(summary).collect::<Vec<_>>(), "next": next })))
}

fn summary(row: &RunRow) -> Value {
    json!({
        "run": row.id,
        "workflow": row.workflow,
        "state": row.state,
        "error_code": row.error_code,
        "error_node": row.error_node,
        "replays": row.replays,
        "started": row.created_at.to_string(),
        "updated": row.updated_at.to_string(),
        "ended": row.ended_at.map(|at| at.to_string()),
    })
}

fn step(row: &StepRow) -> Value {
    let output: Value = row.output.as_ref().and_then(|it| serde_json::from_str(it.expose()).ok()).unwrap_or_default();
    json!({
        "node": row.node,
        "state": row.state,
        "branch": row.branch,
        "attempts": row.attempts,
        "due": row.due_at.map(|at| at.to_string()),
        "output": output,
        "error_code": row.error_code,
        "begun": row.begun_at.map(|at| at.to_string()),
        "updated": row.updated_at.to_string(),
    })
}

async fn run(State(workflows): State<Workflows>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let store = &workflows.0.context.store;
    let row = store.workflow_run(&id).await?.ok_or_else(|| missing("run"))?;
    let steps = store.workflow_steps(&id).await?;
    let mut body = summary(&row);
    if let Some(body) = body.as_object_mut() {
        let event: Value = serde_json::from_str(row.event.expose()).unwrap_or_default();
        body.insert("event".to_owned(), event);
        body.insert("steps".to_owned(), steps.iter().map(step).collect());
        // The graph that it began with, which may be another one by now.
        let definition = workflows.definition(&row.revision).await?;
        body.insert("definition".to_owned(), definition.map(|workflow| shown(&workflow)).unwrap_or_default());
    }
    Ok(Json(body))
}

async fn replay(State(workflows): State<Workflows>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let store = &workflows.0.context.store;
    let row = store.workflow_run(&id).await?.ok_or_else(|| missing("run"))?;
    let Some(workflow) = workflows.definition(&row.revision).await? else {
        let reason = "the text that the run began with cannot be read".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::NO_DEFINITION, reason));
    };
    let now = workflows.0.clock.now();
    let due = run_due(&workflow, now);
    if !store.replay_run(&id, now, due).await? {
        let reason = "only a run that failed, was made good for or was cancelled goes on again".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::WRONG_STATE, reason));
    }
    workflows.due(due);
    workflows.has_work(&id, &row.workflow);
    Ok(Json(json!({ "run": id, "state": "queued" })))
}

async fn cancel(State(workflows): State<Workflows>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    let store = &workflows.0.context.store;
    let row = store.workflow_run(&id).await?.ok_or_else(|| missing("run"))?;
    if !store.stop_run(&id, None, workflows.0.clock.now()).await? {
        let reason = "the run is over already".to_owned();
        return Err(Failure(StatusCode::CONFLICT, codes::WRONG_STATE, reason));
    }
    workflows.has_work(&id, &row.workflow);
    Ok(Json(json!({ "run": id, "state": "cancelled" })))
}
