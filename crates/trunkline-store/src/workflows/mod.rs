//! Workflows: runs, their steps, what they wait for. All that outlives a process is here.
//!
//! - A run is begun once for each thing that starts it ([`Store::begin_runs`]): its key is unique.
//! - A run in `running` has one worker. Whatever changes it from outside ([`Store::finish_wait`], a cancellation) makes its
//!   version grow, and the worker does not put it aside unseen ([`Store::save_steps`]).
//! - A wait is finished once: by its event or by its time, whichever is first.

mod pages;
mod people;
mod runs;
mod steps;
mod waits;

use jiff::Timestamp;
use sqlx::FromRow;
use trunkline_core::Pii;

pub use pages::RunCounts;
pub use runs::NewRun;
pub use steps::{RunEnd, SavedRun, StepChange, Waiting};
pub use waits::{DueStep, Fact, WaitRow};

use crate::StoreError;
use crate::store::timestamp;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its name.
    pub id: String,
    /// The workflow.
    pub workflow: String,
    /// The text that it began with.
    pub revision: String,
    /// The event, as expressions see it, in JSON.
    pub event: Pii<String>,
    /// `queued`, `running`, `waiting`, `done`, `compensated`, `failed` or `cancelled`.
    pub state: String,
    /// Grows with every change from outside of who works on it.
    pub version: i64,
    /// How often an operator has had it go on.
    pub replays: i64,
    /// Why it failed.
    pub error_code: Option<String>,
    /// The node that failed.
    pub error_node: Option<String>,
    /// The trace that it belongs to.
    pub traceparent: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When something last happened to it.
    pub updated_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    workflow: String,
    revision: String,
    event: String,
    state: String,
    version: i64,
    replays: i64,
    error_code: Option<String>,
    error_node: Option<String>,
    traceparent: Option<String>,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

const RUN: &str = "SELECT id, workflow, revision, event, state, version, replays, error_code, error_node, traceparent,
                          created_at, updated_at, ended_at FROM workflow_run";

fn run(row: Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: row.id,
        workflow: row.workflow,
        revision: row.revision,
        event: Pii::new(row.event),
        state: row.state,
        version: row.version,
        replays: row.replays,
        error_code: row.error_code,
        error_node: row.error_node,
        traceparent: row.traceparent,
        created_at: timestamp(row.created_at, "workflow_run.created_at")?,
        updated_at: timestamp(row.updated_at, "workflow_run.updated_at")?,
        ended_at: row.ended_at.map(|at| timestamp(at, "workflow_run.ended_at")).transpose()?,
    })
}

/// A step of a run. One that has not begun has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// The node.
    pub node: String,
    /// `pending`, `running`, `waiting`, `retrying`, `done`, `failed`, `skipped` or `cancelled`.
    pub state: String,
    /// Which way it went, if it has two.
    pub branch: Option<String>,
    /// Tries so far.
    pub attempts: u32,
    /// When a wait is over, or the next try is due.
    pub due_at: Option<Timestamp>,
    /// What it came to, in JSON.
    pub output: Option<Pii<String>>,
    /// Why it failed.
    pub error_code: Option<String>,
    /// The far side's name for its effect.
    pub effect_id: Option<String>,
    /// When its first try began.
    pub begun_at: Option<Timestamp>,
    /// When something last happened to it.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Step {
    node: String,
    state: String,
    branch: Option<String>,
    attempts: i64,
    due_at: Option<i64>,
    output: Option<String>,
    error_code: Option<String>,
    effect_id: Option<String>,
    begun_at: Option<i64>,
    updated_at: i64,
}

fn step(row: Step) -> Result<StepRow, StoreError> {
    Ok(StepRow {
        node: row.node,
        state: row.state,
        branch: row.branch,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        due_at: row.due_at.map(|at| timestamp(at, "workflow_step.due_at")).transpose()?,
        output: row.output.map(Pii::new),
        error_code: row.error_code,
        effect_id: row.effect_id,
        begun_at: row.begun_at.map(|at| timestamp(at, "workflow_step.begun_at")).transpose()?,
        updated_at: timestamp(row.updated_at, "workflow_step.updated_at")?,
    })
}
