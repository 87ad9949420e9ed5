//! How much of what was sent has been heard.
//!
//! The far end queues audio and plays it in real time. All that is known of it are the clock and the marks that come
//! back. [`Clock`] says how far playback must be by now; [`Ledger`] keeps the same by segment (a sentence, a tone), with
//! marks as proof, and refuses audio of a reply that has been stopped. Nothing here says more than was sent, and nothing
//! that was once heard is taken back.

mod clock;
mod ledger;
mod mark;

pub use self::clock::Clock;
pub use self::ledger::{Generation, Heard, HeardSegment, Ledger, MAX_MARKS, MAX_SEGMENTS, SegmentId};
pub use self::mark::{MarkName, MarkReturned};

use std::time::Duration;

/// Whole milliseconds of so many samples.
pub(crate) const fn to_ms(samples: u64) -> u64 {
    samples * 1000 / crate::SAMPLE_RATE as u64
}

/// The playing time of so many samples.
pub(crate) const fn to_duration(samples: u64) -> Duration {
    Duration::from_micros(samples * 1_000_000 / crate::SAMPLE_RATE as u64)
}

/// How many samples are played in a time.
pub(crate) fn to_samples(time: Duration) -> u64 {
    u64::try_from(time.as_micros() * u128::from(crate::SAMPLE_RATE) / 1_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
