//! What the person does: speech, words, keys.

use std::time::Duration;

use trunkline_core::Pii;

use super::{Ending, MAX_DIGITS, ReplyKind, TurnMachine, Utterance};
use crate::turns::guess::Guess;

impl TurnMachine {
    pub(super) fn speech_started(&mut self) {
        let now = self.now;
        self.speaking_since = Some(now);
        let may_stop = self.may_stop_reply();
        let utterance = self.utterance.get_or_insert_with(|| Utterance::new(now));
        utterance.silent_since = None;
        utterance.is_complete = false;
        let Some(reply) = &self.reply else { return };
        if !reply.has_sound() {
            self.endpoint.spoke_again(now, &self.policy);
        }
        if self.held_since.is_none() && may_stop && !reply.ignores_speech {
            self.interrupt_at = Some(now.saturating_add(self.policy.interrupt_after));
        }
    }

    pub(super) fn speech_ended(&mut self, at: Duration) {
        self.speaking_since = None;
        self.interrupt_at = None;
        self.speech_end = at.min(self.now);
        if let Some(utterance) = &mut self.utterance {
            utterance.silent_since = Some(self.speech_end.max(utterance.started));
        }
    }

    pub(super) fn words(&mut self, text: &str, is_final: bool) {
        if text.trim().is_empty() {
            return;
        }
        let now = self.now;
        self.last_words = now;
        self.has_partials |= !is_final;
        let Some(text) = self.unanswered_part(text, is_final) else { return };
        let is_speaking = self.speaking_since.is_some();
        let utterance = self.utterance.get_or_insert_with(|| {
            // Too quiet for the detector; the recognizer heard it.
            let mut utterance = Utterance::new(now);
            utterance.silent_since = (!is_speaking).then_some(now);
            utterance
        });
        // Whoever speaks on was not finished.
        utterance.is_complete &= !is_speaking;
        if is_final {
            utterance.finished(now, text);
        } else {
            utterance.partial(now, text);
        }
        let asks = utterance.asks_for_floor();
        if asks && self.may_stop_reply() {
            self.take_floor();
        }
    }

    /// The recognizer is sure that the person has finished, whatever the detector says.
    pub(super) fn end_of_utterance(&mut self) {
        let is_speaking = self.speaking_since.is_some();
        if let Some(utterance) = self.utterance.as_mut().filter(|utterance| !is_speaking || utterance.has_words()) {
            utterance.is_complete = true;
        }
    }

    /// What of these words was not answered when it was a guess.
    fn unanswered_part<'a>(&mut self, text: &'a str, is_final: bool) -> Option<&'a str> {
        self.answered_guess.take_if(|guess| guess.is_stale(self.now));
        let Some(guess) = &self.answered_guess else { return Some(text) };
        let beyond = guess.beyond(text);
        if is_final {
            self.answered_guess = None;
        }
        match beyond {
            Some(rest) => (!rest.is_empty()).then_some(rest),
            // Nobody has spoken since: it is the same words, understood differently.
            None if self.utterance.is_none() && self.speaking_since.is_none() => None,
            None => Some(text),
        }
    }

    /// The person means it: the reply is over.
    pub(super) fn take_floor(&mut self) {
        if self.ending.as_ref().is_some_and(Ending::is_revocable) {
            self.ending = None;
        }
        self.stop_reply();
    }

    pub(super) fn digit(&mut self, digit: char) {
        self.reprompts = 0;
        if self.policy.digits_interrupt && self.may_stop_reply() {
            self.take_floor();
        }
        self.digit_at = Some(self.now);
        if digit == '#' {
            self.are_digits_complete = true;
        } else if self.digits.len() < MAX_DIGITS {
            if std::mem::take(&mut self.are_digits_complete) && !self.digits.is_empty() {
                // Those before wait for a reply that may not be cut.
                self.digits.push(' ');
            }
            self.digits.push(digit);
        }
    }

    /// Takes what the person said for their turn, and has it answered.
    pub(super) fn commit(&mut self) {
        let now = self.now;
        let is_under_way = self.reply.as_ref().is_some_and(|reply| !reply.has_been_played(&mut self.ledger, now));
        let mut said = None;
        if let Some(utterance) = self.utterance.take_if(|utterance| utterance.has_words()) {
            self.answered_guess = utterance.guess().map(|guess| Guess::new(now, guess.to_owned()));
            if self.speaking_since.is_some() {
                self.speech_end = utterance.changed;
            }
            if !is_under_way || utterance.asks_for_floor() {
                said = Some(utterance.into_text());
            } else if self.digits.is_empty() {
                // They listen, and say so.
                self.quiet_since = now;
                return;
            }
        }
        let mut texts = std::mem::take(&mut self.unanswered);
        texts.extend(said);
        let digits = std::mem::take(&mut self.digits);
        self.digit_at = None;
        self.are_digits_complete = false;
        if !digits.is_empty() {
            texts.push(Pii::new(digits));
        }
        if texts.is_empty() {
            return;
        }
        self.reprompts = 0;
        self.endpoint.committed(now);
        self.stop_reply();
        texts.splice(0..0, std::mem::take(&mut self.unanswered));
        self.start(ReplyKind::Answer(texts));
    }
}
