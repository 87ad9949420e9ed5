//! Tasks of engines.
//!
//! Each ends with the recognition, speech or dialogue that it belongs to: all of them hold the guard of a cancellation
//! token which the task watches.

use tokio_util::task::TaskTracker;

/// Runs `work` until it ends by itself.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    TaskTracker::new().spawn(work);
}
