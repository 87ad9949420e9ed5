//! Answers from what a turn reminds of: the sentences that fit, and where they stand.

use trunkline_store::{best_sentences, coverage, terms};

use crate::{Passage, Turn};

/// The share of the words that say something that a passage must have.
const FITS: f64 = 0.6;
/// An answer's words from one passage, in characters.
const MAX_CHARS: usize = 400;
/// Words with which questions begin.
const QUESTIONS: &[&str] = &[
    "what", "when", "where", "who", "which", "how", "why", "do", "does", "did", "is", "are", "was", "were", "can",
    "could", "will", "would", "should", "have", "has", "tell", "was", "wann", "wo", "wer", "wie", "warum", "welche",
];

/// An answer to the last text, if a passage fits it well. What was said earlier is only quoted to a question.
pub(super) fn answer(turn: &Turn) -> Option<String> {
    let text = turn.input.last()?.expose();
    let terms = terms(text);
    let is_question = is_question(text);
    let fits = |passage: &&Passage| {
        let is_document = passage.kind == "document";
        passage.coverage >= FITS && (is_document || (is_question && answers(&terms, passage, text)))
    };
    // The words decide, whatever stands first because of what it means: of those that have as many, the first.
    let passage = turn
        .recalled
        .iter()
        .filter(fits)
        .reduce(|best, other| if other.coverage > best.coverage { other } else { best })?;
    let words = best_sentences(&terms, &told(passage), MAX_CHARS);
    let source = passage.source.expose();
    let place = if passage.kind == "document" { source.clone() } else { source_of_talk(source) };
    (!words.is_empty()).then(|| format!("According to {place}: {words}"))
}

/// `Call on 2026-11-28` within a sentence.
fn source_of_talk(source: &str) -> String {
    let mut letters = source.chars();
    match letters.next() {
        // SMS and WhatsApp are names.
        Some(first) if source.starts_with("Call") || source.starts_with("Chat") => {
            format!("our {}{}", first.to_lowercase(), letters.as_str())
        }
        _ => format!("our {source}"),
    }
}

/// Lines of a talk as they are quoted; of a document as they stand.
fn told(passage: &Passage) -> String {
    let text = passage.text.expose();
    if passage.kind == "document" {
        return text.clone();
    }
    text.replace("Person: ", "you said: ").replace("Agent: ", "I said: ")
}

/// Whether something of a talk answers, and is not just the same question.
fn answers(terms: &[String], passage: &Passage, question: &str) -> bool {
    let asked = question.trim().trim_end_matches('?').to_lowercase();
    let lines = passage.text.expose().lines().filter(|line| {
        let words = line.split_once(": ").map_or(*line, |(_, words)| words);
        !is_question(words) && !words.to_lowercase().contains(&asked)
    });
    lines.map(|line| coverage(terms, line)).fold(0.0, f64::max) >= FITS
}

fn is_question(text: &str) -> bool {
    let first = text.split(|letter: char| !letter.is_alphanumeric()).find(|word| !word.is_empty());
    text.trim_end().ends_with('?') || first.is_some_and(|word| QUESTIONS.contains(&word.to_lowercase().as_str()))
}
