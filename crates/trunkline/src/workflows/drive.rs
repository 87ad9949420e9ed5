//! Works on one run: plans, carries out, saves, until nothing is left to be done now.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use trunkline_agent::workflow::{Kind, Outcome, Workflow};
use trunkline_store::{NewRun, RunEnd, RunRow, SavedRun, StepChange, StoreError, WaitRow};

use super::codes;
use super::engine::Workflows;
use super::event::Event;
use super::round::{look, settle};
use super::run::Run;
use super::step::{self, StepDone, StepError};
use crate::telemetry::set_parent;

/// The wait before the store is asked again when it could not be used.
const STORE_WAIT: Duration = Duration::from_secs(1);

type Carried = BoxFuture<'static, (usize, Result<StepDone, StepError>)>;
/// Steps that are carried out, each by a task of its own: one that holds the store's writer must go on while the run is
/// being saved. Dropped, they end.
type InHand = FuturesUnordered<AbortOnDropHandle<(usize, Result<StepDone, StepError>)>>;

/// Whether a run is looked at again from its beginning.
enum Next {
    Again,
    Over,
}

impl Workflows {
    /// Plans a run that is about to begin, so that its first steps begin with it. `None` if they do not, or if the whole
    /// gateway has no place for it now.
    pub(super) fn prepare(&self, workflow: &Arc<Workflow>, new: &mut NewRun, came: Instant) -> Option<Prepared> {
        let overall = Arc::clone(&self.0.overall).try_acquire_owned().ok()?;
        let row = RunRow {
            id: new.id.clone(),
            workflow: new.workflow.clone(),
            revision: new.revision.clone(),
            event: new.event.clone(),
            state: "running".to_owned(),
            version: 0,
            replays: 0,
            error_code: None,
            error_node: None,
            traceparent: new.traceparent.clone(),
            created_at: new.now,
            updated_at: new.now,
            ended_at: None,
        };
        let mut run = Run::new(row, Arc::clone(workflow), &[]);
        let round = look(&mut run, new.now);
        if round.begin.is_empty() || !round.waits.is_empty() || round.outcome.is_some() {
            return None;
        }
        new.steps = round.changes;
        Some(Prepared { run, begin: round.begin, came, overall })
    }

    /// Has somebody work on a run that is claimed.
    pub(super) fn work(&self, run_id: String, place: OwnedSemaphorePermit, prepared: Option<Prepared>) {
        let engine = self.clone();
        let changed = Arc::new(Notify::new());
        self.0.working.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id.clone(), Arc::clone(&changed));
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
            let _place = place;
            let working = Working { engine: engine.clone(), run_id: run_id.clone(), changed: Arc::clone(&changed) };
            tokio::select! {
                () = drive(&engine, &run_id, &changed, prepared) => {}
                // What is in hand comes again after the next start.
                () = stop.cancelled() => {}
            }
            drop(working);
        });
    }
}

/// A run whose first steps are noted, and have a place.
pub(super) struct Prepared {
    run: Run,
    begin: Vec<usize>,
    /// When the event came.
    came: Instant,
    overall: OwnedSemaphorePermit,
}

/// Leaves the list however the work ends, also by a panic.
struct Working {
    engine: Workflows,
    run_id: String,
    changed: Arc<Notify>,
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut working = self.engine.0.working.lock().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have taken the run up already.
        if working.get(&self.run_id).is_some_and(|changed| Arc::ptr_eq(changed, &self.changed)) {
            working.remove(&self.run_id);
        }
    }
}

async fn drive(engine: &Workflows, run_id: &str, changed: &Notify, prepared: Option<Prepared>) {
    // A place of the whole gateway, beside that of the workflow.
    let (mut first, _overall) = match prepared {
        Some(Prepared { run, begin, came, overall }) => {
            engine.0.context.metrics.workflow_first_step(came.elapsed());
            (Some((run, begin)), overall)
        }
        None => match Arc::clone(&engine.0.overall).acquire_owned().await {
            Ok(overall) => (None, overall),
            Err(_) => return,
        },
    };
    loop {
        let worked = async {
            match first.take() {
                Some((run, begin)) => in_its_span(engine, run, changed, begin).await,
                None => worked(engine, run_id, changed).await,
            }
        };
        match Box::pin(worked).await {
            Ok(Next::Over) => {
                engine.0.context.live.workflow_changed(run_id);
                return;
            }
            Ok(Next::Again) => {}
            Err(error) => {
                tracing::error!(error.code = error.code(), "a run of a workflow cannot be saved; trying again");
                tokio::time::sleep(STORE_WAIT).await;
            }
        }
    }
}

async fn worked(engine: &Workflows, run_id: &str, changed: &Notify) -> Result<Next, StoreError> {
    let store = &engine.0.context.store;
    let Some(row) = store.workflow_run(run_id).await?.filter(|row| row.state == "running") else {
        return Ok(Next::Over);
    };
    let Some(workflow) = engine.definition(&row.revision).await? else {
        store.stop_run(run_id, Some(codes::NO_DEFINITION), engine.0.clock.now()).await?;
        return Ok(Next::Over);
    };
    let rows = store.workflow_steps(run_id).await?;
    in_its_span(engine, Run::new(row, workflow, &rows), changed, Vec::new()).await
}

async fn in_its_span(engine: &Workflows, run: Run, changed: &Notify, begun: Vec<usize>) -> Result<Next, StoreError> {
    let span = tracing::info_span!(
        "workflow_run",
        workflow.name = run.row.workflow,
        workflow.run = run.row.id,
        run.outcome = tracing::field::Empty,
        error.code = tracing::field::Empty,
    );
    set_parent(&span, run.row.traceparent.as_deref());
    rounds(engine, run, changed, begun).instrument(span).await
}

async fn rounds(engine: &Workflows, mut run: Run, changed: &Notify, begun: Vec<usize>) -> Result<Next, StoreError> {
    let (store, clock) = (&engine.0.context.store, &engine.0.clock);
    let mut in_hand = InHand::new();
    begin_all(engine, &run, begun, &mut in_hand);
    let mut ended: Vec<StepChange> = Vec::new();
    loop {
        let now = clock.now();
        let mut round = look(&mut run, now);
        let mut changes = std::mem::take(&mut ended);
        changes.append(&mut round.changes);
        let is_idle = in_hand.is_empty() && round.begin.is_empty();
        let end = match round.outcome {
            Some(outcome) => Some(over(&run, outcome)),
            None if is_idle => Some(RunEnd::Waits { version: run.row.version }),
            None => None,
        };
        if !changes.is_empty() || end.is_some() {
            match store.save_steps(&run.row.id, &changes, end.as_ref(), now).await? {
                SavedRun::Saved => {}
                SavedRun::Changed => return Ok(Next::Again),
                SavedRun::Gone => return Ok(Next::Over),
            }
            engine.0.context.live.workflow_changed(&run.row.id);
        }
        for change in &changes {
            if let Some(due) = change.due_at {
                engine.due(due);
            }
        }
        for at in &round.waits {
            look_back(engine, &run, *at).await?;
        }
        match end {
            Some(RunEnd::Over { state, error_code, .. }) => {
                note_end(engine, &run, state, error_code.as_deref());
                return Ok(Next::Over);
            }
            Some(RunEnd::Waits { .. }) => return Ok(Next::Over),
            None => {}
        }
        begin_all(engine, &run, round.begin, &mut in_hand);
        tokio::select! {
            Some(Ok((at, result))) = in_hand.next() => ended.push(settle(&mut run, at, result, clock.now())),
            () = changed.notified() => {
                let Some(row) = store.workflow_run(&run.row.id).await?.filter(|row| row.state == "running") else {
                    return Ok(Next::Over);
                };
                run.row = row;
                run.read(&store.workflow_steps(&run.row.id).await?);
            }
        }
    }
}

/// Carries out steps that are noted as begun.
fn begin_all(engine: &Workflows, run: &Run, steps: Vec<usize>, in_hand: &mut InHand) {
    for at in steps {
        let carried = carried_out(engine, run, at);
        in_hand.push(AbortOnDropHandle::new(engine.0.tasks.spawn(carried)));
    }
}

/// Carries a step out, within its time. Whatever becomes of it is a value.
fn carried_out(engine: &Workflows, run: &Run, at: usize) -> Carried {
    let workflow = Arc::clone(&run.workflow);
    let Some((node, step)) = workflow.nodes.get(at).zip(run.steps.get(at)) else {
        return Box::pin(std::future::ready((at, Err(StepError::new(codes::NO_DEFINITION, "there is no such node")))));
    };
    let effect = step::Effect {
        engine: engine.clone(),
        scope: run.scope(),
        event: run.event.clone(),
        name: run.effect_name(at),
        attempt: step.attempts,
        is_first: step.attempts == 1 && run.row.replays == 0,
        begun_at: step.begun_at.unwrap_or(run.row.created_at),
        timeout: node.timeout,
    };
    let (kind, timeout) = (node.kind.as_str(), node.timeout);
    let span = tracing::info_span!(
        "workflow_step",
        workflow.node = node.name,
        workflow.kind = kind,
        workflow.attempt = step.attempts,
        error.code = tracing::field::Empty,
    );
    let metrics = engine.0.context.metrics.clone();
    let work = async move {
        let begun = Instant::now();
        let node_kind = workflow.nodes.get(at).map(|node| &node.kind);
        let work = AssertUnwindSafe(step::carry_out(&effect, node_kind)).catch_unwind();
        let result = match tokio::time::timeout(timeout, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StepError::new(codes::PANICKED, "the step panicked")),
            Err(_) => Err(StepError::new(codes::STEP_TIMEOUT, "the step took too long").retryable()),
        };
        let outcome = if result.is_ok() { "done" } else { "failed" };
        metrics.workflow_step(kind, outcome, begun.elapsed());
        if let Err(error) = &result {
            tracing::Span::current().record("error.code", error.code);
            tracing::warn!(error.code = error.code, reason = error.reason, "a step of a workflow did not work");
        }
        (at, result)
    };
    Box::pin(work.instrument(span))
}

/// An event may have been faster than the wait for it.
async fn look_back(engine: &Workflows, run: &Run, at: usize) -> Result<(), StoreError> {
    let Some(node) = run.workflow.nodes.get(at) else { return Ok(()) };
    let Kind::Wait { event: Some(awaited), .. } = &node.kind else { return Ok(()) };
    let scope = run.scope();
    let about = awaited.about.as_ref().and_then(|about| about.text(&scope).ok()).unwrap_or_default();
    for event in &awaited.events {
        let facts = engine.0.context.store.facts_since(event.name, run.listens_since(at)).await?;
        for fact in facts {
            let Ok(json) = serde_json::from_str::<Value>(fact.expose()) else { continue };
            let is_about = about.is_empty() || Event::about(&json).contains(&about.as_str());
            let is_own = json.get("id") == run.event.get("id");
            if is_about && !is_own && engine.fits(run, at, &json) {
                let wait = WaitRow { run_id: run.row.id.clone(), node: node.name.clone() };
                engine.came(&wait, &run.row.workflow, &json).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

fn over(run: &Run, outcome: Outcome) -> RunEnd {
    let (error_node, error_code) = run.failure();
    RunEnd::Over { state: outcome.as_str(), error_code, error_node }
}

fn note_end(engine: &Workflows, run: &Run, state: &'static str, error_code: Option<&str>) {
    let span = tracing::Span::current();
    span.record("run.outcome", state);
    span.record("error.code", error_code);
    engine.0.context.metrics.workflow_run(&run.row.workflow, state, run.begun.elapsed());
    if state == "failed" {
        tracing::error!(
            workflow.name = run.row.workflow,
            workflow.run = run.row.id,
            error.code = error_code,
            "a run of a workflow has failed; `trunkline workflow replay` has it go on"
        );
    }
}
