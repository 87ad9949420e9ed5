//! What is likely to be said.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Phrases that a listener should expect, from the agent.
///
/// A phrase is words, with names of word lists in angle brackets: `my name is <name>`. Engines with a grammar hear nothing
/// else; other engines take the phrases as hints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    phrases: Vec<String>,
    lists: BTreeMap<String, Vec<String>>,
}

impl Vocabulary {
    /// The most phrases that are kept.
    pub const MAX_PHRASES: usize = 500;
    /// The most words of one list that are kept.
    pub const MAX_WORDS: usize = 2_000;

    /// Nothing is expected.
    pub const fn new() -> Self {
        Self { phrases: Vec::new(), lists: BTreeMap::new() }
    }

    /// Expects each of `phrases`; those over [`Self::MAX_PHRASES`] are left out.
    pub fn of<T: Into<String>>(phrases: impl IntoIterator<Item = T>) -> Self {
        let mut vocabulary = Self::new();
        for phrase in phrases {
            vocabulary.phrase(phrase);
        }
        vocabulary
    }

    /// Adds a phrase.
    pub fn phrase(&mut self, phrase: impl Into<String>) {
        if self.phrases.len() < Self::MAX_PHRASES {
            self.phrases.push(phrase.into());
        }
    }

    /// Names the words that may stand for `<name>` in a phrase, as they are to be written.
    pub fn list<T: Into<String>>(&mut self, name: impl Into<String>, words: impl IntoIterator<Item = T>) {
        let words = words.into_iter().take(Self::MAX_WORDS).map(Into::into).collect();
        self.lists.insert(name.into(), words);
    }

    /// Whether nothing is expected.
    pub const fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// The phrases, as they were given.
    pub fn phrases(&self) -> impl Iterator<Item = &str> {
        self.phrases.iter().map(String::as_str)
    }

    /// Words that a general recognizer should know: those of the lists.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.lists.values().flatten().map(String::as_str)
    }

    /// Leaves out what holds a word that the listener does not know: phrases, and entries of lists.
    #[must_use]
    pub fn only(&self, knows: impl Fn(&str) -> bool) -> Self {
        let is_known = |text: &str| spoken(text).split_whitespace().all(&knows);
        let in_phrase =
            |phrase: &&String| phrase.split_whitespace().all(|part| part.starts_with('<') || is_known(part));
        let phrases = self.phrases.iter().filter(in_phrase).cloned().collect();
        let lists = self.lists.iter().map(|(name, words)| {
            let words = words.iter().filter(|word| is_known(word)).cloned().collect();
            (name.clone(), words)
        });
        Self { phrases, lists: lists.collect() }
    }

    /// The grammar in the Java Speech Grammar Format (JSGF 1.0): any of the phrases, once.
    pub fn to_jsgf(&self) -> String {
        let mut grammar = String::from("#JSGF V1.0;\ngrammar expected;\n");
        let phrases: Vec<_> =
            self.phrases.iter().map(|phrase| self.rule(phrase)).filter(|rule| !rule.is_empty()).collect();
        // Writing to a text cannot fail.
        writeln!(grammar, "public <expected> = {};", or_void(&phrases)).ok();
        for (name, words) in &self.lists {
            let words: Vec<_> = words.iter().map(|word| spoken(word)).filter(|word| !word.is_empty()).collect();
            writeln!(grammar, "<{}> = {};", rule_name(name), or_void(&words)).ok();
        }
        grammar
    }

    /// Writes recognised words as the lists write them: `ada` becomes `Ada`.
    pub fn spell(&self, heard: &str) -> String {
        let words = heard.split_whitespace().map(|word| {
            self.words().find(|known| spoken(known) == word).map_or_else(|| word.to_owned(), ToOwned::to_owned)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn rule(&self, phrase: &str) -> String {
        let parts = phrase.split_whitespace().map(|part| {
            let name = part.strip_prefix('<').and_then(|part| part.strip_suffix('>'));
            match name {
                Some(name) if self.lists.contains_key(name) => format!("<{}>", rule_name(name)),
                Some(_) => "<VOID>".to_owned(),
                None => spoken(part),
            }
        });
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

fn or_void(choices: &[String]) -> String {
    if choices.is_empty() { "<VOID>".to_owned() } else { choices.join(" | ") }
}

/// Letters and apostrophes in lower case: how dictionaries write what is spoken. Nothing of a grammar's syntax is left.
fn spoken(words: &str) -> String {
    let kept = words.chars().map(|letter| match letter {
        '’' => '\'',
        '-' => ' ',
        other => other,
    });
    let text: String = kept.filter(|letter| letter.is_alphabetic() || matches!(letter, '\'' | ' ')).collect();
    text.to_lowercase()
}

fn rule_name(name: &str) -> String {
    format!("list_{}", name.chars().filter(char::is_ascii_alphanumeric).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_an_unknown_word_is_left_out() {
        let mut vocabulary = Vocabulary::of(["my name is <name>", "frobnicate the order"]);
        vocabulary.list("name", ["Ada", "Radia"]);
        let known = vocabulary.only(|word| !["frobnicate", "radia"].contains(&word));
        assert_eq!(known.phrases().collect::<Vec<_>>(), ["my name is <name>"]);
        assert_eq!(known.words().collect::<Vec<_>>(), ["Ada"]);
    }

    #[test]
    fn phrases_and_lists_become_a_grammar() {
        let mut vocabulary = Vocabulary::of(["my name is <name>", "What's my name?", "to <nobody>; <x> = y"]);
        vocabulary.list("name", ["Ada", "Mary-Ann"]);
        assert_eq!(
            vocabulary.to_jsgf(),
            "#JSGF V1.0;\ngrammar expected;\n\
             public <expected> = my name is <list_name> | what's my name | to nobody <VOID> y;\n\
             <list_name> = ada | mary ann;\n"
        );
        assert_eq!(vocabulary.spell("my name is ada"), "my name is Ada");
        assert_eq!(Vocabulary::new().to_jsgf(), "#JSGF V1.0;\ngrammar expected;\npublic <expected> = <VOID>;\n");
    }
}
