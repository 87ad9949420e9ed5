//! Waiting between tries.

use std::future::Future;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use trunkline_bus::Delivery;

/// Exponential with full jitter: anything from zero to `first` doubled `tries` times, at most `most`.
pub(super) fn backoff(first: Duration, tries: u32, most: Duration) -> Duration {
    let ceiling = first.saturating_mul(1_u32.checked_shl(tries.min(16)).unwrap_or(u32::MAX)).min(most);
    ceiling.mul_f64(rand::random::<f64>())
}

/// How often the leases of deliveries in hand are started anew: well within any lease.
const EXTEND_EVERY: Duration = Duration::from_secs(5);

/// Runs `work` and keeps the leases of `held` alive meanwhile.
pub(super) async fn holding<T>(held: &[Delivery], work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ticks = interval(EXTEND_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => held.iter().for_each(Delivery::extend),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_below_the_cap() {
        let second = Duration::from_secs(1);
        for tries in 0..100 {
            let wait = backoff(second, tries, Duration::from_secs(8));
            assert!(
                wait <= Duration::from_secs(8).min(second * 2_u32.saturating_pow(tries.min(16))),
                "{tries}: {wait:?}"
            );
        }
    }
}
