//! How long to wait before a silence is the end of an utterance. It is learned from the person.

use std::time::Duration;

use super::Policy;

/// Someone who goes on speaking this soon after we took their turn as over was cut off.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(1);
/// What the wait is multiplied with after someone was cut off, and after each turn that went well, in hundredths.
const LONGER: u32 = 140;
const SHORTER: u32 = 95;

/// The silence that ends an utterance.
#[derive(Debug)]
pub(super) struct Endpoint {
    silence: Duration,
    committed: Option<Duration>,
}

impl Endpoint {
    pub(super) const fn new(policy: &Policy) -> Self {
        Self { silence: policy.end_silence, committed: None }
    }

    /// The silence to wait for.
    pub(super) const fn silence(&self) -> Duration {
        self.silence
    }

    /// The person's turn was taken as over.
    pub(super) const fn committed(&mut self, now: Duration) {
        self.committed = Some(now);
    }

    /// The person speaks while nothing was heard of our reply yet.
    pub(super) fn spoke_again(&mut self, now: Duration, policy: &Policy) {
        if self.committed.take().is_some_and(|committed| now.saturating_sub(committed) <= CUT_OFF_WITHIN) {
            self.silence = (self.silence * LONGER / 100).min(policy.max_end_silence);
        }
    }

    /// The reply is heard: the person did not want to go on.
    pub(super) fn went_well(&mut self, policy: &Policy) {
        if self.committed.take().is_some() {
            self.silence = (self.silence * SHORTER / 100).max(policy.min_end_silence);
        }
    }
}
