//! Where the emulator reads the time: the system's clock, or any function.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// The source of every date that the emulator writes.
///
/// Timeouts and delays do not use it; they follow the runtime's own timer.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock, the default.
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that reads the time from a function.
    pub fn from_fn(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_whole_seconds_or_milliseconds() {
        let at: Timestamp = "2026-11-21T02:06:51.1239Z".parse().unwrap();
        let clock = Clock::from_fn(move || at);
        assert_eq!(iso(clock.now()), "2026-11-21T02:06:51Z");
        assert_eq!(iso_millis(clock.now()), "2026-11-21T02:06:51.123Z");
    }
}
