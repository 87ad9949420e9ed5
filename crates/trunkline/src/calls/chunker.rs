//! Cuts an answer into what is spoken at once, while it is still being written.

/// A piece without the end of a sentence is spoken when it is this long, in bytes, at the last place where it reads well.
const MAX_BYTES: usize = 240;
/// Ends of sentences before this are not looked for, in bytes: "Dr." is no sentence.
const MIN_BYTES: usize = 12;

/// Gathers text until a sentence is complete.
#[derive(Debug, Default)]
pub(super) struct Chunker {
    text: String,
}

impl Chunker {
    /// Adds a piece of the answer.
    pub(super) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// The next sentence, if one is complete.
    pub(super) fn next(&mut self) -> Option<String> {
        let end = self.sentence_end().or_else(|| self.forced_end())?;
        let rest = self.text.split_off(end);
        let sentence = std::mem::replace(&mut self.text, rest);
        let sentence = sentence.trim();
        if sentence.is_empty() { self.next() } else { Some(sentence.to_owned()) }
    }

    /// What is left when the answer is complete.
    pub(super) fn rest(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.text);
        let rest = rest.trim();
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    /// Behind the first end of a sentence that something follows: "3.5" may still become "3.50".
    fn sentence_end(&self) -> Option<usize> {
        let mut letters = self.text.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let is_end = match letter {
                '.' | '!' | '?' | '…' | ':' | ';' => letters.peek().is_some_and(|(_, next)| next.is_whitespace()),
                '\n' | '。' | '！' | '？' => true,
                _ => false,
            };
            let end = at + letter.len_utf8();
            if is_end && (end >= MIN_BYTES || letter == '\n') {
                return Some(end);
            }
        }
        None
    }

    fn forced_end(&self) -> Option<usize> {
        if self.text.len() <= MAX_BYTES {
            return None;
        }
        let head = self.text.get(..self.text.floor_char_boundary(MAX_BYTES))?;
        let cut = head.rfind([',', ';']).map(|at| at + 1).filter(|at| *at > MAX_BYTES / 2);
        cut.or_else(|| head.rfind(char::is_whitespace).filter(|at| *at > 0)).or(Some(head.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&str]) -> Vec<String> {
        let mut chunker = Chunker::default();
        let mut sentences = Vec::new();
        for piece in pieces {
            chunker.push(piece);
            while let Some(sentence) = chunker.next() {
                sentences.push(sentence);
            }
        }
        sentences.extend(chunker.rest());
        sentences
    }

    #[test]
    fn sentences_are_spoken_as_soon_as_they_are_complete() {
        assert_eq!(
            cut(&["Nice to me", "et you, Ada! How ", "can I help?"]),
            ["Nice to meet you, Ada!", "How can I help?"]
        );
        assert_eq!(cut(&["It costs 3.", "50 in all. Yes"]), ["It costs 3.50 in all.", "Yes"]);
        assert_eq!(cut(&["  ", "\n"]), Vec::<String>::new());
    }

    #[test]
    fn a_sentence_without_an_end_does_not_keep_the_person_waiting() {
        let endless = "and another word ".repeat(40);
        let pieces = cut(&[&endless]);
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() <= MAX_BYTES), "{pieces:?}");
        assert_eq!(pieces.join(" "), endless.trim());
        assert!(cut(&["é".repeat(500).as_str()]).iter().all(|piece| piece.len() <= MAX_BYTES));
    }
}
