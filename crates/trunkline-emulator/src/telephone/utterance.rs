//! What an agent's words have become: which sentences were spoken, and how much of them was heard.

use super::clip::{Clips, Sound, sound_ms};

/// The sentences of one turn.
#[derive(Debug, Default)]
pub(super) struct Talk {
    spoken: Vec<Spoken>,
}

#[derive(Debug)]
struct Spoken {
    clip: u64,
    text: String,
    ms: u64,
}

/// How much was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeardUntil {
    pub(super) text: String,
    pub(super) ms: u64,
}

impl Talk {
    /// Queues a sentence. A turn begins when nothing of the one before is left.
    pub(super) fn push(&mut self, text: &str, sound: Sound, clips: &mut Clips) {
        if clips.is_empty() {
            self.spoken.clear();
        }
        let ms = sound_ms(sound.len());
        if let (Some(clip), true) = (clips.push(sound, 1), self.spoken.len() < MAX_SENTENCES) {
            self.spoken.push(Spoken { clip, text: text.to_owned(), ms });
        }
    }

    /// Falls silent. Of a sentence that was cut the words count by the time that was heard.
    pub(super) fn interrupt(&mut self, clips: &mut Clips) -> HeardUntil {
        let cut = clips.clear();
        let mut heard = HeardUntil { text: String::new(), ms: 0 };
        for spoken in self.spoken.drain(..) {
            if clips.has_finished(spoken.clip) {
                heard.text.push_str(&spoken.text);
                heard.ms = heard.ms.saturating_add(spoken.ms);
            } else if let Some((_, played)) = cut.filter(|(clip, _)| *clip == spoken.clip) {
                let words: Vec<&str> = spoken.text.split_inclusive(char::is_whitespace).collect();
                let total = u64::try_from(words.len()).unwrap_or(u64::MAX);
                let count = total.saturating_mul(played).checked_div(spoken.ms).unwrap_or_default();
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                heard.text.extend(words.into_iter().take(count));
                heard.ms = heard.ms.saturating_add(played);
            }
        }
        heard.text = heard.text.trim().to_owned();
        heard
    }
}

/// Where the first whole sentence ends: behind its mark and the space that follows.
pub(super) fn sentence_end(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    while let Some((_, character)) = characters.next() {
        if matches!(character, '.' | '!' | '?' | '\n' | '…')
            && let Some((at, next)) = characters.peek().copied()
            && next.is_whitespace()
        {
            return at.checked_add(next.len_utf8());
        }
    }
    None
}

/// Sentences of one turn that are kept.
const MAX_SENTENCES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telephone::clip::QUIET;

    #[test]
    fn sentences_end_at_their_marks() {
        assert_eq!(sentence_end("It is 3.5 km. Go"), Some(14));
        assert_eq!(sentence_end("Hello there."), None);
        assert_eq!(sentence_end("Oh! "), Some(4));
    }

    #[test]
    fn of_a_cut_sentence_the_words_that_were_heard_count() {
        let (mut talk, mut clips) = (Talk::default(), Clips::default());
        talk.push("One. ", vec![1; 320].into(), &mut clips);
        talk.push("two three four five", vec![1; 640].into(), &mut clips);
        for _ in 0..4 {
            clips.pull(&mut QUIET.clone());
        }
        assert_eq!(talk.interrupt(&mut clips), HeardUntil { text: "One. two three".to_owned(), ms: 80 });
        assert!(clips.is_empty());
        assert_eq!(talk.interrupt(&mut clips), HeardUntil { text: String::new(), ms: 0 });
    }
}
