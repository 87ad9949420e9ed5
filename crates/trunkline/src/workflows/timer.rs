//! What happens because it is time: waits end, steps are tried again, schedules begin runs, runs have taken too long, old
//! ones are forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use trunkline_agent::workflow::{Schedule, Trigger};
use trunkline_store::{DueStep, StoreError, WaitRow};

use super::codes;
use super::engine::Workflows;
use super::event::kept;

/// Steps that are dealt with at once.
const BATCH: u32 = 500;
/// The longest sleep.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// The wait before the store is asked again when it could not be used.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// How often what is old is forgotten.
const FORGET_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// How long events are kept for waits that begin a moment later.
const FACTS_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Runs that are forgotten at once.
const FORGOTTEN: u32 = 1_000;

/// The timer.
pub(super) struct Timer {
    engine: Workflows,
    /// When each schedule began a run last, and which one it was: by cursor.
    fired: BTreeMap<String, (String, Timestamp)>,
    forgot_at: Option<Timestamp>,
}

impl Timer {
    pub(super) const fn new(engine: Workflows) -> Self {
        Self { engine, fired: BTreeMap::new(), forgot_at: None }
    }

    /// Works until `stop`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not done is due at the next start.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let engine = self.engine.clone();
        let mut moves = engine.0.clock.moves();
        loop {
            let sleep = match self.look().await {
                Ok(next) => {
                    let now = engine.0.clock.now();
                    engine.looks_next(next);
                    Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO).min(MAX_SLEEP)
                }
                Err(error) => {
                    tracing::error!(error.code = error.code(), "what is due cannot be told; trying again");
                    STORE_WAIT
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(sleep) => {}
                () = engine.0.timer.notified() => {}
                () = moves.next() => {}
            }
        }
    }

    /// Deals with everything that is due, and says when to look again.
    async fn look(&mut self) -> Result<Timestamp, StoreError> {
        let engine = self.engine.clone();
        let (store, clock) = (&engine.0.context.store, &engine.0.clock);
        // Whoever finds something due while this looks wakes it again.
        engine.looks_next(Timestamp::MAX);
        loop {
            let due = store.due_steps(clock.now(), BATCH).await?;
            for step in &due {
                self.end_step(step).await?;
            }
            let overdue = store.overdue_runs(clock.now(), BATCH).await?;
            for run in &overdue {
                self.end_run(run).await?;
            }
            if due.len() < BATCH as usize && overdue.len() < BATCH as usize {
                break;
            }
        }
        let schedules = self.schedules().await?;
        self.forget().await?;
        let next = store.next_due().await?.into_iter().chain(schedules).min();
        let latest = clock.now().checked_add(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX);
        Ok(next.map_or(latest, |next| next.min(latest)))
    }

    async fn end_step(&self, step: &DueStep) -> Result<(), StoreError> {
        let (store, now) = (&self.engine.0.context.store, self.engine.0.clock.now());
        let goes_on = if step.state == "retrying" {
            store.retry_step(&step.run_id, &step.node, now).await?
        } else {
            let wait = WaitRow { run_id: step.run_id.clone(), node: step.node.clone() };
            store.finish_wait(&wait, "time", &kept(&json!({ "came": "time" })), now).await?
        };
        if goes_on {
            self.engine.has_work(&step.run_id, &step.workflow);
        }
        Ok(())
    }

    async fn end_run(&self, run_id: &str) -> Result<(), StoreError> {
        let (context, now) = (&self.engine.0.context, self.engine.0.clock.now());
        let Some(run) = context.store.workflow_run(run_id).await? else { return Ok(()) };
        if context.store.stop_run(run_id, Some(codes::RUN_TIMEOUT), now).await? {
            tracing::error!(
                workflow.name = run.workflow,
                workflow.run = run_id,
                error.code = codes::RUN_TIMEOUT,
                "a run of a workflow took too long"
            );
            let lasted = Duration::try_from(now.duration_since(run.created_at)).unwrap_or_default();
            context.metrics.workflow_run(&run.workflow, "failed", lasted);
            self.engine.has_work(run_id, &run.workflow);
        }
        Ok(())
    }

    /// Begins what schedules begin, once for each time, also for one that was missed. The next of those times.
    async fn schedules(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let engine = self.engine.clone();
        let mut next = None::<Timestamp>;
        for workflow in engine.0.loaded().workflows.values() {
            for (at, trigger) in workflow.triggers.iter().enumerate() {
                let Trigger::Schedule(schedule) = trigger else { continue };
                let name = format!("workflow:{}:{at}", workflow.name);
                let due = self.due(&name, schedule).await?;
                let now = engine.0.clock.now();
                if let Some(due) = due.filter(|due| *due <= now) {
                    let key = format!("schedule:{at}:{due}");
                    engine.begin(workflow, "schedule", &key, json!({ "due": due.to_string() })).await?;
                    engine.0.context.store.set_cursor(&name, now.as_millisecond()).await?;
                    self.fired.insert(name.clone(), (words(schedule), now));
                }
                let coming = self.due(&name, schedule).await?;
                next = next.into_iter().chain(coming).min();
            }
        }
        Ok(next)
    }

    /// The first time of a schedule after it last began a run. One that is new begins none for the past.
    async fn due(&mut self, name: &str, schedule: &Schedule) -> Result<Option<Timestamp>, StoreError> {
        let known = self.fired.get(name);
        if let Some((_, fired)) = known.filter(|(which, _)| *which == words(schedule)) {
            return Ok(schedule.next(*fired));
        }
        // One that takes the place of another is new.
        let is_changed = known.is_some();
        let (store, now) = (&self.engine.0.context.store, self.engine.0.clock.now());
        let known = store.cursor(name).await?.and_then(|at| Timestamp::from_millisecond(at).ok());
        let known = known.filter(|_| !is_changed);
        if known.is_none() {
            store.set_cursor(name, now.as_millisecond()).await?;
        }
        let fired = known.unwrap_or(now);
        self.fired.insert(name.to_owned(), (words(schedule), fired));
        Ok(schedule.next(fired))
    }

    async fn forget(&mut self) -> Result<(), StoreError> {
        let (inner, now) = (&self.engine.0, self.engine.0.clock.now());
        if self.forgot_at.is_some_and(|at| now.duration_since(at) < FORGET_EVERY) {
            return Ok(());
        }
        self.forgot_at = Some(now);
        if let Ok(before) = now.checked_sub(FACTS_FOR) {
            inner.context.store.forget_facts(before).await?;
        }
        // What is in force is not forgotten, however long nothing has begun it.
        self.engine.keep_definitions(now).await?;
        let kept = SignedDuration::try_from(inner.settings.keep).unwrap_or(SignedDuration::MAX);
        if let Ok(before) = now.checked_sub(kept) {
            while inner.context.store.forget_runs(before, FORGOTTEN).await? == u64::from(FORGOTTEN) {}
        }
        Ok(())
    }
}

/// Which schedule it is.
fn words(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(every) => format!("every {every:?}"),
        Schedule::Cron(cron, zone) => format!("{} {}", cron.as_str(), zone.iana_name().unwrap_or("UTC")),
    }
}
