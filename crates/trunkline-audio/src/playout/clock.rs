//! The clock of one queue of audio at the far end.

use std::time::Duration;

use super::{to_duration, to_samples};

/// How far the playback of what was sent must be. Positions count samples since the start of the call; what was dropped
/// unheard is not counted.
///
/// Times that run backwards are taken as no time at all.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    sent: u64,
    /// The most that was ever said to have been played.
    played: u64,
    /// Playback was at this position at that time, and has run since.
    anchor: (Duration, u64),
}

impl Clock {
    /// Audio has been sent. If nothing was playing, it begins now.
    pub fn sent(&mut self, now: Duration, samples: u64) {
        let played = self.played(now);
        if self.running(now) >= self.sent {
            self.anchor = (now.max(self.anchor.0), played);
        }
        self.sent += samples;
    }

    /// The position that must have been reached: never beyond what was sent, never less than it was.
    pub fn played(&mut self, now: Duration) -> u64 {
        self.played = self.played.max(self.running(now).min(self.sent));
        self.played
    }

    /// It is known that playback has reached a position just now.
    pub fn reached(&mut self, now: Duration, position: u64) {
        let position = position.min(self.sent);
        self.played(now);
        self.played = self.played.max(position);
        self.anchor = (now.max(self.anchor.0), position);
    }

    /// The queue has been emptied: what was not played never will be. Returns how much that was.
    pub fn cleared(&mut self, now: Duration) -> u64 {
        let played = self.played(now);
        let dropped = self.sent - played;
        self.sent = played;
        self.anchor = (now.max(self.anchor.0), played);
        dropped
    }

    /// The position behind the last sample sent.
    pub fn end(&self) -> u64 {
        self.sent
    }

    /// When the last sample will have been played.
    pub fn ends_at(&self) -> Duration {
        let (since, position) = self.anchor;
        since + to_duration(self.sent.saturating_sub(position))
    }

    fn running(&self, now: Duration) -> u64 {
        let (since, position) = self.anchor;
        position.saturating_add(to_samples(now.saturating_sub(since)))
    }
}
