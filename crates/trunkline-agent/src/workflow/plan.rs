//! What may run next.
//!
//! A pure function of the states of a run's steps, so that a run that is taken up after a crash goes on as it would have.
//! A step is settled once and for all; a step begins only when what it needs is settled.

use super::Branch;
use super::definition::{Join, Node, Workflow};

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StepState {
    /// Not begun.
    #[default]
    Pending,
    /// A try is under way, or was when the process ended.
    Running,
    /// It waits for an event or a time.
    Waiting,
    /// A try has failed, and there will be another one.
    Retrying,
    /// Done.
    Done,
    /// Failed for good.
    Failed,
    /// Passed over.
    Skipped,
    /// The run ended before it was done.
    Cancelled,
}

impl StepState {
    const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Retrying,
        Self::Done,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The word in the store and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that this word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether it stays so.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// A step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepStatus {
    /// How far it has come.
    pub state: StepState,
    /// Which way it went, if it has two.
    pub branch: Option<Branch>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was to be done is done.
    Done,
    /// A step failed, and another one made good for it.
    Compensated,
    /// A step failed, and nothing made good for it.
    Failed,
}

impl Outcome {
    /// The word in the store, in metrics and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Compensated => "compensated",
            Self::Failed => "failed",
        }
    }
}

/// What is to be done with a run now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Steps that may begin.
    pub start: Vec<usize>,
    /// Steps that are passed over.
    pub skip: Vec<usize>,
    /// How the run ended, if nothing is left to be done. Steps that are not settled then are cancelled.
    pub outcome: Option<Outcome>,
}

/// Plans a run whose steps, by the places of their nodes, are so. A step that is missing is pending.
pub fn plan(workflow: &Workflow, steps: &[StepStatus]) -> Plan {
    let mut now: Vec<StepStatus> =
        (0..workflow.nodes.len()).map(|at| steps.get(at).copied().unwrap_or_default()).collect();
    let failed = |at: &usize| now.get(*at).is_some_and(|step| step.state == StepState::Failed);
    let is_failing = workflow.nodes.iter().enumerate().any(|(at, node)| failed(&at) && node.on_failure.is_none());
    if is_failing {
        // What is under way is let finish: its effect would be there without a trace.
        let is_busy = now.iter().any(|step| step.state == StepState::Running);
        return Plan { outcome: (!is_busy).then_some(Outcome::Failed), ..Plan::default() };
    }
    let mut plan = Plan::default();
    // Each node stands behind all that it needs, so that one pass sees all that follows from skipping.
    for (at, node) in workflow.nodes.iter().enumerate() {
        if now.get(at).is_none_or(|step| step.state != StepState::Pending) {
            continue;
        }
        match fate(workflow, node, at, &now) {
            Fate::Later => {}
            Fate::Start => plan.start.push(at),
            Fate::Skip => {
                plan.skip.push(at);
                if let Some(step) = now.get_mut(at) {
                    step.state = StepState::Skipped;
                }
            }
        }
    }
    if now.iter().all(|step| step.state.is_settled()) {
        let any_failed = now.iter().any(|step| step.state == StepState::Failed);
        plan.outcome = Some(if any_failed { Outcome::Compensated } else { Outcome::Done });
    }
    plan
}

enum Fate {
    Start,
    Skip,
    Later,
}

/// What an edge says: the way is open, closed, or not known yet.
#[derive(PartialEq, Eq)]
enum Edge {
    Open,
    Closed,
    Unknown,
}

fn fate(workflow: &Workflow, node: &Node, at: usize, now: &[StepStatus]) -> Fate {
    if node.is_compensation {
        let of = workflow.nodes.iter().zip(now).filter(|(other, _)| other.on_failure == Some(at));
        let mut all_settled = true;
        for (_, step) in of {
            if step.state == StepState::Failed {
                return Fate::Start;
            }
            all_settled &= step.state.is_settled();
        }
        return if all_settled { Fate::Skip } else { Fate::Later };
    }
    let edges: Vec<_> = node.needs.iter().map(|need| edge(need.branch, now.get(need.node).copied())).collect();
    let (open, closed) = (
        edges.iter().filter(|edge| **edge == Edge::Open).count(),
        edges.iter().filter(|edge| **edge == Edge::Closed).count(),
    );
    match node.join {
        _ if edges.is_empty() => Fate::Start,
        Join::All if closed > 0 => Fate::Skip,
        Join::All if open == edges.len() => Fate::Start,
        Join::Any if open > 0 => Fate::Start,
        Join::Any if closed == edges.len() => Fate::Skip,
        _ => Fate::Later,
    }
}

fn edge(branch: Option<Branch>, step: Option<StepStatus>) -> Edge {
    let Some(step) = step else { return Edge::Closed };
    match step.state {
        StepState::Done if branch.is_none() || branch == step.branch => Edge::Open,
        StepState::Done | StepState::Failed | StepState::Skipped | StepState::Cancelled => Edge::Closed,
        _ => Edge::Unknown,
    }
}
