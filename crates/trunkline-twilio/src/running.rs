//! Whether the backend runs, and what is in flight.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Where the backend is between start and stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Stopped,
    Running,
}

/// Lets operations in while the backend runs, and waits for them when it stops.
#[derive(Debug)]
pub(crate) struct Running {
    state: Mutex<State>,
    in_flight: TaskTracker,
}

impl Running {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::Stopped), in_flight: TaskTracker::new() }
    }

    /// A token to hold during an operation; `None` if the backend does not run.
    pub(crate) fn enter(&self) -> Option<TaskTrackerToken> {
        // The token comes first: whoever stops after this sees it.
        let token = self.in_flight.token();
        self.is_running().then_some(token)
    }

    pub(crate) fn is_running(&self) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == State::Running
    }

    pub(crate) fn start(&self) {
        self.in_flight.reopen();
        self.set(State::Running);
    }

    /// Lets nobody in any more.
    pub(crate) fn stop(&self) {
        self.set(State::Stopped);
        self.in_flight.close();
    }

    /// Waits for what is in flight. False if `time` ran out.
    pub(crate) async fn drained(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.in_flight.wait()).await.is_ok()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
