//! The runs of one workflow that are at work: so many at once, the others in the order in which they came.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::engine::Workflows;

/// Runs that are taken from the store at once.
const CLAIMED: usize = 16;
/// The wait before the store is asked again when it could not be used.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// A lane.
pub(super) struct Lane {
    workflow: String,
    places: Arc<Semaphore>,
    /// How many places there are, or will be when those that are too many are free.
    most: AtomicUsize,
    wake: Notify,
}

impl Lane {
    pub(super) fn new(workflow: &str, most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self { workflow: workflow.to_owned(), places, most: AtomicUsize::new(most), wake: Notify::new() }
    }

    /// From now on it has so many places. Of fewer, the runs at work keep theirs, and none begins until enough are over.
    pub(super) fn resize(&self, most: usize, engine: &Workflows) {
        let before = self.most.swap(most, Ordering::AcqRel);
        if most >= before {
            self.places.add_permits(most - before);
            return;
        }
        let too_many = u32::try_from(before - most).unwrap_or(u32::MAX);
        let (places, stop) = (Arc::clone(&self.places), engine.0.stop.clone());
        engine.0.tasks.spawn(async move {
            tokio::select! {
                taken = places.acquire_many_owned(too_many) => {
                    if let Ok(taken) = taken {
                        taken.forget();
                    }
                }
                () = stop.cancelled() => {}
            }
        });
    }

    /// There may be runs that wait.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// A place for a run that begins, if one is free.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Gives runs that wait to workers, until `stop`.
    pub(super) async fn run(self: Arc<Self>, engine: Workflows, stop: CancellationToken) {
        tokio::select! {
            () = self.give(&engine) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn give(&self, engine: &Workflows) {
        loop {
            // Nobody closes the semaphore.
            let Ok(first) = Arc::clone(&self.places).acquire_owned().await else { return };
            let mut places = vec![first];
            while places.len() < CLAIMED
                && let Some(place) = self.place()
            {
                places.push(place);
            }
            let most = u32::try_from(places.len()).unwrap_or(1);
            let claimed = engine.0.context.store.claim_runs(&self.workflow, most, engine.0.clock.now()).await;
            match claimed {
                Ok(runs) if runs.is_empty() => {
                    drop(places);
                    self.wake.notified().await;
                }
                Ok(runs) => {
                    for run in runs {
                        let Some(place) = places.pop() else { break };
                        engine.work(run, place, None);
                    }
                }
                Err(error) => {
                    drop(places);
                    tracing::error!(error.code = error.code(), "runs of a workflow cannot be taken up; trying again");
                    tokio::time::sleep(STORE_WAIT).await;
                }
            }
        }
    }
}
