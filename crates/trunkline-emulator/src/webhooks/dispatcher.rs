//! Tells of changes after they were made: in order within a conversation, many conversations at once, once each.
//!
//! Nothing is repeated and nothing survives a stop; Twilio promises no more. The queue has a limit: when it is full the
//! oldest event goes and is counted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_proto::sid::AnySid;

use super::sender::Sender;
use crate::account::hex;
use crate::clock::Clock;
use crate::faults::{Faults, WebhookPlan};
use crate::journal::{Happening, Journal, Noted};
use crate::state::events::Event;

/// Queues events and sends their webhooks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatcher(Arc<Inner>);

struct Inner {
    lanes: Mutex<Lanes>,
    sender: Sender,
    faults: Arc<Faults>,
    tell: Tell,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
    at_once: Semaphore,
    out_of_order: Arc<Semaphore>,
    under_way: Arc<AtomicUsize>,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// Where it is written down that a webhook was sent.
#[derive(Clone)]
pub(crate) struct Tell {
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Clock,
}

impl Tell {
    fn sent(&self, event: &'static str, lane: AnySid) {
        self.note(lane, Happening::WebhookSent { event });
    }

    fn answered(&self, event: &'static str, lane: AnySid, status: u16) {
        self.note(lane, Happening::WebhookAnswered { event, status });
    }

    fn note(&self, lane: AnySid, what: Happening) {
        self.journal.add(Noted { at: self.clock.now(), conversation: lane.try_into().ok(), call: None, what });
    }
}

#[derive(Default)]
struct Lanes {
    queues: HashMap<AnySid, VecDeque<(u64, Event)>>,
    /// Number of each waiting event → its lane, oldest first.
    waiting: BTreeMap<u64, AnySid>,
    next: u64,
}

/// What is still to be done, and counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct DispatcherStats {
    pub(crate) waiting: usize,
    /// Events taken from the queue whose webhooks are not all answered.
    pub(crate) under_way: usize,
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
}

/// One event is under way until this is dropped.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn one(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Dispatcher {
    /// A dispatcher that works on `tasks` until `stop`.
    pub(crate) fn new(
        sender: Sender,
        faults: Arc<Faults>,
        tell: Tell,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            lanes: Mutex::default(),
            sender,
            faults,
            tell,
            tasks,
            runtime: Handle::current(),
            stop,
            at_once: Semaphore::new(AT_ONCE),
            out_of_order: Arc::new(Semaphore::new(OUT_OF_ORDER)),
            under_way: Arc::default(),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Queues events in their order. Never waits.
    pub(crate) fn enqueue(&self, events: Vec<Event>) {
        if events.is_empty() || self.0.stop.is_cancelled() {
            return;
        }
        let mut started = Vec::new();
        let mut lost = 0_u64;
        {
            let mut lanes = self.lanes();
            for event in events {
                let lane = event.lane;
                if lanes.push(event) {
                    started.push(lane);
                }
                lost = lost.saturating_add(u64::from(lanes.waiting.len() > QUEUE && lanes.drop_oldest()));
            }
        }
        if lost > 0 {
            self.0.dropped.fetch_add(lost, Ordering::Relaxed);
            tracing::warn!(lost, "the webhook queue is full, the oldest webhooks were dropped");
        }
        for lane in started {
            let dispatcher = self.clone();
            let span = tracing::debug_span!("emulator.webhooks", about = %lane);
            self.0.tasks.spawn_on(async move { dispatcher.run(lane).await }.instrument(span), &self.0.runtime);
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        let mut lanes = self.lanes();
        lanes.waiting.clear();
        lanes.queues.values_mut().for_each(VecDeque::clear);
    }

    pub(crate) fn stats(&self) -> DispatcherStats {
        let lanes = self.lanes();
        DispatcherStats {
            waiting: lanes.waiting.len(),
            under_way: self.0.under_way.load(Ordering::Relaxed),
            sent: self.0.sent.load(Ordering::Relaxed),
            failed: self.0.failed.load(Ordering::Relaxed),
            dropped: self.0.dropped.load(Ordering::Relaxed),
        }
    }

    /// Sends what one conversation or user has to tell, until there is nothing left.
    async fn run(&self, lane: AnySid) {
        while let Some((event, under_way)) = self.next(lane) {
            let plan = self.0.faults.webhook(event.kind);
            let delivery = self.deliver(event, plan);
            let work = async move {
                delivery.await;
                drop(under_way);
            };
            let beside = Arc::clone(&self.0.out_of_order).try_acquire_owned();
            if let (true, Ok(permit)) = (plan.out_of_order, beside) {
                let stop = self.0.stop.clone();
                let late = async move {
                    stop.run_until_cancelled_owned(work).await.unwrap_or_default();
                    drop(permit);
                };
                self.0.tasks.spawn(late.in_current_span());
            } else if self.0.stop.run_until_cancelled(work).await.is_none() {
                return;
            }
        }
    }

    /// The next event of a lane; without one the lane ends.
    fn next(&self, lane: AnySid) -> Option<(Event, UnderWay)> {
        let mut lanes = self.lanes();
        let front = lanes.queues.get_mut(&lane).and_then(VecDeque::pop_front);
        if let Some((number, event)) = front {
            lanes.waiting.remove(&number);
            Some((event, UnderWay::one(&self.0.under_way)))
        } else {
            lanes.queues.remove(&lane);
            None
        }
    }

    /// One event to all its targets at once, as often as the faults say.
    fn deliver(&self, event: Event, plan: WebhookPlan) -> impl Future<Output = ()> + Send + 'static {
        let inner = Arc::clone(&self.0);
        async move {
            crate::faults::pause(plan.delay).await;
            if plan.lost {
                return;
            }
            let Ok(_permit) = inner.at_once.acquire().await else { return };
            join_all(event.targets.iter().map(async |target| {
                let token = idempotency_token();
                for _ in 0..=plan.duplicates {
                    inner.tell.sent(event.kind, event.lane);
                    let outcome = inner.sender.send_signed(target, &event.params, &token, !plan.wrong_signature).await;
                    let good = matches!(&outcome, Ok(reply) if reply.status.is_success());
                    let counter = if good { &inner.sent } else { &inner.failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                    inner.tell.answered(
                        event.kind,
                        event.lane,
                        outcome.as_ref().map_or(0, |reply| reply.status.as_u16()),
                    );
                    match outcome {
                        Ok(reply) => {
                            tracing::debug!(event = event.kind, status = reply.status.as_u16(), "webhook sent");
                        }
                        Err(problem) => {
                            tracing::debug!(event = event.kind, error = %problem, "webhook failed");
                        }
                    }
                }
            }))
            .await;
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Queues an event; `true` if its lane has to be started.
    fn push(&mut self, event: Event) -> bool {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.waiting.insert(number, event.lane);
        let starts = !self.queues.contains_key(&event.lane);
        self.queues.entry(event.lane).or_default().push_back((number, event));
        starts
    }

    fn drop_oldest(&mut self) -> bool {
        let Some((_, lane)) = self.waiting.pop_first() else { return false };
        self.queues.get_mut(&lane).and_then(VecDeque::pop_front).is_some()
    }
}

/// A new value for `I-Twilio-Idempotency-Token`.
pub(super) fn idempotency_token() -> String {
    hex(rand::random())
}

/// Events that wait to be told; beyond that the oldest are dropped.
const QUEUE: usize = 20_000;
/// Events that are being told at the same time.
const AT_ONCE: usize = 256;
/// Events that a fault has taken out of their order; beyond that they keep it.
const OUT_OF_ORDER: usize = 4096;

#[cfg(test)]
mod tests {
    use trunkline_proto::sid::ConversationSid;

    use super::*;
    use crate::state::events::EventType;

    fn event(conversation: u8) -> Event {
        let lane = ConversationSid::from_random([conversation; 16]).into();
        Event { kind: EventType::MessageAdded.as_str(), lane, targets: Vec::new(), params: Vec::new() }
    }

    #[test]
    fn a_lane_starts_once_and_the_oldest_event_goes_first() {
        let mut lanes = Lanes::default();
        assert!(lanes.push(event(1)));
        assert!(lanes.push(event(2)));
        assert!(!lanes.push(event(1)));
        assert!(lanes.drop_oldest());
        let left: Vec<_> = lanes.queues[&event(1).lane].iter().map(|(number, _)| *number).collect();
        assert_eq!(left, [2]);
        assert_eq!(lanes.waiting.len(), 2);
    }
}
