//! Which messages are ours to answer.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use trunkline_store::{Store, StoreError};

const CURSOR: &str = "first_start";

/// Messages from before the very first start, or older than anyone waits, are recorded and not answered.
#[derive(Debug, Clone, Copy)]
pub struct Horizon {
    first: Timestamp,
    look_back: SignedDuration,
    max_age: SignedDuration,
}

impl Horizon {
    /// Remembers the first start of this store, and reaches `look_back` before it.
    ///
    /// # Errors
    /// `store.unavailable`.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn open(store: &Store, look_back: Duration, max_age: Duration) -> Result<Self, StoreError> {
        let first = if let Some(first) = store.cursor(CURSOR).await? {
            first
        } else {
            let back = i64::try_from(look_back.as_millis()).unwrap_or(i64::MAX);
            let first = Timestamp::now().as_millisecond().saturating_sub(back);
            store.set_cursor(CURSOR, first).await?;
            first
        };
        Ok(Self {
            first: Timestamp::from_millisecond(first).unwrap_or(Timestamp::UNIX_EPOCH),
            look_back: SignedDuration::try_from(look_back).unwrap_or(SignedDuration::ZERO),
            max_age: SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX),
        })
    }

    /// Nothing from before this is ours.
    pub(super) const fn first(&self) -> Timestamp {
        self.first
    }

    /// Whether a message that was accepted at `created` is to be answered at `now`.
    pub fn includes(&self, created: Timestamp, now: Timestamp) -> bool {
        let age = now.duration_since(created);
        // Providers write times in whole seconds: the second of the first start belongs to it. What is younger than
        // the look-back is ours in any case: a clock that was ahead at the first start must not silence the gateway.
        let is_ours = created.as_second() >= self.first.as_second() || age <= self.look_back;
        is_ours && age <= self.max_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_start_is_remembered() {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(&folder.path().join("store.db")).await.expect("store");
        let day = Duration::from_hours(24);
        let first = Horizon::open(&store, Duration::from_mins(5), day).await.expect("horizon");
        let again = Horizon::open(&store, Duration::from_hours(9), day).await.expect("horizon");
        assert_eq!(first.first, again.first);
        let now = Timestamp::now();
        let ago = |minutes| now - SignedDuration::from_mins(minutes);
        assert!(first.includes(now, now));
        assert!(first.includes(ago(4), now));
        assert!(!first.includes(ago(6), now));
        assert!(!first.includes(now, now + SignedDuration::from_hours(25)));
        let ahead = Horizon { first: now + SignedDuration::from_hours(1), ..first };
        assert!(ahead.includes(now, now), "the clock was ahead at the first start");
    }
}
