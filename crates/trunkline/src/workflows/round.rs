//! What becomes of the steps of a run, decided in memory and saved by who works on it: those that begin, those that are done
//! at once because they have no effect, and what those that were carried out came to.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use trunkline_agent::workflow::{Branch, Kind, Outcome, StepState, plan};
use trunkline_core::Pii;
use trunkline_store::{StepChange, Waiting};

use super::codes;
use super::run::Run;
use super::step::{StepDone, StepError};

/// The longest wait between two tries.
const MAX_BACKOFF: Duration = Duration::from_hours(1);

/// What one look at a run came to.
#[derive(Default)]
pub(super) struct Round {
    pub(super) changes: Vec<StepChange>,
    /// Steps that have an effect, to be begun once that is noted.
    pub(super) begin: Vec<usize>,
    /// Steps that wait from now on.
    pub(super) waits: Vec<usize>,
    pub(super) outcome: Option<Outcome>,
}

/// Plans until everything that needs nobody else is done.
pub(super) fn look(run: &mut Run, now: Timestamp) -> Round {
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

/// What a step came to, to be saved.
pub(super) fn settle(run: &mut Run, at: usize, result: Result<StepDone, StepError>, now: Timestamp) -> StepChange {
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
