//! Where the emulator reads the time: the system's clock or any function, and how far it was put forward by hand.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// The source of every date that the emulator writes.
///
/// Timeouts and delays do not use it; they follow the runtime's own timer.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Milliseconds that are added to what is read.
    offset_ms: Arc<watch::Sender<i64>>,
}

impl Clock {
    /// The system's clock, the default.
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that reads the time from a function.
    pub fn from_fn(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read), offset_ms: Arc::new(watch::Sender::new(0)) }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let read = (self.read)();
        read.checked_add(SignedDuration::from_millis(self.offset_ms())).unwrap_or(read)
    }

    /// How far this clock and its clones are ahead of what they read, in milliseconds.
    pub(crate) fn offset_ms(&self) -> i64 {
        *self.offset_ms.borrow()
    }

    /// How far this clock and its clones are ahead of what they read, in milliseconds, and each change of that.
    pub fn shifts(&self) -> watch::Receiver<i64> {
        self.offset_ms.subscribe()
    }

    /// Puts this clock and its clones forward, or back. `false` if it would leave the calendar.
    pub(crate) fn shift(&self, offset_ms: i64) -> bool {
        let is_good = (self.read)().checked_add(SignedDuration::from_millis(offset_ms)).is_ok()
            && offset_ms.abs() <= MAX_OFFSET_MS;
        if is_good {
            self.offset_ms.send_replace(offset_ms);
        }
        is_good
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A date as Conversations writes it: whole seconds, UTC (`2026-11-21T02:06:51Z`).
pub(crate) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A date as its webhooks write it: milliseconds, UTC (`2026-11-21T02:06:51.123Z`).
pub(crate) fn iso_millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A date as the voice API writes it (`Sat, 21 Nov 2026 02:06:51 +0000`).
pub(crate) fn rfc2822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// A century, in milliseconds: no clock is put forward or back by more.
const MAX_OFFSET_MS: i64 = 100 * 365 * 24 * 3600 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_put_forward_together() {
        let clock = Clock::from_fn(Timestamp::default);
        let clone = clock.clone();
        assert!(clock.shift(90_000) && !clock.shift(i64::MAX));
        assert_eq!((clone.now().as_second(), clone.offset_ms()), (90, 90_000));
    }

    #[test]
    fn dates_have_whole_seconds_or_milliseconds() {
        let at: Timestamp = "2026-11-21T02:06:51.1239Z".parse().unwrap();
        let clock = Clock::from_fn(move || at);
        assert_eq!(iso(clock.now()), "2026-11-21T02:06:51Z");
        assert_eq!(iso_millis(clock.now()), "2026-11-21T02:06:51.123Z");
    }
}
