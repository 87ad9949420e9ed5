//! The one owner of the state: a thread that carries out jobs in order, commits them together, and answers after.
//!
//! A job's answer and its webhooks leave only when the data file has the change. When a commit fails the answers of
//! that batch are not given; the callers see 503 and the change is written with the next batch.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{self, ApiError};
use crate::realtime::Hub;
use crate::state::records::PhoneMessage;
use crate::state::{Delivery, Effects, State};
use crate::store::Store;
use crate::webhooks::Dispatcher;

/// A change on a phone: whose, and the line as it is now.
pub(crate) type PhoneUpdate = (String, PhoneMessage);

type Reply = Box<dyn FnOnce() + Send>;
type Job = Box<dyn FnOnce(&mut State) -> Reply + Send>;

/// Hands jobs to the owner. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OwnerHandle {
    jobs: mpsc::Sender<Job>,
}

impl OwnerHandle {
    /// Runs `work` on the state and returns what it returned, once it is committed.
    ///
    /// # Cancel safety
    ///
    /// Once the job was taken it runs to its end, whether or not anybody waits for the answer.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |state| {
            let answer = work(state);
            Box::new(move || drop(sender.send(answer)))
        });
        self.jobs.send(job).await.map_err(|_| error::STOPPING)?;
        receiver.await.map_err(|_| error::STOPPING)
    }
}

/// What the owner works with.
pub(crate) struct Owner {
    pub(crate) state: State,
    pub(crate) store: Option<Store>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) hub: Hub,
    pub(crate) phones: broadcast::Sender<PhoneUpdate>,
    /// How long a message is on its way to a phone.
    pub(crate) delivery_delay: Duration,
    /// Messages that were on their way when the emulator stopped.
    pub(crate) deliveries: Vec<Delivery>,
}

impl Owner {
    /// The handle, and the work itself: to be run on a thread of its own until every handle is gone.
    pub(crate) fn split(self) -> (OwnerHandle, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (OwnerHandle { jobs: sender }, self.run(receiver))
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut unfinished = Effects::default();
        let mut on_their_way: VecDeque<(Instant, Delivery)> = VecDeque::new();
        let mut deliveries = mem::take(&mut self.deliveries);
        self.settle(&mut unfinished);
        loop {
            let arrival = Instant::now().checked_add(self.delivery_delay).unwrap_or_else(Instant::now);
            on_their_way.extend(deliveries.drain(..).map(|delivery| (arrival, delivery)));
            let due = on_their_way.front().map(|(due, _)| *due);
            let by_itself = self.state.until_due();
            tokio::select! {
                biased;
                () = tokio::time::sleep(by_itself.unwrap_or_default()), if by_itself.is_some() => self.state.run_due(),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    while let Some((_, delivery)) = on_their_way.pop_front_if(|(due, _)| *due <= now) {
                        self.state.deliver(&delivery);
                    }
                }
                taken = jobs.recv_many(&mut batch, BATCH) => if taken == 0 { break },
            }
            let replies: Vec<Reply> = batch.drain(..).map(|job| job(&mut self.state)).collect();
            if self.settle(&mut unfinished) {
                for reply in replies {
                    reply();
                }
            }
            deliveries.append(&mut unfinished.deliveries);
        }
    }

    /// Commits what changed and lets its effects out. `false` if the data file refused; then they wait.
    fn settle(&mut self, unfinished: &mut Effects) -> bool {
        unfinished.merge(self.state.take_effects());
        if let Some(store) = &mut self.store
            && let Err(problem) = store.commit(&self.state, unfinished)
        {
            tracing::error!(error.code = problem.code(), error = %problem, "the emulator's data file was not written");
            return false;
        }
        if mem::take(&mut unfinished.cleared) {
            self.dispatcher.clear();
            // Nothing that they are subscribed to is there any more.
            self.hub.cut(None);
        }
        unfinished.dirty.clear();
        for outgoing in unfinished.outgoing.drain(..) {
            self.hub.take(outgoing);
        }
        // After the sockets, so that the journal has a change before the webhook that tells of it.
        self.dispatcher.enqueue(mem::take(&mut unfinished.events));
        for update in unfinished.phone_lines.drain(..) {
            // Nobody may be watching.
            drop(self.phones.send(update));
        }
        true
    }
}

impl Effects {
    fn merge(&mut self, later: Self) {
        if later.cleared {
            *self = later;
            return;
        }
        self.dirty.extend(later.dirty);
        self.events.extend(later.events);
        self.phone_lines.extend(later.phone_lines);
        self.deliveries.extend(later.deliveries);
        self.outgoing.extend(later.outgoing);
    }
}

/// Jobs that wait for the owner; callers beyond that wait with their request.
const QUEUE: usize = 1024;
/// Jobs that share one commit.
const BATCH: usize = 256;
