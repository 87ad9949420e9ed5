//! The time by which workflows wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

/// A clock that can be put forward, so that a program that embeds the gateway need not wait for an hour to see what
/// happens after an hour. Waits, retries, schedules and time-outs of runs go by one, texts that agents have promised by another; nothing else does.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Clock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    ahead_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// Now.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = self.0.ahead_ms.load(Ordering::Acquire);
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(ahead)).unwrap_or(now)
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        self.0.ahead_ms.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::AcqRel);
        self.0.moved.notify_waiters();
        self.0.moved.notify_one();
    }

    /// Resolves when it was put forward.
    pub(crate) async fn moved(&self) {
        self.0.moved.notified().await;
    }
}
