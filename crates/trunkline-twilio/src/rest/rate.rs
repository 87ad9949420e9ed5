//! The sender's rate: how many messages a second may be created.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use super::RestError;

/// What a sender that is over its own rate is told.
const TOO_MANY: u32 = 429;

/// A limit on message creation, shared by all clones of a client.
#[derive(Debug)]
pub(super) struct SenderRate(Option<DefaultDirectRateLimiter>);

impl SenderRate {
    pub(super) fn new(messages_per_second: Option<NonZeroU32>) -> Self {
        Self(messages_per_second.map(|rate| RateLimiter::direct(Quota::per_second(rate))))
    }

    /// Waits for permission, at most until `deadline`.
    pub(super) async fn permit(&self, deadline: Instant) -> Result<(), RestError> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        let clock = DefaultClock::default();
        while let Err(not_until) = limiter.check() {
            // At least a millisecond, so that a wait that was rounded down does not spin.
            let wait = not_until.wait_time_from(clock.now()).max(Duration::from_millis(1));
            if Instant::now() + wait > deadline {
                return Err(RestError::Throttled { retry_after: wait, code: TOO_MANY });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}
