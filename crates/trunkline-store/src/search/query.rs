//! Words that people search with, as the index takes them.
//!
//! Whatever is typed, what comes out is a query: each term is quoted, so that nothing of it is read as syntax. A passage
//! needs one of the terms; the more it has, and the rarer they are, the higher it stands.

use std::fmt::Write as _;

/// Terms of one search; more are left out.
const MAX_TERMS: usize = 24;
/// A longer term is cut, in characters.
const MAX_TERM_CHARS: usize = 40;
/// A term of at least so many characters finds words that begin with it.
const MIN_PREFIX_CHARS: usize = 5;

/// Words that say nothing of what is looked for, in the languages that are most likely.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did",
    "do", "does", "for", "from", "had", "has", "have", "he", "her", "here", "hi", "him", "his", "how", "i", "if", "in",
    "is", "it", "its", "just", "let", "like", "ll", "m", "may", "me", "might", "my", "no", "not", "of", "on", "or",
    "our", "please", "re", "s", "say", "shall", "she", "should", "so", "some", "t", "tell", "than", "thank", "thanks",
    "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us", "ve", "was", "we",
    "were", "what", "when", "where", "which", "who", "whom", "why", "will", "with", "would", "you",
    "your", // English
    "aber", "als", "an", "auch", "auf", "aus", "bei", "bin", "bitte", "das", "dass", "dem", "den", "der", "des", "die",
    "du", "ein", "eine", "einen", "er", "es", "für", "haben", "hat", "ich", "ihr", "ihre", "im", "ist", "kann", "man",
    "mein", "meine", "mit", "nach", "nicht", "oder", "sich", "sie", "sind", "und", "von", "wann", "war", "was", "wer",
    "wie", "wir", "wo", "zu", "zum", "zur", // German
    "au", "aux", "avec", "ce", "ces", "dans", "de", "est", "et", "je", "la", "le", "les", "mon", "ne", "nous", "ou",
    "par", "pas", "pour", "que", "qui", "sur", "un", "une", "vos", "votre", "vous", // French
    "al", "con", "cual", "cuando", "del", "donde", "el", "en", "es", "esta", "los", "las", "mi", "para", "por", "se",
    "su", "sus", "una", "y", "yo", // Spanish
];

/// The terms of what somebody typed or said: lower-case words, each once, without those that say nothing unless there
/// are no others; at most 24.
pub fn terms(text: &str) -> Vec<String> {
    let (mut telling, mut others): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        if telling.len() == MAX_TERMS {
            break;
        }
        let word: String = word.chars().take(MAX_TERM_CHARS).flat_map(char::to_lowercase).collect();
        let list = if STOP_WORDS.contains(&word.as_str()) { &mut others } else { &mut telling };
        if !word.is_empty() && !list.contains(&word) && list.len() < MAX_TERMS {
            list.push(word);
        }
    }
    if telling.is_empty() { others } else { telling }
}

/// A query of the index: one of `terms`, within one of `scopes` if there are any. `None` if there is nothing to look
/// for.
pub(super) fn query(terms: &[String], scopes: &[String]) -> Option<String> {
    if terms.is_empty() {
        return None;
    }
    let mut query = String::from("{title text} : (");
    for (at, term) in terms.iter().enumerate() {
        let or = if at > 0 { " OR " } else { "" };
        let prefix = if term.chars().count() >= MIN_PREFIX_CHARS { "*" } else { "" };
        // Alphanumeric: there is no quotation mark in it.
        let _never = write!(query, "{or}\"{term}\"{prefix}").is_err();
    }
    query.push(')');
    if !scopes.is_empty() {
        let scopes: Vec<_> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        query = format!("scope : ({}) AND ({query})", scopes.join(" OR "));
    }
    Some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(terms(text), expected, "{text}");
    }

    #[test]
    fn what_says_nothing_is_left_out_unless_there_is_nothing_else() {
        check("What are your opening hours?", &["opening", "hours"]);
        check("who are you", &["who", "are", "you"]);
        check("HOURS, hours; Hours!", &["hours"]);
        check("Öffnungszeiten für Zürich", &["öffnungszeiten", "zürich"]);
        check("\"' -- ???", &[]);
        check("", &[]);
        assert_eq!(terms(&"word1 ".repeat(500)).len(), 1);
        let many: Vec<_> = (0..100).map(|number| format!("w{number}")).collect();
        assert_eq!(terms(&many.join(" ")).len(), MAX_TERMS);
    }

    #[test]
    fn a_query_quotes_its_terms() {
        assert_eq!(query(&terms("NEAR(hours)"), &[]).as_deref(), Some("{title text} : (\"near\" OR \"hours\"*)"));
        assert_eq!(query(&[], &["k".to_owned()]), None);
        let scoped = query(&terms("tea"), &["kx".to_owned(), "cx".to_owned()]);
        assert_eq!(scoped.as_deref(), Some("scope : (\"kx\" OR \"cx\") AND ({title text} : (\"tea\"))"));
    }
}
