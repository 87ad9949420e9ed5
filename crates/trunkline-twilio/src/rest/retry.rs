//! What is repeated, when, and how often in total.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::RestError;

/// Repetitions that may be pending beyond what successes have earned, in [`EARNED_BY_SUCCESS`]-ths.
const BUDGET: u32 = 200;
/// What one repetition costs.
const COST: u32 = 10;
/// What one request that needed no repetition gives back: ten of them pay for one.
const EARNED_BY_SUCCESS: u32 = 1;

/// When repetitions happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Repetitions after the first attempt. Default 3; 0 switches repetition off.
    pub max_retries: u32,
    /// Upper bound of the first wait. Default 1 s.
    pub delay: Duration,
    /// What the bound is multiplied with for each further wait. Default 2.
    pub backoff: f64,
    /// The bound never exceeds this. Default 20 s.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, delay: Duration::from_secs(1), backoff: 2.0, max_delay: Duration::from_secs(20) }
    }
}

impl RetryPolicy {
    /// No repetition at all.
    pub const NONE: Self = Self { max_retries: 0, delay: Duration::ZERO, backoff: 1.0, max_delay: Duration::ZERO };

    /// The wait before repetition `number` (from 0): anything between zero and the bound, by `share` in 0 to 1 ("full
    /// jitter"), after what the far side asked for.
    pub(super) fn wait(&self, number: u32, share: f64, asked: Duration) -> Duration {
        let factor = self.backoff.powi(i32::try_from(number).unwrap_or(i32::MAX));
        let bound = Duration::try_from_secs_f64(self.delay.as_secs_f64() * factor).unwrap_or(self.max_delay);
        asked + bound.min(self.max_delay).mul_f64(share.clamp(0.0, 1.0))
    }
}

/// What a second attempt of a request could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Nothing that the first did not: reads, and updates that set the same values.
    Freely,
    /// Nothing either, but it finds nothing any more if the first succeeded.
    Delete,
    /// Make a second resource.
    Create,
}

impl Repeat {
    /// What to wait at least before another attempt; `None` if there must not be one.
    pub(super) fn after(self, error: &RestError) -> Option<Duration> {
        match error {
            RestError::Throttled { retry_after, .. } => Some(*retry_after),
            RestError::Unreachable(_) | RestError::Conflict { .. } => Some(Duration::ZERO),
            RestError::Unavailable { .. } | RestError::UnknownOutcome(_) if self != Self::Create => {
                Some(Duration::ZERO)
            }
            _ => None,
        }
    }
}

/// Keeps repetitions a small share of all requests, so that an outage is not answered with a storm.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(BUDGET))
    }

    pub(super) fn earn(&self) {
        let more = |left: u32| Some((left + EARNED_BY_SUCCESS).min(BUDGET));
        // The closure never declines, so there is no failure to look at.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).unwrap_or_default();
    }

    /// Whether one more repetition can be afforded; takes its cost if so.
    pub(super) fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_jittered_down_to_zero() {
        let policy = RetryPolicy { max_delay: Duration::from_secs(5), ..RetryPolicy::default() };
        let full: Vec<_> = (0..5).map(|number| policy.wait(number, 1.0, Duration::ZERO).as_secs()).collect();
        assert_eq!(full, [1, 2, 4, 5, 5]);
        assert_eq!(policy.wait(3, 0.0, Duration::ZERO), Duration::ZERO);
        assert_eq!(policy.wait(1, 0.5, Duration::from_secs(7)), Duration::from_secs(8));
        assert_eq!(policy.wait(u32::MAX, 1.0, Duration::ZERO), Duration::from_secs(5));
    }

    #[test]
    fn a_create_is_repeated_only_where_nothing_happened() {
        let throttled = RestError::Throttled { retry_after: Duration::from_secs(2), code: 20429 };
        let unavailable = RestError::Unavailable { status: 503, code: 20503 };
        let refused = RestError::Refused { status: 400, code: 20001 };
        for repeat in [Repeat::Freely, Repeat::Delete, Repeat::Create] {
            assert_eq!(repeat.after(&throttled), Some(Duration::from_secs(2)));
            assert_eq!(repeat.after(&refused), None);
            assert_eq!(repeat.after(&RestError::Decode), None);
            assert_eq!(repeat.after(&unavailable).is_some(), repeat != Repeat::Create);
        }
    }

    #[test]
    fn the_budget_runs_out_and_is_earned_back() {
        let budget = Budget::new();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend() && !budget.spend());
    }
}
