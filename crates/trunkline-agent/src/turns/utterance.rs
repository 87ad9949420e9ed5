//! What the person is saying.

use std::time::Duration;

use trunkline_core::Pii;

use super::backchannel::is_backchannel;

/// The words of an utterance are kept up to this many bytes; what is beyond is left out.
const MAX_BYTES: usize = 8 << 10;

/// Speech and words since the last commit.
#[derive(Debug)]
pub(super) struct Utterance {
    pub(super) started: Duration,
    /// When it fell silent; none while the person speaks.
    pub(super) silent_since: Option<Duration>,
    finals: String,
    partial: String,
    /// When the words last changed.
    pub(super) changed: Duration,
    /// The recognizer says that it is complete, and no speech has come since.
    pub(super) is_complete: bool,
}

impl Utterance {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            started: now,
            silent_since: None,
            finals: String::new(),
            partial: String::new(),
            changed: now,
            is_complete: false,
        }
    }

    pub(super) fn partial(&mut self, now: Duration, text: &str) {
        if text != self.partial {
            self.partial.clear();
            self.partial.push_str(bounded(text, MAX_BYTES.saturating_sub(self.finals.len())));
            self.changed = now;
        }
    }

    pub(super) fn finished(&mut self, now: Duration, text: &str) {
        self.partial.clear();
        let text = bounded(text.trim(), MAX_BYTES.saturating_sub(self.finals.len() + 1));
        if !text.is_empty() {
            if !self.finals.is_empty() {
                self.finals.push(' ');
            }
            self.finals.push_str(text);
        }
        self.changed = now;
    }

    /// All words so far, the guessed ones last.
    pub(super) fn words(&self) -> String {
        let (finals, partial) = (self.finals.trim(), self.partial.trim());
        match (finals.is_empty(), partial.is_empty()) {
            (false, false) => format!("{finals} {partial}"),
            (false, true) => finals.to_owned(),
            (true, _) => partial.to_owned(),
        }
    }

    pub(super) fn has_words(&self) -> bool {
        !self.finals.trim().is_empty() || !self.partial.trim().is_empty()
    }

    /// Those of its words that are a guess.
    pub(super) fn guess(&self) -> Option<&str> {
        Some(self.partial.trim()).filter(|guess| guess.contains(char::is_alphanumeric))
    }

    /// Whether there are words that ask for the floor.
    pub(super) fn asks_for_floor(&self) -> bool {
        self.has_words() && !is_backchannel(&self.words())
    }

    pub(super) fn into_text(self) -> Pii<String> {
        Pii::new(self.words())
    }
}

fn bounded(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}
