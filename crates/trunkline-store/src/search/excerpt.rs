//! The part of a passage that answers.

/// A shorter beginning of two words does not make them one word, in characters.
const MIN_STEM: usize = 4;
/// Letters by which two forms of one word may differ at their ends.
const ENDING: usize = 3;

/// How much of `terms` (see [`terms`](super::terms)) a text has, 0 to 1. Other forms of a word count: what two words
/// begin with is compared, but for their ends.
pub fn coverage(terms: &[String], text: &str) -> f64 {
    if terms.is_empty() {
        return 0.0;
    }
    let words = words(text);
    let known = terms.iter().filter(|term| words.iter().any(|word| is_same(word, term))).count();
    #[expect(clippy::cast_precision_loss, reason = "a handful of terms")]
    let share = known as f64 / terms.len() as f64;
    share
}

/// The sentences of a text that have most of `terms`, in their order, with what stands between them where that is little:
/// at most `max_chars`. The beginning of the text where no sentence has any.
pub fn best_sentences(terms: &[String], text: &str, max_chars: usize) -> String {
    let sentences = sentences(text);
    let scores: Vec<_> = sentences.iter().map(|sentence| score(terms, sentence)).collect();
    let best = scores.iter().copied().max().unwrap_or_default();
    let first = scores.iter().position(|score| *score == best && best > 0).unwrap_or_default();
    let mut excerpt = String::new();
    for (sentence, score) in sentences.iter().zip(&scores).skip(first) {
        let length = excerpt.chars().count() + sentence.chars().count() + 1;
        if excerpt.is_empty() {
            excerpt = cut(sentence, max_chars);
        } else if *score == 0 || length > max_chars {
            break;
        } else {
            excerpt.push(' ');
            excerpt.push_str(sentence);
        }
    }
    excerpt
}

fn score(terms: &[String], sentence: &str) -> usize {
    let words = words(sentence);
    terms.iter().filter(|term| words.iter().any(|word| is_same(word, term))).count()
}

fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Whether two words are forms of one.
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let shared = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let longest = one.chars().count().max(other.chars().count());
    shared >= MIN_STEM && longest - shared <= ENDING
}

/// Sentences, and lines, of a text.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut rest = line.trim();
        while !rest.is_empty() {
            let end = rest
                .char_indices()
                .find(|(at, letter)| {
                    matches!(letter, '.' | '!' | '?')
                        && rest.get(at + letter.len_utf8()..).is_some_and(|behind| behind.starts_with(' '))
                })
                .map_or(rest.len(), |(at, letter)| at + letter.len_utf8());
            let (sentence, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            found.push(sentence.trim());
            rest = behind.trim_start();
        }
    }
    found
}

fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::terms;

    const TEXT: &str = "Welcome to the shop. We deliver to Zurich on Tuesdays. Delivery costs 5 francs. Ask for Bob.";

    #[test]
    fn the_sentences_that_answer_are_found() {
        let ask = |question: &str| best_sentences(&terms(question), TEXT, 200);
        assert_eq!(ask("When do you deliver to Zurich?"), "We deliver to Zurich on Tuesdays. Delivery costs 5 francs.");
        assert_eq!(ask("who is bob"), "Ask for Bob.");
        assert_eq!(ask("xyzzy"), "Welcome to the shop.");
        assert_eq!(best_sentences(&terms("zurich"), TEXT, 10), "We deliver…");
        assert_eq!(best_sentences(&[], "", 10), "");
    }

    #[test]
    fn coverage_is_the_share_of_terms() {
        let of = |question: &str| coverage(&terms(question), TEXT);
        assert!((of("deliveries to Zurich") - 1.0).abs() < f64::EPSILON);
        assert!((of("delivery Geneva") - 0.5).abs() < f64::EPSILON);
        assert!(of("xyzzy").abs() < f64::EPSILON && coverage(&[], TEXT).abs() < f64::EPSILON);
    }
}
