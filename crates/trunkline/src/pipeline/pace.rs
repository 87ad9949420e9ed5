//! How fast each of our addresses may send: a place in its own queue for every message.
//!
//! Pure: time is an argument. A slow address only makes its own messages wait. One that would have to wait for too long is
//! given no place and comes again, so that a long queue of one address does not fill what all share.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// The longest wait for which a place is kept.
pub(super) const MAX_HELD: Duration = Duration::from_secs(5);
/// The longest time after which one without a place comes again.
const MAX_AGAIN: Duration = Duration::from_mins(10);
/// Addresses that are kept track of; beyond them those that are not waiting are forgotten.
const MAX_SENDERS: usize = 4096;

/// When each address may send next.
#[derive(Default)]
pub(super) struct Pace {
    queues: HashMap<String, Queue>,
}

#[derive(Clone, Copy)]
struct Queue {
    /// The next place.
    next: Instant,
    /// When the next one without a place comes again: one at a time, at the address's own rate.
    again: Instant,
}

/// What a message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is sent after this wait, which is kept for it.
    After(Duration),
    /// The queue is too long: it asks again after this wait.
    AskAgain(Duration),
}

impl Pace {
    /// A place for a message of `sender`, which sends `per_second` messages.
    pub(super) fn place(&mut self, sender: &str, per_second: NonZeroU32, now: Instant) -> Place {
        if self.queues.len() >= MAX_SENDERS && !self.queues.contains_key(sender) {
            self.queues.retain(|_, queue| queue.again.max(queue.next) > now);
        }
        let gap = Duration::from_secs(1) / per_second.get();
        let queue = self.queues.entry(sender.to_owned()).or_insert(Queue { next: now, again: now });
        let free = queue.next.max(now);
        let wait = free.saturating_duration_since(now);
        if wait <= MAX_HELD {
            queue.next = free + gap;
            return Place::After(wait);
        }
        let again = queue.again.max(free);
        let wait = again.saturating_duration_since(now).min(MAX_AGAIN);
        queue.again = now + wait + gap;
        Place::AskAgain(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_queue_of_its_own() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let mut place = |sender, rate, at| pace.place(sender, NonZeroU32::new(rate).unwrap(), now + at);
        let after = |ms| Place::After(Duration::from_millis(ms));
        let zero = Duration::ZERO;
        for wait in 0..=5 {
            assert_eq!(place("slow", 1, zero), after(wait * 1000));
        }
        for wait in 6..=8 {
            assert_eq!(place("slow", 1, zero), Place::AskAgain(Duration::from_secs(wait)), "one after the other");
        }
        assert_eq!(place("fast", 100, zero), after(0));
        assert_eq!(place("fast", 100, zero), after(10));
        assert_eq!(place("slow", 1, Duration::from_secs(1)), after(5000));
        assert_eq!(place("slow", 1, Duration::from_mins(1)), after(0), "time that nobody used is gone");
        assert_eq!(place("slow", 1, Duration::from_mins(1)), after(1000));
    }

    #[test]
    fn addresses_that_wait_for_nothing_are_forgotten() {
        let mut pace = Pace::default();
        let now = Instant::now();
        for number in 0..2 * MAX_SENDERS {
            let at = now + Duration::from_secs(2 * number as u64);
            assert_eq!(pace.place(&number.to_string(), NonZeroU32::MIN, at), Place::After(Duration::ZERO));
        }
        assert!(pace.queues.len() <= MAX_SENDERS);
    }
}
