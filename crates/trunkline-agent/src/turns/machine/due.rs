//! When something is due although nothing happens.

use std::time::Duration;

use super::TurnMachine;
use crate::turns::reply::Reply;

/// Speech over a reply that has brought no words for this long is the noise of the line.
const NOISE_AFTER: Duration = Duration::from_secs(4);
/// How long a goodbye may take to be made before the call ends without it.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);

impl TurnMachine {
    pub(super) fn interrupt_due(&self) -> Option<Duration> {
        self.interrupt_at.filter(|_| self.is_speaking && self.reply.is_some() && self.held_since.is_none())
    }

    /// When a reply that is held goes on, because no words came.
    pub(super) fn verdict_due(&self) -> Option<Duration> {
        let held = self.held_since?;
        if self.is_speaking {
            return Some(held.saturating_add(NOISE_AFTER));
        }
        let silent = self.utterance.as_ref().and_then(|utterance| utterance.silent_since).unwrap_or(held);
        Some(silent.max(held).saturating_add(self.policy.interrupt_verdict))
    }

    pub(super) fn commit_due(&self) -> Option<Duration> {
        let utterance = self.utterance.as_ref().filter(|_| !self.is_speaking && self.held_since.is_none())?;
        let is_in_the_way =
            |reply: &Reply| !reply.is_interruptible || self.ending.as_ref().is_some_and(|it| !it.is_revocable());
        if self.reply.as_ref().is_some_and(is_in_the_way) {
            return None;
        }
        let silent = utterance.silent_since?;
        if !utterance.has_words() {
            return Some(silent.saturating_add(self.policy.transcript_wait));
        }
        if utterance.is_complete {
            return Some(silent);
        }
        let by_silence = silent.saturating_add(self.endpoint.silence());
        Some(by_silence.max(utterance.changed.saturating_add(self.policy.stability)))
    }

    pub(super) fn digits_due(&self) -> Option<Duration> {
        Some(self.digit_at?.saturating_add(self.policy.digit_timeout))
    }

    /// When a reply is over: now if marks prove that it was heard, else after the time that they are waited for.
    pub(super) fn finish_due(&mut self) -> Option<Duration> {
        let now = self.now;
        let reply = self.reply.as_ref().filter(|reply| reply.is_complete && self.held_since.is_none())?;
        if !reply.all_sent() {
            return None;
        }
        if reply.all_heard(&mut self.ledger, now) {
            return Some(now);
        }
        let grace = if self.ending.is_some() { self.policy.hang_up_grace } else { self.policy.stall_after };
        Some(self.ledger.unheard(now).saturating_add(now).max(reply.sent_last()).saturating_add(grace))
    }

    pub(super) fn filler_due(&self) -> Option<Duration> {
        let reply = self.reply.as_ref().filter(|_| self.held_since.is_none())?;
        let waits = !reply.has_sound() && !reply.has_filler && !reply.is_complete && !reply.answers.is_empty();
        waits.then(|| reply.started.saturating_add(self.policy.filler_after))
    }

    pub(super) fn stall_due(&self) -> Option<Duration> {
        self.reply.as_ref().filter(|_| self.held_since.is_none())?;
        self.ledger.oldest_mark_due().map(|due| due.saturating_add(self.policy.stall_after))
    }

    pub(super) fn reprompt_due(&self) -> Option<Duration> {
        let is_quiet = self.reply.is_none()
            && self.utterance.is_none()
            && !self.is_speaking
            && self.digit_at.is_none()
            && self.ending.is_none();
        is_quiet.then(|| self.quiet_since.saturating_add(self.policy.reprompt_after))
    }

    /// When the call ends although its goodbye was not said.
    pub(super) fn goodbye_due(&self) -> Option<Duration> {
        let ending = self.ending.as_ref().filter(|_| !self.is_over)?;
        let is_silent = self.reply.as_ref().is_none_or(|reply| !reply.has_sound());
        is_silent.then(|| ending.since.saturating_add(GOODBYE_WAIT))
    }
}
