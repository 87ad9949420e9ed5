//! Words that were answered while they were a guess.

use std::time::Duration;

/// For how long the recognizer's last word on a guess is waited for.
const WAIT: Duration = Duration::from_secs(10);
/// What may stand between the guess and what follows it.
const BETWEEN: &[char] = &[' ', '\t', '\n', ',', '.', ';', ':', '!', '?', '-', '…'];

/// A guess that was taken for words; the recognizer's final word on it is still to come.
#[derive(Debug)]
pub(super) struct Guess {
    text: String,
    at: Duration,
}

impl Guess {
    pub(super) const fn new(now: Duration, text: String) -> Self {
        Self { text, at: now }
    }

    pub(super) fn is_stale(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) > WAIT
    }

    /// What `text` says beyond the guess; empty if nothing. None: it does not begin with the guess. Case and punctuation
    /// make no difference. A word that the guess broke off counts as new.
    pub(super) fn beyond<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut guessed = spoken(&self.text).peekable();
        let mut word = 0;
        let mut is_in_word = false;
        let mut end = text.len();
        for (at, letter) in text.char_indices() {
            if letter.is_whitespace() {
                is_in_word = false;
            } else if !is_in_word {
                (word, is_in_word) = (at, true);
            }
            if guessed.peek().is_none() {
                // Within a word only if the guess ended there; else at the end of one.
                end = if letter.is_alphanumeric() && is_in_word { word } else { at };
                break;
            }
            for letter in letter.to_lowercase().filter(|letter| letter.is_alphanumeric()) {
                if guessed.next() != Some(letter) {
                    return None;
                }
            }
        }
        if guessed.peek().is_some() {
            return None;
        }
        let rest = text.get(end..).unwrap_or_default().trim_start_matches(BETWEEN);
        Some(if rest.contains(char::is_alphanumeric) { rest } else { "" })
    }
}

/// The letters and digits of a text.
fn spoken(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_a_guess() {
        let beyond = |guess: &str, text: &'static str| Guess::new(Duration::ZERO, guess.to_owned()).beyond(text);
        assert_eq!(beyond("my name", "My name."), Some(""));
        assert_eq!(beyond("my name", "My name, is Ada"), Some("is Ada"));
        assert_eq!(beyond("my num", "my number is five"), Some("number is five"));
        assert_eq!(beyond("it costs", "It costs $5"), Some("$5"));
        assert_eq!(beyond("my name", "my"), None);
        assert_eq!(beyond("my name", "and then"), None);
        assert_eq!(beyond("straße", "STRAßE ist lang"), Some("ist lang"));
    }
}
