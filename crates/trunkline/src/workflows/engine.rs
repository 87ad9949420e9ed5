//! What the parts of the engine share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunkline_agent::workflow::Workflow;
use trunkline_bus::BusError;
use trunkline_core::messaging::ConversationalBackend;
use trunkline_store::{NewRun, StoreError};
use trunkline_twilio::voice::TwilioVoice;

use super::event::{Event, kept};
use super::lanes::Lane;
use super::loaded::Loaded;
use super::step::http::HttpClient;
use super::timer::Timer;
use super::triggers::Triggers;
use crate::Clock;
use crate::calls::Calls;
use crate::config::WorkflowSettings;
use crate::pipeline::Context;

/// The durable name of the consumer that starts runs.
pub(crate) const CONSUMER: &str = "workflows";
/// Texts of runs that began with another one than is loaded, kept read.
const MAX_OLD_DEFINITIONS: usize = 200;
/// The cursor that says since when events start workflows.
pub(crate) const SINCE: &str = "workflows:since";

/// Calls that were found to be a step's; more than these have long been saved as its effect.
pub(super) const MAX_FOUND_CALLS: usize = 10_000;
/// The provider tells times to the second, by a clock of its own.
const PROVIDER_CLOCK_MS: i64 = 5_000;

/// What steps reach people by.
#[derive(Clone, Default)]
pub(crate) struct Provider {
    /// The account, for conversations that we begin.
    pub(crate) account: String,
    /// Our number.
    pub(crate) number: Option<String>,
    /// Conversations at the provider.
    pub(crate) backend: Option<Arc<dyn ConversationalBackend>>,
    /// Calls.
    pub(crate) calls: Option<(Calls, TwilioVoice)>,
}

/// The workflows of a gateway. Cheap to clone.
#[derive(Clone)]
pub struct Workflows(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) context: Context,
    pub(super) provider: Provider,
    pub(super) settings: WorkflowSettings,
    pub(super) http: HttpClient,
    pub(super) clock: Clock,
    loaded: RwLock<Arc<Loaded>>,
    old: Mutex<HashMap<String, Arc<Workflow>>>,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// Runs that are worked on, to be told when something changes.
    pub(super) working: Mutex<HashMap<String, Arc<Notify>>>,
    /// Places of steps at work, over all workflows.
    pub(super) overall: Arc<Semaphore>,
    /// Calls that a step was found to have placed, so that no other step takes them for its own.
    pub(super) found_calls: Mutex<HashSet<String>>,
    pub(super) timer: Notify,
    /// When the timer looks next, in milliseconds since the epoch.
    next_look: AtomicI64,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// How a run that was asked for began.
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) is_new: bool,
}

impl Inner {
    /// The definitions that are in force now.
    pub(super) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other definitions in the place of these.
    ///
    /// # Errors
    /// `store.unavailable`.
    pub(super) async fn load(&self, workflows: Vec<Arc<Workflow>>) -> Result<(), StoreError> {
        // What the definitions until now wait for is awaited for as long as this process lives: a run may be about to.
        let before = self.loaded().awaited.iter().cloned().collect::<Vec<_>>();
        let waits = self.context.store.awaited_types().await?;
        let loaded = Arc::new(Loaded::new(workflows, before.into_iter().chain(waits)));
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

impl Workflows {
    /// An engine of `loaded`, which does nothing yet.
    pub(crate) fn new(
        context: Context,
        provider: Provider,
        settings: WorkflowSettings,
        loaded: Vec<Workflow>,
        (clock, stop): (Clock, CancellationToken),
    ) -> Self {
        Self(Arc::new(Inner {
            http: HttpClient::new(&settings.allowed_hosts),
            overall: Arc::new(Semaphore::new(settings.at_once)),
            context,
            provider,
            settings,
            clock,
            loaded: RwLock::new(Arc::new(Loaded::new(loaded.into_iter().map(Arc::new), []))),
            old: Mutex::default(),
            lanes: Mutex::default(),
            working: Mutex::default(),
            found_calls: Mutex::default(),
            timer: Notify::new(),
            next_look: AtomicI64::new(i64::MAX),
            tasks: TaskTracker::new(),
            stop,
        }))
    }

    /// How many are loaded.
    pub fn len(&self) -> usize {
        self.0.loaded().workflows.len()
    }

    /// Whether none is loaded.
    pub fn is_empty(&self) -> bool {
        self.0.loaded().workflows.is_empty()
    }

    /// Takes up what an earlier process left, and works until the stop.
    ///
    /// # Errors
    /// When the store or the bus cannot be used.
    ///
    /// # Cancel safety
    /// Not cancel-safe: parts of it may be left running; what was begun is taken up by the next start.
    pub(crate) async fn start(&self) -> Result<(), WorkflowsError> {
        let inner = &self.0;
        let store = &inner.context.store;
        let now = inner.clock.now();
        self.keep_definitions(now).await?;
        // Runs of an earlier process may wait for what nobody waits for in the definitions of now.
        inner.load(inner.loaded().workflows.values().cloned().collect()).await?;
        // What happened before there were workflows starts none.
        let since = if let Some(since) = store.cursor(SINCE).await?.filter(|since| *since > 0) {
            since
        } else {
            store.set_cursor(SINCE, now.as_millisecond()).await?;
            now.as_millisecond()
        };
        let waiting = store.requeue_runs().await?;
        for name in waiting.iter().chain(inner.loaded().workflows.keys()) {
            self.lane(name).wake();
        }
        let triggers = Triggers::open(self.clone(), since - PROVIDER_CLOCK_MS).await?;
        let stop = inner.stop.clone();
        inner.tasks.spawn(triggers.run(stop.clone()));
        let (follow, until) = (self.clone().follow(), stop.clone());
        inner.tasks.spawn(async move {
            tokio::select! {
                () = follow => {}
                () = until.cancelled() => {}
            }
        });
        inner.tasks.spawn(Timer::new(self.clone()).run(stop));
        Ok(())
    }

    /// Waits until everything has ended that the stop ends.
    pub(crate) async fn ended(&self) {
        self.0.stop.cancelled().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Keeps the texts of what is loaded for runs that will begin with them.
    pub(super) async fn keep_definitions(&self, now: Timestamp) -> Result<(), StoreError> {
        for workflow in self.0.loaded().workflows.values() {
            let store = &self.0.context.store;
            store.keep_definition(&workflow.revision, &workflow.name, &workflow.source, now).await?;
        }
        Ok(())
    }

    /// The definition of this revision: one that is loaded, or the one that a run began with.
    pub(super) async fn definition(&self, revision: &str) -> Result<Option<Arc<Workflow>>, StoreError> {
        if let Some(loaded) = self.0.loaded().revision(revision) {
            return Ok(Some(Arc::clone(loaded)));
        }
        let known = self.0.old.lock().unwrap_or_else(PoisonError::into_inner).get(revision).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(text) = self.0.context.store.definition(revision).await? else { return Ok(None) };
        let Ok(workflow) = Workflow::parse(&text) else { return Ok(None) };
        let workflow = Arc::new(workflow);
        let mut old = self.0.old.lock().unwrap_or_else(PoisonError::into_inner);
        if old.len() >= MAX_OLD_DEFINITIONS {
            old.clear();
        }
        old.insert(revision.to_owned(), Arc::clone(&workflow));
        Ok(Some(workflow))
    }

    /// The lane of a workflow; it is begun when it is first asked for.
    pub(super) fn lane(&self, workflow: &str) -> Arc<Lane> {
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(workflow.to_owned()).or_insert_with(|| {
            let most = self.0.loaded().workflows.get(workflow).map_or(1, |workflow| workflow.at_once);
            let lane = Arc::new(Lane::new(workflow, most));
            self.0.tasks.spawn(Arc::clone(&lane).run(self.clone(), self.0.stop.clone()));
            lane
        });
        Arc::clone(lane)
    }

    /// A run has something to do again.
    pub(super) fn has_work(&self, run_id: &str, workflow: &str) {
        let working = self.0.working.lock().unwrap_or_else(PoisonError::into_inner).get(run_id).cloned();
        if let Some(working) = working {
            working.notify_one();
        }
        // Also then: a worker that has just put the run aside looks at nothing any more.
        self.lane(workflow).wake();
        self.0.context.live.workflow_changed(run_id);
    }

    /// Something is due then: the timer is woken if it would sleep through it.
    pub(super) fn due(&self, at: Timestamp) {
        if at.as_millisecond() < self.0.next_look.load(Ordering::Acquire) {
            self.0.timer.notify_one();
        }
    }

    pub(super) fn looks_next(&self, at: Timestamp) {
        self.0.next_look.store(at.as_millisecond(), Ordering::Release);
    }

    /// A run of a workflow that begins now.
    pub(super) fn new_run(&self, workflow: &Workflow, event: &Event, key: String, is_claimed: bool) -> NewRun {
        let now = self.0.clock.now();
        NewRun {
            id: uuid::Uuid::now_v7().to_string(),
            workflow: workflow.name.clone(),
            revision: workflow.revision.clone(),
            trigger_key: key,
            event: kept(&event.json),
            person: event.person.clone().map(trunkline_core::Pii::new),
            contact_id: event.contact.clone(),
            is_claimed,
            steps: Vec::new(),
            traceparent: event.traceparent.clone(),
            now,
            due_at: run_due(workflow, now),
        }
    }

    /// Begins a run that was asked for, or that a schedule begins: once for each key.
    pub(super) async fn begin(
        &self,
        workflow: &Workflow,
        kind: &str,
        key: &str,
        data: Value,
    ) -> Result<Begun, StoreError> {
        let now = self.0.clock.now();
        let event = Event::of_ours(kind, key.to_owned(), &now.to_string(), &data);
        let run = self.new_run(workflow, &event, key.to_owned(), false);
        let (id, due_at) = (run.id.clone(), run.due_at);
        let new = self.0.context.store.begin_runs(&[run], &[]).await?;
        let is_new = new.first().copied().unwrap_or_default();
        if is_new {
            self.due(due_at);
            self.has_work(&id, &workflow.name);
        }
        Ok(Begun { id, is_new })
    }
}

/// When a run that begins, or goes on, now has taken too long.
pub(super) fn run_due(workflow: &Workflow, now: Timestamp) -> Timestamp {
    let time = SignedDuration::try_from(workflow.timeout).ok();
    time.and_then(|time| now.checked_add(time).ok()).unwrap_or(Timestamp::MAX)
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkflowsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
}
