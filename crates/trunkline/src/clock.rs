//! The time by which things wait that people or workflows have put off.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// A clock that can be put forward, so that nobody need wait for an hour to see what happens after an hour. Waits,
/// retries, schedules and time-outs of workflows and the texts that agents have promised go by it; nothing else does.
/// Cheap to clone: clones are put forward together.
#[derive(Clone)]
pub struct Clock(Arc<watch::Sender<i64>>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Clock {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = *self.0.borrow();
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(ahead)).unwrap_or(now)
    }

    /// Puts it forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.send_modify(|ahead| *ahead = ahead.saturating_add(by));
    }

    /// Tells when it is put forward from now on.
    pub(crate) fn moves(&self) -> Moves {
        Moves(self.0.subscribe())
    }
}

/// Tells when a clock is put forward.
pub(crate) struct Moves(watch::Receiver<i64>);

impl Moves {
    /// Waits until it was put forward since the last time; for ever if the clock is gone.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_follows_a_clock_is_told_once() {
        let clock = Clock::default();
        let (mut one, mut other) = (clock.moves(), clock.moves());
        let before = clock.now();
        clock.clone().advance(Duration::from_hours(1));
        one.next().await;
        other.next().await;
        assert!(clock.now().duration_since(before).as_secs() >= 3600);
        tokio::select! {
            biased;
            () = one.next() => panic!("it was told twice"),
            () = std::future::ready(()) => {}
        }
    }
}
