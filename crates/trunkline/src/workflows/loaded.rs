//! The definitions that are in force: those of the folder as it was last read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trunkline_agent::workflow::{Kind, Trigger, Workflow};

/// Definitions, and what follows from all of them.
pub(super) struct Loaded {
    /// By name.
    pub(super) workflows: BTreeMap<String, Arc<Workflow>>,
    /// Types of events that start a run.
    pub(super) starts: BTreeSet<&'static str>,
    /// Types of events that some step may wait for: of these definitions, and of those that runs under way began with.
    pub(super) awaited: BTreeSet<String>,
}

impl Loaded {
    /// These definitions, beside runs that wait for events of `still_awaited`.
    pub(super) fn new(
        workflows: impl IntoIterator<Item = Arc<Workflow>>,
        still_awaited: impl IntoIterator<Item = String>,
    ) -> Self {
        let workflows: BTreeMap<_, _> = workflows.into_iter().map(|one| (one.name.clone(), one)).collect();
        let starts = workflows.values().flat_map(|workflow| starting(workflow)).collect();
        let waits = workflows.values().flat_map(|workflow| awaited(workflow)).map(str::to_owned);
        let awaited = waits.chain(still_awaited).collect();
        Self { workflows, starts, awaited }
    }

    /// Whether these are the same texts.
    pub(super) fn is_same(&self, workflows: &[Workflow]) -> bool {
        let has = |one: &Workflow| self.workflows.get(&one.name).is_some_and(|known| known.revision == one.revision);
        self.workflows.len() == workflows.len() && workflows.iter().all(has)
    }

    /// The definition of a revision.
    pub(super) fn revision(&self, revision: &str) -> Option<&Arc<Workflow>> {
        self.workflows.values().find(|workflow| workflow.revision == revision)
    }
}

/// Types of events that steps of a workflow wait for.
fn awaited(workflow: &Workflow) -> impl Iterator<Item = &'static str> {
    let waits = workflow.nodes.iter().filter_map(|node| match &node.kind {
        Kind::Wait { event: Some(event), .. } => Some(event.events.iter().map(|event| event.name)),
        _ => None,
    });
    waits.flatten()
}

/// Types of events that start a workflow.
fn starting(workflow: &Workflow) -> impl Iterator<Item = &'static str> {
    workflow.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Event { event, .. } => Some(event.name),
        _ => None,
    })
}
