//! Runs handlers: each by itself, bounded in number and in time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_proto::webhook::ConversationsEvent;

use super::answer::Verdict;
use super::event::Happened;
use super::{ANSWER_DEADLINE, Asked, HANDLER_TIMEOUT, HandlerError, Handlers, MAX_AT_ONCE, MAX_WAITING, Told, codes};
use crate::telemetry::Metrics;

/// Hands events to handlers. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher(Arc<Inner>);

struct Inner {
    told: Vec<One>,
    asked: Vec<Asked>,
    metrics: Metrics,
    tasks: TaskTracker,
    stop: CancellationToken,
    deadline: Duration,
    patience: Duration,
}

/// One handler of an event.
struct One {
    name: &'static str,
    told: Told,
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// What Twilio is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    /// With nothing: it goes on as it is.
    Allow,
    /// With this status.
    Reject(u16),
    /// With these fields.
    Change(Map<String, Value>),
}

impl Dispatcher {
    /// A dispatcher for `handlers`.
    pub fn new(handlers: Handlers, metrics: Metrics) -> Self {
        Self::with_times(handlers, metrics, ANSWER_DEADLINE, HANDLER_TIMEOUT)
    }

    fn with_times(handlers: Handlers, metrics: Metrics, deadline: Duration, patience: Duration) -> Self {
        let one = |(name, told)| One {
            name,
            told,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            working: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        };
        Self(Arc::new(Inner {
            told: handlers.told.into_iter().map(one).collect(),
            asked: handlers.asked.into_iter().map(|(_, asked)| asked).collect(),
            metrics,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            deadline,
            patience,
        }))
    }

    /// Tells every handler that wants to know. Never waits.
    pub(crate) fn tell(&self, happened: &Happened) {
        for one in &self.0.told {
            let Ok(work) = std::panic::catch_unwind(AssertUnwindSafe(|| (one.told)(happened))) else {
                self.note(one.name, "panicked", codes::PANICKED, None);
                continue;
            };
            let Some(work) = work else { continue };
            let Ok(place) = Arc::clone(&one.waiting).try_acquire_owned() else {
                self.note(one.name, "dropped", codes::OVERLOADED, None);
                continue;
            };
            let (this, working, name) = (self.clone(), Arc::clone(&one.working), one.name);
            let job = async move {
                // Nobody closes the semaphore.
                let _turn = working.acquire_owned().await.ok();
                this.run(name, work).await;
                drop(place);
            };
            let stop = self.0.stop.clone();
            let span = tracing::debug_span!("handler", handler.event = name);
            self.0.tasks.spawn(
                async move {
                    tokio::select! {
                        () = job => {}
                        () = stop.cancelled() => {}
                    }
                }
                .instrument(span),
            );
        }
    }

    async fn run(&self, name: &'static str, work: impl Future<Output = Result<(), HandlerError>>) {
        match timeout(self.0.patience, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(Ok(()))) => self.0.metrics.handler(name, "handled"),
            Ok(Ok(Err(error))) => self.note(name, "failed", codes::FAILED, Some(error)),
            Ok(Err(_)) => self.note(name, "panicked", codes::PANICKED, None),
            Err(_) => self.note(name, "timed_out", codes::TIMED_OUT, None),
        }
    }

    /// Asks every handler that wants to be asked, all at once. What fails says yes.
    pub(crate) async fn ask(&self, event: &ConversationsEvent) -> Replied {
        let name = "question";
        let asked = self.0.asked.iter().map(|asked| async move {
            // A handler's own code runs here too, before its future: it may panic as well.
            let Ok(work) = std::panic::catch_unwind(AssertUnwindSafe(|| asked(event))) else {
                self.note(name, "panicked", codes::PANICKED, None);
                return None;
            };
            let work = work?;
            match timeout(self.0.deadline, AssertUnwindSafe(work).catch_unwind()).await {
                Ok(Ok(Ok(verdict))) => return Some(verdict),
                Ok(Ok(Err(error))) => self.note(name, "failed", codes::FAILED, Some(error)),
                Ok(Err(_)) => self.note(name, "panicked", codes::PANICKED, None),
                Err(_) => self.note(name, "timed_out", codes::TIMED_OUT, None),
            }
            None
        });
        let mut changes = Map::new();
        let mut rejection = None;
        for verdict in join_all(asked).await.into_iter().flatten() {
            match verdict {
                Verdict::Allow => {}
                Verdict::Reject(refused) => rejection = rejection.or(Some(refused)),
                Verdict::Change(fields) => changes.extend(fields),
            }
        }
        match rejection {
            Some(rejection) => {
                self.0.metrics.handler(name, "rejected");
                Replied::Reject(rejection.status())
            }
            None if changes.is_empty() => Replied::Allow,
            None => {
                self.0.metrics.handler(name, "changed");
                Replied::Change(changes)
            }
        }
    }

    fn note(&self, name: &'static str, outcome: &'static str, code: &'static str, error: Option<HandlerError>) {
        self.0.metrics.handler(name, outcome);
        let reason = error.map(|error| error.reason());
        tracing::warn!(handler.event = name, error.code = code, reason, "a handler did not do its part");
    }

    /// Lets handlers that are at work finish within `grace`; then they are dropped.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.0.tasks.close();
        if timeout(grace, self.0.tasks.wait()).await.is_err() {
            tracing::warn!(handlers = self.0.tasks.len(), "handlers did not finish in time");
            self.0.stop.cancel();
            self.0.tasks.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Answer, Handlers, event, question};
    use super::*;

    const CH: &str = "CH00000000000000000000000000000001";

    fn event(name: &str) -> ConversationsEvent {
        let params = [
            ("AccountSid", "AC00000000000000000000000000000001"),
            ("EventType", name),
            ("ConversationSid", CH),
            ("ParticipantSid", "MB00000000000000000000000000000001"),
            ("Body", "hello"),
        ];
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        trunkline_proto::webhook::ConversationsWebhook::parse(&params).unwrap().event
    }

    fn dispatcher(handlers: Handlers) -> Dispatcher {
        let metrics = Metrics::new(&opentelemetry::global::meter("test"));
        Dispatcher::with_times(handlers, metrics, Duration::from_secs(1), Duration::from_secs(1))
    }

    #[tokio::test(start_paused = true)]
    async fn handlers_that_fail_panic_or_stall_disturb_nobody() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let handlers = Handlers::new()
            .on(event::ParticipantAdded, |_| async { Err(HandlerError::new("test.failed")) })
            .on(event::ParticipantAdded, |_| async { panic!("as the test wants it") })
            .on(event::ParticipantAdded, |_| std::future::pending())
            .on(event::ParticipantAdded, move |joined| {
                assert_eq!(joined.conversation_sid.as_str(), CH);
                counted.fetch_add(1, Ordering::Relaxed);
                async { Ok(()) }
            })
            .on(event::MessageAdded, |_| async { panic!("nobody tells of this") });
        let dispatcher = dispatcher(handlers);
        let happened = Happened::Conversations(Box::new(event("onParticipantAdded")));
        for _ in 0..100 {
            dispatcher.tell(&happened);
        }
        dispatcher.stop(Duration::from_mins(1)).await;
        assert_eq!(count.load(Ordering::Relaxed), 100);
        assert!(dispatcher.0.told.iter().all(|one| one.waiting.available_permits() == MAX_WAITING));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_handler_holds_so_many_events_and_no_more() {
        let dispatcher = dispatcher(Handlers::new().on(event::ParticipantAdded, |_| std::future::pending()));
        let happened = Happened::Conversations(Box::new(event("onParticipantAdded")));
        for _ in 0..MAX_WAITING + 10 {
            dispatcher.tell(&happened);
        }
        assert_eq!(dispatcher.0.tasks.len(), MAX_WAITING);
        dispatcher.stop(Duration::ZERO).await;
        assert_eq!(dispatcher.0.tasks.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_is_answered_with_yes_unless_somebody_says_otherwise_in_time() {
        let proposed = event("onMessageAdd");
        let yes = Handlers::new()
            .before(question::MessageAdd, |_| std::future::pending())
            .before(question::MessageAdd, |_| async { panic!("as the test wants it") })
            .before(question::MessageAdd, |_| async { Err(HandlerError::new("test.failed")) })
            .before(question::ParticipantAdd, |_| async { Ok(Answer::Reject(super::super::Rejection::FORBIDDEN)) });
        assert_eq!(dispatcher(yes.clone()).ask(&proposed).await, Replied::Allow);
        let change = |body: &str| super::super::MessageChanges { body: Some(body.to_owned()), ..Default::default() };
        let changed = yes
            .before(question::MessageAdd, move |_| async move { Ok(Answer::Change(change("one"))) })
            .before(question::MessageAdd, move |_| async move { Ok(Answer::Change(change("two"))) });
        let Replied::Change(fields) = dispatcher(changed.clone()).ask(&proposed).await else { panic!("a change") };
        assert_eq!(Value::Object(fields), serde_json::json!({ "body": "two" }));
        let teapot = super::super::Rejection::with_status(418).unwrap();
        let no = changed.before(question::MessageAdd, move |_| async move { Ok(Answer::Reject(teapot)) });
        assert_eq!(dispatcher(no).ask(&proposed).await, Replied::Reject(418));
    }
}
