//! How long to wait before the next connection.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// The first wait.
pub const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait, before its jitter.
pub const MAX_BACKOFF: Duration = Duration::from_mins(2);

/// A wait is this much longer or shorter, by chance, so that clients do not come back all at once.
pub const BACKOFF_JITTER: f64 = 0.2;

/// Waits of 1, 2, 4 … 120 s, each ±20 %.
#[derive(Debug, Clone, Default)]
pub(super) struct ReconnectBackoff {
    failures: u32,
    at_least: Duration,
}

impl ReconnectBackoff {
    /// The next wait.
    pub(super) fn next(&mut self, random: &mut StdRng) -> Duration {
        let doubled = MIN_BACKOFF.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(MAX_BACKOFF);
        self.failures = (self.failures + 1).min(30);
        let jitter = 1.0 + random.random_range(-BACKOFF_JITTER..=BACKOFF_JITTER);
        doubled.mul_f64(jitter).max(std::mem::take(&mut self.at_least))
    }

    /// The next wait is not shorter than this: the server said so. What it says is bounded by [`MAX_BACKOFF`].
    pub(super) fn at_least(&mut self, hint: Duration) {
        self.at_least = hint.min(MAX_BACKOFF);
    }

    /// The connection works.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn waits_double_up_to_two_minutes_with_jitter() {
        let (mut backoff, mut random) = (ReconnectBackoff::default(), StdRng::seed_from_u64(1));
        for wanted in [1, 2, 4, 8, 16, 32, 64, 120, 120, 120] {
            let (wait, wanted) = (backoff.next(&mut random), Duration::from_secs(wanted));
            assert!(wait >= wanted.mul_f64(0.8) && wait <= wanted.mul_f64(1.2), "{wait:?} for {wanted:?}");
        }
        backoff.reset();
        assert!(backoff.next(&mut random) < Duration::from_secs(2));
    }

    #[test]
    fn a_hint_holds_once_and_within_bounds() {
        let (mut backoff, mut random) = (ReconnectBackoff::default(), StdRng::seed_from_u64(1));
        backoff.at_least(Duration::from_secs(9));
        assert_eq!(backoff.next(&mut random), Duration::from_secs(9));
        assert!(backoff.next(&mut random) < Duration::from_secs(3));
        backoff.at_least(Duration::from_secs(1_000_000));
        assert_eq!(backoff.next(&mut random), MAX_BACKOFF);
    }
}
