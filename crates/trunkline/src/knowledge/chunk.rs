//! Blocks, made into passages of about a thousand characters, each under the headings above it.

use trunkline_core::Pii;
use trunkline_store::NewPassage;

use super::block::Block;

/// A passage is ended when it has this many characters.
const FULL: usize = 1_000;
/// Of a passage that was ended because it was full, so much of its end is at the beginning of the next.
const OVERLAP: usize = 150;
/// The longest title, in characters.
const MAX_TITLE: usize = 200;

/// The passages of a document.
pub(super) fn passages(blocks: &[Block]) -> Vec<NewPassage> {
    let mut chunks = Chunks::default();
    for block in blocks {
        match block {
            Block::Heading(level, text) => chunks.heading(*level, text),
            Block::Paragraph(text) => chunks.paragraph(text),
        }
    }
    chunks.flush();
    chunks.done
}

#[derive(Default)]
struct Chunks {
    done: Vec<NewPassage>,
    headings: Vec<(u8, String)>,
    title: String,
    text: String,
    /// How much of the text was in the passage before.
    repeated: usize,
}

impl Chunks {
    fn heading(&mut self, level: u8, text: &str) {
        // A passage is told by the headings above it: none goes on below another one.
        self.flush();
        self.headings.retain(|(above, _)| *above < level);
        self.headings.push((level, text.to_owned()));
        let headings: Vec<_> = self.headings.iter().map(|(_, text)| text.as_str()).collect();
        head(&headings.join(" › "), MAX_TITLE).clone_into(&mut self.title);
    }

    fn paragraph(&mut self, text: &str) {
        for piece in pieces(text) {
            if self.length() > 0 && self.length() + piece.chars().count() > FULL {
                let tail = tail(&self.text, OVERLAP).to_owned();
                self.flush();
                self.repeated = tail.len();
                self.text = tail;
            }
            self.add(piece);
        }
    }

    /// Characters that are new.
    fn length(&self) -> usize {
        self.text.get(self.repeated..).map_or(0, |text| text.chars().count())
    }

    fn add(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        let is_new = self.length() > 0;
        let text = std::mem::take(&mut self.text);
        self.repeated = 0;
        if is_new {
            self.done.push(NewPassage { title: Pii::new(self.title.clone()), text: Pii::new(text), at: None });
        }
        let headings: Vec<_> = self.headings.iter().map(|(_, text)| text.as_str()).collect();
        head(&headings.join(" › "), MAX_TITLE).clone_into(&mut self.title);
    }
}

/// A paragraph in pieces that are not too long: at ends of sentences, else between words, else anywhere.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while rest.chars().count() > FULL {
        let full = head(rest, FULL);
        let sentence = full.rfind(". ").filter(|at| *at > full.len() / 3).map(|at| at + 1);
        let at = sentence.or_else(|| full.rfind(' ').filter(|at| *at > 0)).unwrap_or(full.len());
        let (piece, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        found.push(piece.trim());
        rest = behind.trim_start();
    }
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// The first so many characters.
fn head(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// The last so many characters at most, from the beginning of a word.
fn tail(text: &str, chars: usize) -> &str {
    let Some((at, _)) = text.char_indices().rev().nth(chars.saturating_sub(1)) else { return text };
    let tail = text.get(at..).unwrap_or_default();
    tail.find([' ', '\n']).and_then(|space| tail.get(space + 1..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(blocks: &[Block]) -> Vec<(String, String)> {
        passages(blocks).into_iter().map(|one| (one.title.into_inner(), one.text.into_inner())).collect()
    }

    #[test]
    fn headings_part_and_name_passages() {
        let heading = |level, text: &str| Block::Heading(level, text.to_owned());
        let long = "We are open from nine to five on every day of the week but for Sunday, when we rest.";
        let blocks = [
            heading(1, "Shop"),
            heading(2, "Hours"),
            Block::Paragraph(long.to_owned()),
            heading(2, "Prices"),
            Block::Paragraph("Tea is 4.".to_owned()),
            heading(2, "Hiring"),
            Block::Paragraph("You can hire a car.".to_owned()),
        ];
        let expected =
            [("Shop › Hours", long), ("Shop › Prices", "Tea is 4."), ("Shop › Hiring", "You can hire a car.")];
        assert_eq!(told(&blocks), expected.map(|(title, text)| (title.to_owned(), text.to_owned())));
        assert!(told(&[heading(1, "Nothing")]).is_empty());
    }

    #[test]
    fn a_long_paragraph_is_parted_with_an_overlap() {
        let text = (0..200).map(|number| format!("This is sentence {number}.")).collect::<Vec<_>>().join(" ");
        let told = told(&[Block::Paragraph(text)]);
        assert!(told.len() >= 4, "{}", told.len());
        for pair in told.windows(2) {
            let beginning = pair[1].1.lines().next().unwrap();
            assert!(pair[0].1.ends_with(beginning), "{beginning:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_long(texts in prop::collection::vec("[a-zäß. ]{0,3000}", 0..6)) {
            let blocks: Vec<_> = texts.iter().map(|text| Block::Paragraph(text.trim().to_owned())).collect();
            let told = told(&blocks);
            prop_assert!(told.iter().all(|(_, text)| text.chars().count() <= FULL + OVERLAP + 2));
            let all = told.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" ");
            for word in texts.iter().flat_map(|text| text.split_whitespace()).filter(|word| word.len() < 100) {
                prop_assert!(all.contains(word), "{word}");
            }
        }
    }
}
