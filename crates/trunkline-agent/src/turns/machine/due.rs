//! When something is due although nothing happens.

use std::time::Duration;

use super::TurnMachine;
use crate::turns::reply::Reply;
use crate::turns::utterance::Utterance;

/// Speech over a reply that has brought no words for this long is the noise of the line.
const NOISE_AFTER: Duration = Duration::from_secs(4);
/// Words that have not changed for this long are all there are, although the detector still hears a voice.
const UNCHANGED_AFTER: Duration = Duration::from_secs(3);
/// Speech that has brought no words for this long is none, even to a recognizer that gives no guesses.
const WORDLESS_AFTER: Duration = Duration::from_secs(15);
/// How long a goodbye may take to be made before the call ends without it.
const GOODBYE_WAIT: Duration = Duration::from_secs(5);

impl TurnMachine {
    pub(super) fn interrupt_due(&self) -> Option<Duration> {
        self.interrupt_at.filter(|_| self.speaking_since.is_some() && self.reply.is_some() && self.held_since.is_none())
    }

    /// When a reply that is held goes on, because no words came.
    pub(super) fn verdict_due(&self) -> Option<Duration> {
        let held = self.held_since?;
        if self.speaking_since.is_some() {
            return Some(held.saturating_add(self.patience(NOISE_AFTER)));
        }
        let silent = self.utterance.as_ref().and_then(|utterance| utterance.silent_since).unwrap_or(held);
        Some(silent.max(held).saturating_add(self.policy.interrupt_verdict))
    }

    /// How long to wait for words while the person speaks: a recognizer without guesses needs its time.
    fn patience(&self, with_guesses: Duration) -> Duration {
        if self.has_partials { with_guesses } else { WORDLESS_AFTER }
    }

    /// When speech that goes on without words is taken for silence.
    fn wordless_due(&self) -> Option<Duration> {
        Some(self.speaking_since?.max(self.last_words).saturating_add(WORDLESS_AFTER))
    }

    /// Whether what the person says or keys has to wait: for a reply that may not be cut, or a verdict.
    fn must_wait(&self) -> bool {
        self.held_since.is_some()
            || self.ending.as_ref().is_some_and(|ending| !ending.is_revocable())
            || self.reply.as_ref().is_some_and(|reply| !reply.is_interruptible)
    }

    pub(super) fn commit_due(&self) -> Option<Duration> {
        let utterance = self.utterance.as_ref().filter(|_| !self.must_wait())?;
        if let Some(since) = self.speaking_since {
            if utterance.is_complete {
                return Some(utterance.changed);
            }
            let unchanged = since.max(utterance.changed).saturating_add(self.patience(UNCHANGED_AFTER));
            return Some(unchanged).filter(|_| utterance.has_words());
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
        let last = self.digit_at.filter(|_| !self.must_wait())?;
        Some(if self.are_digits_complete { last } else { last.saturating_add(self.policy.digit_timeout) })
    }

    /// When a question is answered that something else than the person broke into.
    pub(super) fn unanswered_due(&self) -> Option<Duration> {
        let is_open = !self.unanswered.is_empty()
            && self.reply.is_none()
            && self.ending.is_none()
            && self.digit_at.is_none()
            && !self.is_listened_to();
        is_open.then(|| self.wordless_due().unwrap_or(self.quiet_since))
    }

    /// Whether there is an utterance that is going to be a turn, or to be dropped.
    fn is_listened_to(&self) -> bool {
        let is_pending = |utterance: &Utterance| self.speaking_since.is_none() || utterance.has_words();
        self.utterance.as_ref().is_some_and(is_pending)
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
        Some(self.ledger.ends_at().max(reply.sent_last()).saturating_add(grace))
    }

    pub(super) fn filler_due(&self) -> Option<Duration> {
        let reply = self.reply.as_ref().filter(|_| self.held_since.is_none())?;
        let waits = !reply.has_sound() && !reply.has_filler && !reply.is_complete && !reply.answers.is_empty();
        waits.then(|| reply.started.saturating_add(self.policy.filler_after))
    }

    pub(super) fn stall_due(&self) -> Option<Duration> {
        // A mark that is missing means nothing where none ever comes back.
        self.reply.as_ref().filter(|_| self.held_since.is_none() && self.marks_come_back)?;
        self.ledger.oldest_mark_due().map(|due| due.saturating_add(self.policy.stall_after))
    }

    pub(super) fn reprompt_due(&self) -> Option<Duration> {
        let is_quiet = self.reply.is_none()
            && !self.is_listened_to()
            && self.unanswered.is_empty()
            && self.digit_at.is_none()
            && self.ending.is_none();
        let by_silence = self.quiet_since.saturating_add(self.policy.reprompt_after);
        is_quiet.then(|| by_silence.max(self.wordless_due().unwrap_or_default()))
    }

    /// When the call ends although its goodbye was not said. Who may still change our mind is heard out before.
    pub(super) fn goodbye_due(&self) -> Option<Duration> {
        let ending = self.ending.as_ref().filter(|_| !self.is_over)?;
        if self.reply.as_ref().is_some_and(Reply::has_sound) {
            return None;
        }
        let due = ending.since.saturating_add(GOODBYE_WAIT);
        if !ending.is_revocable() {
            return Some(due);
        }
        if self.held_since.is_some() {
            return None;
        }
        let heard_out = self.wordless_due().unwrap_or_else(|| self.speech_end.saturating_add(GOODBYE_WAIT));
        Some(due.max(heard_out.min(self.policy.max_duration)))
    }
}
