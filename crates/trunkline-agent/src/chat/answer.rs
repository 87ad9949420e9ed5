//! A model's answer: held back until a sentence is whole, and judged by how it ends.
//!
//! A model may be cut off, withhold its answer or break off. What was said until then is not an answer, so only whole
//! sentences go on, and the last words go on once the model has said that it is done.

use crate::AgentError;
use crate::models::Finish;

/// A sentence may be this long, in bytes.
const MAX_SENTENCE_BYTES: usize = 16 << 10;
/// What may stand between the end of a sentence and the space behind it.
const CLOSERS: [char; 7] = ['"', '\'', '”', '’', '»', ')', ']'];

/// The answer so far.
#[derive(Default)]
pub(super) struct Answer {
    /// What no sentence end was seen of yet.
    held: String,
    has_spoken: bool,
}

impl Answer {
    /// Takes a piece; returns the sentences that it completes.
    pub(super) fn hear(&mut self, piece: &str) -> Result<Option<String>, AgentError> {
        self.held.push_str(piece);
        if let Some(end) = sentence_end(&self.held, false) {
            return Ok(self.speak(end));
        }
        if self.held.len() > MAX_SENTENCE_BYTES {
            return Err(AgentError::ReplyTooLong { limit: MAX_SENTENCE_BYTES });
        }
        Ok(None)
    }

    /// The model does something else before it goes on; returns what it has said until then.
    pub(super) fn pause(&mut self) -> Option<String> {
        self.speak(self.held.len())
    }

    /// The model says why it ends; returns what is still to be said. It may say nothing if it `has_acted`.
    pub(super) fn finish(&mut self, reason: Finish, has_acted: bool) -> Result<Option<String>, AgentError> {
        match reason {
            Finish::Stop => {
                let rest = self.speak(self.held.trim_end().len());
                if self.has_spoken || has_acted { Ok(rest) } else { Err(AgentError::Empty) }
            }
            Finish::Length => {
                let rest = sentence_end(&self.held, true).and_then(|end| self.speak(end));
                if self.has_spoken { Ok(rest) } else { Err(AgentError::Incomplete) }
            }
            Finish::Filtered => Err(AgentError::Filtered),
            Finish::Tools => Err(AgentError::Malformed("the model wants a tool, and may have none")),
        }
    }

    /// Lets go of what is held, up to `end`.
    fn speak(&mut self, end: usize) -> Option<String> {
        let rest = self.held.split_off(end);
        let text = std::mem::replace(&mut self.held, rest);
        if text.trim().is_empty() {
            return None;
        }
        self.has_spoken = true;
        Some(text)
    }
}

/// Where the last whole sentence ends. At the end of a text that may go on nothing is certain: `3.` may become `3.14`.
fn sentence_end(text: &str, is_all: bool) -> Option<usize> {
    text.char_indices().rev().find_map(|(at, mark)| {
        let (before, from) = text.split_at(at);
        let closed = from.get(mark.len_utf8()..)?.trim_start_matches(CLOSERS);
        let end = text.len() - closed.len();
        match mark {
            '\n' => {
                let line = before.rsplit('\n').next().unwrap_or_default().trim();
                (!line.is_empty() && !line.ends_with([':', ',', ';'])).then(|| before.trim_end().len())
            }
            '.' if before.ends_with(|before: char| before.is_ascii_digit()) => None,
            '.' | '!' | '?' | '…' | '؟' => {
                let is_last = if closed.is_empty() { is_all } else { closed.starts_with(char::is_whitespace) };
                is_last.then_some(end)
            }
            '。' | '！' | '？' | '।' | '۔' => Some(end),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_people_end_them() {
        let check = |text: &str, sentence: Option<&str>, if_all: Option<&str>| {
            let cut = |is_all| sentence_end(text, is_all).and_then(|end| text.get(..end));
            assert_eq!((cut(false), cut(true)), (sentence, if_all), "{text:?}");
        };
        check("One. Two", Some("One."), Some("One."));
        check("One. Two.", Some("One."), Some("One. Two."));
        check("One? \"Two!\" Thr", Some("One? \"Two!\""), Some("One? \"Two!\""));
        check("(One.)", None, Some("(One.)"));
        check("it costs 3.", None, None);
        check("see example.com", None, None);
        check("Options:\n1. ", None, None);
        check("- eggs\n- mi", Some("- eggs"), Some("- eggs"));
        check("\n\n", None, None);
        check("そうです。はい", Some("そうです。"), Some("そうです。"));
        check("", None, None);
    }

    #[test]
    fn nothing_is_lost_of_an_answer_that_is_done() {
        let pieces = ["  He", "llo", ". How", " are you? I", " am", " 3.", "5 \n"];
        let mut answer = Answer::default();
        let mut said = String::new();
        for piece in pieces {
            said.extend(answer.hear(piece).expect("heard"));
        }
        assert_eq!(said, "  Hello. How are you? I am 3.5");
        assert_eq!(answer.hear(" So ").expect("heard"), None);
        said.extend(answer.finish(Finish::Stop, false).expect("finished"));
        assert_eq!(said, "  Hello. How are you? I am 3.5 \n So");
    }

    #[test]
    fn a_sentence_without_end_is_not_held_for_ever() {
        let mut answer = Answer::default();
        let piece = "x".repeat(1 << 10);
        let error = (0..=16).find_map(|_| answer.hear(&piece).err()).expect("refused");
        assert_eq!(error.code(), "agent.reply_too_long");
    }
}
