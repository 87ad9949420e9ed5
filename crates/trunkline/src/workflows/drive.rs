//! Works on one run: plans, carries out, saves, until nothing is left to be done now.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use trunkline_agent::workflow::{Branch, Kind, Outcome, StepState, plan};
use trunkline_core::Pii;
use trunkline_store::{RunEnd, SavedRun, StepChange, StoreError, WaitRow, Waiting};

use super::codes;
use super::engine::Workflows;
use super::event::Event;
use super::run::Run;
use super::step::{self, StepDone, StepError};
use crate::telemetry::set_parent;

/// The wait before the store is asked again when it could not be used.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const MAX_BACKOFF: Duration = Duration::from_hours(1);

type Carried = BoxFuture<'static, (usize, Result<StepDone, StepError>)>;
/// Steps that are carried out, each by a task of its own: one that holds the store's writer must go on while the run is
/// being saved. Dropped, they end.
type InHand = FuturesUnordered<AbortOnDropHandle<(usize, Result<StepDone, StepError>)>>;

/// Whether a run is looked at again from its beginning.
enum Next {
    Again,
    Over,
}

/// What one look at a run came to.
#[derive(Default)]
struct Round {
    changes: Vec<StepChange>,
    /// Steps that have an effect, to be begun once that is noted.
    begin: Vec<usize>,
    /// Steps that wait from now on.
    waits: Vec<usize>,
    outcome: Option<Outcome>,
}

impl Workflows {
    /// Has somebody work on a run that is claimed. `since` is when the event came that begins it.
    pub(super) fn work(&self, run_id: String, place: OwnedSemaphorePermit, since: Option<Instant>) {
        let engine = self.clone();
        let changed = Arc::new(Notify::new());
        self.0.working.lock().unwrap_or_else(PoisonError::into_inner).insert(run_id.clone(), Arc::clone(&changed));
        let stop = self.0.stop.clone();
        self.0.tasks.spawn(async move {
            let _place = place;
            let working = Working { engine: engine.clone(), run_id: run_id.clone(), changed: Arc::clone(&changed) };
            tokio::select! {
                () = drive(&engine, &run_id, &changed, since) => {}
                // What is in hand comes again after the next start.
                () = stop.cancelled() => {}
            }
            drop(working);
        });
    }
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

async fn drive(engine: &Workflows, run_id: &str, changed: &Notify, mut since: Option<Instant>) {
    // A place of the whole gateway, beside that of the workflow.
    let Ok(_overall) = Arc::clone(&engine.0.overall).acquire_owned().await else { return };
    loop {
        match Box::pin(worked(engine, run_id, changed, &mut since)).await {
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

async fn worked(
    engine: &Workflows,
    run_id: &str,
    changed: &Notify,
    since: &mut Option<Instant>,
) -> Result<Next, StoreError> {
    let store = &engine.0.context.store;
    let Some(row) = store.workflow_run(run_id).await?.filter(|row| row.state == "running") else {
        return Ok(Next::Over);
    };
    let Some(workflow) = engine.definition(&row.revision).await? else {
        store.stop_run(run_id, Some(codes::NO_DEFINITION), engine.0.clock.now()).await?;
        return Ok(Next::Over);
    };
    let rows = store.workflow_steps(run_id).await?;
    let run = Run::new(row, workflow, &rows);
    let span = tracing::info_span!(
        "workflow_run",
        workflow.name = run.row.workflow,
        workflow.run = run_id,
        run.outcome = tracing::field::Empty,
        error.code = tracing::field::Empty,
    );
    set_parent(&span, run.row.traceparent.as_deref());
    rounds(engine, run, changed, since).instrument(span).await
}

async fn rounds(
    engine: &Workflows,
    mut run: Run,
    changed: &Notify,
    since: &mut Option<Instant>,
) -> Result<Next, StoreError> {
    let (store, clock) = (&engine.0.context.store, &engine.0.clock);
    let mut in_hand = InHand::new();
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
        for at in round.begin {
            if let Some(since) = since.take() {
                engine.0.context.metrics.workflow_first_step(since.elapsed());
            }
            let carried = carried_out(engine, &run, at);
            in_hand.push(AbortOnDropHandle::new(engine.0.tasks.spawn(carried)));
        }
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

/// Plans until everything that needs nobody else is done.
fn look(run: &mut Run, now: Timestamp) -> Round {
    let mut round = Round::default();
    let workflow = Arc::clone(&run.workflow);
    loop {
        let next = plan(&workflow, &run.statuses());
        if next.start.is_empty() && next.skip.is_empty() {
            round.outcome = next.outcome;
            return round;
        }
        for at in next.skip {
            let change = mark(run, at, StepState::Skipped);
            round.changes.extend(change);
        }
        for at in next.start {
            let change = begin(run, at, now, &mut round);
            round.changes.extend(change);
        }
    }
}

/// A step as it is now, to be saved.
fn mark(run: &mut Run, at: usize, state: StepState) -> Option<StepChange> {
    let node = run.workflow.nodes.get(at)?.name.clone();
    run.steps.get_mut(at)?.status.state = state;
    Some(StepChange { node, state: state.as_str(), ..StepChange::default() })
}

fn fail(run: &mut Run, at: usize, code: &str) -> Option<StepChange> {
    let change = mark(run, at, StepState::Failed)?;
    run.steps.get_mut(at)?.error = Some(code.to_owned());
    Some(StepChange { error_code: Some(code.to_owned()), ..change })
}

/// Begins a step. What has no effect is done at once.
fn begin(run: &mut Run, at: usize, now: Timestamp, round: &mut Round) -> Option<StepChange> {
    let workflow = Arc::clone(&run.workflow);
    let node = workflow.nodes.get(at)?;
    let attempts = run.steps.get(at)?.attempts;
    let scope = run.scope();
    match node.when.as_ref().filter(|_| attempts == 0).map(|when| when.holds(&scope)) {
        Some(Ok(false)) => return mark(run, at, StepState::Skipped),
        Some(Err(error)) => return fail(run, at, error.code()),
        Some(Ok(true)) | None => {}
    }
    match &node.kind {
        Kind::Join => done(run, at, None, json!({})),
        Kind::Condition { test } => match test.holds(&scope) {
            Ok(is) => done(run, at, Some(if is { Branch::Yes } else { Branch::No }), json!({ "is": is })),
            Err(error) => fail(run, at, error.code()),
        },
        Kind::Wait { event, within, until } => {
            let due_at = match (within, until) {
                (Some(within), _) => SignedDuration::try_from(*within).ok().and_then(|time| now.checked_add(time).ok()),
                (None, Some(until)) => match until.text(&scope).map(|text| text.parse::<Timestamp>()) {
                    Ok(Ok(until)) => Some(until),
                    Ok(Err(_)) => return fail(run, at, codes::BAD_VALUE),
                    Err(error) => return fail(run, at, error.code()),
                },
                (None, None) => None,
            };
            let about = event.as_ref().and_then(|event| event.about.as_ref()).map(|about| about.text(&scope));
            let about = match about.transpose() {
                Ok(about) => Pii::new(about.unwrap_or_default()),
                Err(error) => return fail(run, at, error.code()),
            };
            let events = event.iter().flat_map(|event| &event.events);
            let waits = events.map(|event| Waiting { event_type: event.name.to_owned(), about: about.clone() });
            let waits = waits.collect();
            round.waits.push(at);
            let step = run.steps.get_mut(at)?;
            step.begun_at = step.begun_at.or(Some(now));
            let change = mark(run, at, StepState::Waiting)?;
            Some(StepChange { due_at, waits, ..change })
        }
        _ if attempts >= node.retry.attempts => fail(run, at, codes::INTERRUPTED),
        _ => {
            let step = run.steps.get_mut(at)?;
            step.attempts += 1;
            step.is_in_hand = true;
            step.begun_at = step.begun_at.or(Some(now));
            round.begin.push(at);
            let change = mark(run, at, StepState::Running)?;
            Some(StepChange { is_try: true, ..change })
        }
    }
}

fn done(run: &mut Run, at: usize, branch: Option<Branch>, output: Value) -> Option<StepChange> {
    let change = mark(run, at, StepState::Done)?;
    let step = run.steps.get_mut(at)?;
    step.status.branch = branch;
    let kept = Pii::new(output.to_string());
    step.output = output;
    Some(StepChange { branch: branch.map(Branch::as_str), output: Some(kept), ..change })
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

/// What a step came to, to be saved.
fn settle(run: &mut Run, at: usize, result: Result<StepDone, StepError>, now: Timestamp) -> StepChange {
    let workflow = Arc::clone(&run.workflow);
    if let Some(step) = run.steps.get_mut(at) {
        step.is_in_hand = false;
    }
    let retry = workflow.nodes.get(at).map(|node| node.retry);
    let attempts = run.steps.get(at).map_or(u32::MAX, |step| step.attempts);
    let change = match result {
        Ok(did) => {
            let change = done(run, at, None, did.output);
            change.map(|change| StepChange { effect_id: did.effect_id, ..change })
        }
        Err(error) => match retry.filter(|retry| error.may_retry && attempts < retry.attempts) {
            Some(retry) => {
                let wait = backoff(retry.backoff, attempts).max(error.after);
                let due = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
                let change = mark(run, at, StepState::Retrying);
                change.map(|it| StepChange { due_at: due, error_code: Some(error.code.to_owned()), ..it })
            }
            None => fail(run, at, error.code),
        },
    };
    change.unwrap_or_default()
}

/// Exponential with full jitter, but never less than a tenth, so that nothing is tried again at once.
fn backoff(first: Duration, attempts: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(u32::MAX);
    let ceiling = first.saturating_mul(doubled).min(MAX_BACKOFF);
    ceiling.mul_f64(rand::random_range(0.1..=1.0))
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
