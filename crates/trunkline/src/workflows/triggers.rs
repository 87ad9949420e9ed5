//! Reads facts from the bus: what starts runs, and what steps wait for.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use trunkline_agent::workflow::{Kind, Scope, Trigger, Workflow};
use trunkline_bus::{BusError, Consumer, ConsumerOptions, Delivery};
use trunkline_store::{Fact, NewRun, StoreError, WaitRow};

use super::drive::Prepared;
use super::engine::{CONSUMER, Workflows};
use super::event::{Event, kept, kind_of, read};
use super::loaded::Loaded;
use super::run::Run;

/// Facts that are dealt with together: their runs begin in one transaction.
const BATCH: usize = 64;
/// The wait before the bus or the store is asked again when it could not be used.
const WAIT: Duration = Duration::from_secs(1);

/// The consumer.
pub(super) struct Triggers {
    consumer: Box<dyn Consumer>,
    rules: Rules,
}

/// What starts what.
struct Rules {
    engine: Workflows,
    /// Earlier facts start nothing, in milliseconds since the epoch.
    since: i64,
}

/// A run that begins, and the place that it has, if one was free.
struct Beginning {
    run: NewRun,
    place: Option<OwnedSemaphorePermit>,
    prepared: Option<Prepared>,
}

impl Triggers {
    pub(super) async fn open(engine: Workflows, since: i64) -> Result<Self, BusError> {
        let subject = engine.0.context.subjects.ingress.clone();
        // A fact is never a dead letter here: it also belongs to others, and a replay would reach them.
        let options = ConsumerOptions { max_deliveries: u32::MAX, ..ConsumerOptions::new(CONSUMER, subject) };
        let consumer = engine.0.context.bus.consume(options).await?;
        Ok(Self { consumer, rules: Rules { engine, since } })
    }

    /// Works until `stop`.
    ///
    /// # Cancel safety
    /// Cancel-safe: what was not settled comes again, and begins nothing twice.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Self { mut consumer, rules } = self;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                next = consumer.next() => match next {
                    Ok(delivery) => {
                        let mut batch = vec![delivery];
                        while batch.len() < BATCH && let Some(Ok(delivery)) = consumer.next().now_or_never() {
                            batch.push(delivery);
                        }
                        rules.take(batch).await;
                    }
                    Err(BusError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(error.code = error.code(), "the bus cannot be read; trying again");
                        tokio::time::sleep(WAIT).await;
                    }
                },
            }
        }
    }
}

impl Rules {
    async fn take(&self, batch: Vec<Delivery>) {
        let came = Instant::now();
        let settled: Vec<_> = match self.dealt_with(&batch, came).await {
            Ok(()) => join_all(batch.into_iter().map(Delivery::ack)).await,
            Err(error) => {
                tracing::error!(error.code = error.code(), "events cannot start workflows now; trying again");
                join_all(batch.into_iter().map(|delivery| delivery.nak(WAIT))).await
            }
        };
        if let Some(Err(error)) = settled.into_iter().find(Result::is_err) {
            tracing::debug!(error.code = error.code(), "a delivery could not be settled; it comes again");
        }
    }

    async fn dealt_with(&self, batch: &[Delivery], came: Instant) -> Result<(), StoreError> {
        let inner = &self.engine.0;
        let loaded = inner.loaded();
        let (mut beginning, mut facts, mut awaited) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in batch {
            let envelope = &delivery.envelope;
            let Some(kind) = kind_of(envelope) else { continue };
            let (may_start, may_be_awaited) = (loaded.starts.contains(kind.name), loaded.awaited.contains(kind.name));
            let is_old = envelope.time.as_millisecond() < self.since;
            if is_old || (!may_start && !may_be_awaited) {
                continue;
            }
            let Some(event) = read(&inner.context, envelope, kind).await? else { continue };
            if may_start {
                self.begin(&loaded, &event, came, &mut beginning).await?;
            }
            if may_be_awaited {
                facts.push(Fact {
                    id: event.id.clone(),
                    event_type: event.kind.clone(),
                    event: kept(&event.json),
                    contact_id: event.contact.clone(),
                    noted_at: inner.clock.now(),
                });
                awaited.push(event);
            }
        }
        if !beginning.is_empty() || !facts.is_empty() {
            let runs: Vec<_> = beginning.iter().map(|beginning: &Beginning| beginning.run.clone()).collect();
            let new = inner.context.store.begin_runs(&runs, &facts).await?;
            for (Beginning { run, place, prepared }, is_new) in beginning.into_iter().zip(new) {
                if !is_new {
                    continue;
                }
                self.engine.due(run.due_at);
                match place {
                    Some(place) => self.engine.work(run.id, place, prepared),
                    None => self.engine.lane(&run.workflow).wake(),
                }
            }
        }
        for event in awaited {
            self.engine.arrived(&event).await?;
        }
        Ok(())
    }

    /// The runs that an event begins.
    async fn begin(
        &self,
        loaded: &Loaded,
        event: &Event,
        came: Instant,
        beginning: &mut Vec<Beginning>,
    ) -> Result<(), StoreError> {
        let inner = &self.engine.0;
        // A call that a workflow has placed does not start the same workflow: it would call without end.
        let by = match event.provider_call() {
            Some(call) => inner.context.store.workflow_of_effect(call).await?,
            None => None,
        };
        let scope = Scope::new().with("event", &event.json);
        for workflow in loaded.workflows.values().filter(|workflow| by.as_ref() != Some(&workflow.name)) {
            if !self.starts_by(workflow, event, &scope) {
                continue;
            }
            let place = self.engine.lane(&workflow.name).place();
            let mut run = self.engine.new_run(workflow, event, event.id.clone(), place.is_some());
            let prepared = place.as_ref().and_then(|_| self.engine.prepare(workflow, &mut run, came));
            beginning.push(Beginning { run, place, prepared });
        }
        Ok(())
    }

    /// Whether an event starts a workflow. A condition that cannot be evaluated over it does not hold.
    fn starts_by(&self, workflow: &Workflow, event: &Event, scope: &Scope) -> bool {
        workflow.triggers.iter().any(|trigger| {
            let Trigger::Event { event: kind, when } = trigger else { return false };
            if kind.name != event.kind {
                return false;
            }
            match when.as_ref().map(|when| when.holds(scope)) {
                None => true,
                Some(Ok(holds)) => holds,
                Some(Err(error)) => {
                    self.engine.0.context.metrics.workflow_condition_failed(&workflow.name);
                    tracing::warn!(
                        workflow.name = workflow.name,
                        error.code = error.code(),
                        %error,
                        "a condition cannot be evaluated over an event"
                    );
                    false
                }
            }
        })
    }
}

impl Workflows {
    /// Ends every wait for this event.
    async fn arrived(&self, event: &Event) -> Result<(), StoreError> {
        let store = &self.0.context.store;
        let waits = store.waits_for(&event.kind, &Event::about(&event.json)).await?;
        for wait in waits {
            let Some(row) = store.workflow_run(&wait.run_id).await? else { continue };
            let Some(workflow) = self.definition(&row.revision).await? else { continue };
            let Some(at) = workflow.node(&wait.node) else { continue };
            let name = row.workflow.clone();
            let run = Run::new(row, workflow, &store.workflow_steps(&wait.run_id).await?);
            if run.event.get("id") != event.json.get("id") && self.fits(&run, at, &event.json) {
                self.came(&wait, &name, &event.json).await?;
            }
        }
        Ok(())
    }

    /// Whether an event is the one that a step waits for, as far as its `match` says.
    pub(super) fn fits(&self, run: &Run, at: usize, received: &Value) -> bool {
        let Some(Kind::Wait { event: Some(awaited), .. }) = run.workflow.nodes.get(at).map(|node| &node.kind) else {
            return false;
        };
        let Some(matches) = &awaited.matches else { return true };
        matches.holds(&run.scope().with("received", received)).unwrap_or_else(|error| {
            self.0.context.metrics.workflow_condition_failed(&run.row.workflow);
            tracing::warn!(
                workflow.name = run.row.workflow,
                error.code = error.code(),
                %error,
                "a match cannot be evaluated over an event"
            );
            false
        })
    }

    /// The event came that a step waits for.
    pub(super) async fn came(&self, wait: &WaitRow, workflow: &str, event: &Value) -> Result<(), StoreError> {
        let output = kept(&json!({ "came": "event", "event": event }));
        if self.0.context.store.finish_wait(wait, "event", &output, self.0.clock.now()).await? {
            self.has_work(&wait.run_id, workflow);
        }
        Ok(())
    }
}
