//! Words that mean "go on".

/// What people say to show that they listen. None of it asks for the floor.
const WORDS: &[&str] = &[
    "ah", "aha", "alright", "hm", "hmm", "mhm", "mm", "mmhm", "mmm", "oh", "ok", "okay", "right", "sure", "uh",
    "uhhuh", "uhuh", "um", "yeah", "yep", "huh",
];

/// Whether a text, said over a reply, holds nothing but such words.
pub(super) fn is_backchannel(text: &str) -> bool {
    let mut words = text
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'' && letter != '-')
        .map(|word| word.replace(['-', '\''], "").to_lowercase())
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek().is_some() && words.all(|word| WORDS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_ask_for_nothing() {
        for text in ["mm-hm", "Uh-huh.", "okay, right", "Yeah"] {
            assert!(is_backchannel(text), "{text}");
        }
        for text in ["", "no", "okay stop", "right, but", "yes"] {
            assert!(!is_backchannel(text), "{text}");
        }
    }
}
