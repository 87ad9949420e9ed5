//! A run as its worker knows it.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use trunkline_agent::workflow::{Branch, Scope, StepState, StepStatus, Workflow};
use trunkline_core::Pii;
use trunkline_store::{RunRow, StepRow};

/// A run.
pub(super) struct Run {
    pub(super) row: RunRow,
    pub(super) workflow: Arc<Workflow>,
    pub(super) event: Value,
    /// By the places of their nodes.
    pub(super) steps: Vec<Step>,
    pub(super) begun: Instant,
}

/// A step.
#[derive(Clone, Default)]
pub(super) struct Step {
    pub(super) status: StepStatus,
    /// Tries, this one included.
    pub(super) attempts: u32,
    /// When its first try began.
    pub(super) begun_at: Option<Timestamp>,
    pub(super) output: Value,
    pub(super) error: Option<String>,
    /// A worker of this process has it in hand.
    pub(super) is_in_hand: bool,
}

impl Run {
    pub(super) fn new(row: RunRow, workflow: Arc<Workflow>, rows: &[StepRow]) -> Self {
        let event = serde_json::from_str(row.event.expose()).unwrap_or_default();
        let steps = vec![Step::default(); workflow.nodes.len()];
        let mut run = Self { row, workflow, event, steps, begun: Instant::now() };
        run.read(rows);
        run
    }

    /// Takes over what the store says, but for steps that are in hand here.
    pub(super) fn read(&mut self, rows: &[StepRow]) {
        for row in rows {
            let Some(at) = self.workflow.node(&row.node) else { continue };
            let Some(step) = self.steps.get_mut(at).filter(|step| !step.is_in_hand) else { continue };
            let state = match StepState::from_name(&row.state) {
                // Nobody has it in hand: whoever had is gone, and it is tried again.
                Some(StepState::Running) | None => StepState::Pending,
                Some(state) => state,
            };
            step.status = StepStatus { state, branch: row.branch.as_deref().and_then(Branch::from_name) };
            step.attempts = row.attempts;
            step.begun_at = row.begun_at;
            step.error.clone_from(&row.error_code);
            let output = row.output.as_ref().map(Pii::expose);
            step.output = output.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        }
    }

    pub(super) fn statuses(&self) -> Vec<StepStatus> {
        self.steps.iter().map(|step| step.status).collect()
    }

    /// What expressions of its nodes see.
    pub(super) fn scope(&self) -> Scope {
        let steps = self.workflow.nodes.iter().zip(&self.steps);
        let begun = steps.filter(|(_, step)| step.status.state != StepState::Pending || step.attempts > 0);
        let steps: Map<_, _> = begun.map(|(node, step)| (node.name.clone(), step.shown())).collect();
        let run = json!({
            "id": self.row.id,
            "workflow": self.row.workflow,
            "started": self.row.created_at.to_string(),
        });
        Scope::new().with("event", &self.event).with("steps", &Value::Object(steps)).with("run", &run)
    }

    /// The name under which a step has its effect: the same at each try, also after a restart or a replay.
    pub(super) fn effect_name(&self, at: usize) -> String {
        let node = self.workflow.nodes.get(at).map_or("", |node| node.name.as_str());
        format!("workflow-{}-{node}", self.row.id)
    }

    /// When what a step comes directly after began: an event that came since is not missed by a wait.
    pub(super) fn listens_since(&self, at: usize) -> Timestamp {
        let needs = self.workflow.nodes.get(at).into_iter().flat_map(|node| &node.needs);
        let begun = needs.filter_map(|need| self.steps.get(need.node)?.begun_at).min();
        begun.unwrap_or(self.row.created_at)
    }

    /// The node that failed, and why.
    pub(super) fn failure(&self) -> (Option<String>, Option<String>) {
        let failed = self.workflow.nodes.iter().zip(&self.steps);
        let mut failed = failed.filter(|(_, step)| step.status.state == StepState::Failed);
        // What nothing makes good for says more than what something does.
        let worst = failed.clone().find(|(node, _)| node.on_failure.is_none()).or_else(|| failed.next());
        worst.map_or((None, None), |(node, step)| (Some(node.name.clone()), step.error.clone()))
    }
}

impl Step {
    fn shown(&self) -> Value {
        json!({
            "state": self.status.state.as_str(),
            "output": self.output,
            "error": self.error.clone().unwrap_or_default(),
        })
    }
}
