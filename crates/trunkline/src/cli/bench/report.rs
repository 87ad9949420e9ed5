//! Figures.

use std::time::Duration;

/// Durations of single requests, sorted.
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The duration that this share of requests did not exceed, in milliseconds.
    pub(super) fn percentile_ms(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a list of at most some millions, rounded up"
        )]
        let at = ((self.0.len() as f64 * share).ceil() as usize).saturating_sub(1);
        self.0.get(at).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// `a / b`, for people.
pub(super) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// A count as a figure to divide.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
pub(super) const fn figure(count: usize) -> f64 {
    count as f64
}

/// Memory, for people.
#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 KiB")]
pub(super) const fn kib_to_mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
