//! Ordered work by key: one task for each key that has work, many keys at once.
//!
//! The owner of a [`Lanes`] hands items to it one after the other; a lane's task gets those of its key in that order,
//! one task a key at any time. A lane that has nothing to do ends.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::telemetry::Metrics;

/// Lanes that may report their idleness at once; a lane that finds it full waits.
const IDLE_CAPACITY: usize = 256;

/// What a lane's task reads from.
pub(super) struct Inbox<T> {
    key: String,
    /// Tells this lane from an earlier one of the same key.
    lane: u64,
    items: mpsc::Receiver<T>,
    idle: mpsc::Sender<Idle>,
    taken: u64,
}

struct Idle {
    key: String,
    lane: u64,
    /// How many items the lane had taken when it had nothing more to do.
    taken: u64,
}

impl<T> Inbox<T> {
    /// The next item; `None` when the lane is to end.
    pub(super) async fn next(&mut self) -> Option<T> {
        if let Some(item) = self.waiting() {
            return Some(item);
        }
        // The owner ends the lane unless it has handed something over meanwhile. An item that arrives while the owner
        // is too busy to listen is taken at once: otherwise both could wait for each other.
        tokio::select! {
            biased;
            item = self.items.recv() => {
                self.taken += u64::from(item.is_some());
                return item;
            }
            room = self.idle.reserve() => {
                room.ok()?.send(Idle { key: self.key.clone(), lane: self.lane, taken: self.taken });
            }
        }
        self.more().await
    }

    /// The next item, without offering to end.
    pub(super) async fn more(&mut self) -> Option<T> {
        let item = self.items.recv().await?;
        self.taken += 1;
        Some(item)
    }

    /// Whether an item is there already.
    pub(super) fn has_more(&self) -> bool {
        !self.items.is_empty()
    }

    /// An item that is there already.
    pub(super) fn waiting(&mut self) -> Option<T> {
        let item = self.items.try_recv().ok()?;
        self.taken += 1;
        Some(item)
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Body<T> = Arc<dyn Fn(String, Inbox<T>) -> Task + Send + Sync>;

struct Lane<T> {
    number: u64,
    items: mpsc::Sender<T>,
    handed: u64,
}

/// The lanes of one kind of work.
pub(super) struct Lanes<T> {
    name: &'static str,
    /// Items that may wait in one lane.
    capacity: usize,
    body: Body<T>,
    by_key: HashMap<String, Lane<T>>,
    idle: mpsc::Receiver<Idle>,
    idle_sender: mpsc::Sender<Idle>,
    tasks: TaskTracker,
    started: u64,
    metrics: Metrics,
}

impl<T: Send + 'static> Lanes<T> {
    /// Lanes whose tasks run `body`, each with room for `capacity` items.
    pub(super) fn new<F, W>(name: &'static str, capacity: usize, metrics: Metrics, body: F) -> Self
    where
        F: Fn(String, Inbox<T>) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (idle_sender, idle) = mpsc::channel(IDLE_CAPACITY);
        Self {
            name,
            capacity,
            body: Arc::new(move |key, inbox| Box::pin(body(key, inbox))),
            by_key: HashMap::new(),
            idle,
            idle_sender,
            tasks: TaskTracker::new(),
            started: 0,
            metrics,
        }
    }

    /// Hands an item to the lane of its key, starting it if need be. A full lane gives the item back: whoever is slow
    /// in one lane must not hold up the others.
    pub(super) fn hand(&mut self, key: &str, mut item: T) -> Result<(), T> {
        loop {
            let lane = match self.by_key.get_mut(key) {
                Some(lane) => lane,
                None => self.start(key),
            };
            match lane.items.try_send(item) {
                Ok(()) => {
                    lane.handed += 1;
                    return Ok(());
                }
                Err(TrySendError::Full(refused)) => return Err(refused),
                // The task is gone without having asked: it panicked. What it held comes again from the bus.
                Err(TrySendError::Closed(refused)) => {
                    self.by_key.remove(key);
                    item = refused;
                }
            }
        }
    }

    /// Waits for a lane that has nothing to do, and ends it. Poll this whenever there is nothing to hand over.
    ///
    /// Cancel-safe.
    pub(super) async fn reap(&mut self) {
        let Some(idle) = self.idle.recv().await else { return };
        self.end(&idle);
    }

    /// Ends the lanes that have nothing to do, without waiting.
    pub(super) fn reap_ready(&mut self) {
        while let Ok(idle) = self.idle.try_recv() {
            self.end(&idle);
        }
    }

    fn end(&mut self, idle: &Idle) {
        if self.by_key.get(&idle.key).is_some_and(|lane| lane.number == idle.lane && lane.handed == idle.taken) {
            self.by_key.remove(&idle.key);
        }
    }

    /// Lets every lane finish what it holds, and waits for that.
    pub(super) async fn finish(mut self) {
        self.by_key.clear();
        drop(self.idle_sender);
        self.tasks.close();
        // Lanes that report idleness now are ending anyway; someone has to read what they say.
        let tasks = self.tasks.clone();
        let mut all = std::pin::pin!(tasks.wait());
        loop {
            tokio::select! {
                () = &mut all => return,
                idle = self.idle.recv() => if idle.is_none() {
                    all.await;
                    return;
                },
            }
        }
    }

    fn start(&mut self, key: &str) -> &mut Lane<T> {
        let (items, inbox) = mpsc::channel(self.capacity);
        self.started += 1;
        let number = self.started;
        let idle = self.idle_sender.clone();
        let inbox = Inbox { key: key.to_owned(), lane: number, items: inbox, idle, taken: 0 };
        let work = AssertUnwindSafe((self.body)(key.to_owned(), inbox)).catch_unwind();
        let (name, metrics) = (self.name, self.metrics.clone());
        let span = tracing::debug_span!("lane", lane.kind = name, conversation.id = key);
        self.tasks.spawn(
            async move {
                metrics.lane(name, 1);
                let ended = work.await;
                metrics.lane(name, -1);
                if ended.is_err() {
                    metrics.panic(name);
                    tracing::error!(lane = name, "a lane panicked; what it held comes again");
                }
            }
            .instrument(span),
        );
        self.by_key.entry(key.to_owned()).or_insert(Lane { number, items, handed: 0 })
    }
}
