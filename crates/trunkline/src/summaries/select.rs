//! A summary without a model: the sentences that say most, in the order in which they were said.
//!
//! What tells that a sentence says something are numbers and dates, names, and words of identity, wish and decision. The
//! same texts always come to the same summary.

use trunkline_agent::{Role, Utterance};

/// The longest sentence that is kept, in bytes; the rest of it is left out.
const MAX_LINE: usize = 300;
/// Sentences of one utterance that are looked at.
const MAX_SENTENCES: usize = 50;
/// What stands before the words of each side.
const PERSON: &str = "Person: ";
const AGENT: &str = "Agent: ";

/// What a model has written of what was said is kept.
const OF_A_MODEL: usize = 1_000;

/// Beginnings of words by which people say who they are, what they want and what was agreed.
const TELLING: [&str; 36] = [
    "name",
    "call",
    "live",
    "address",
    "phone",
    "number",
    "email",
    "born",
    "birthday",
    "allerg",
    "prefer",
    "favour",
    "favor",
    "like",
    "want",
    "need",
    "wish",
    "order",
    "book",
    "appoint",
    "meet",
    "deliver",
    "pay",
    "refund",
    "cancel",
    "agree",
    "decid",
    "confirm",
    "promis",
    "remember",
    "important",
    "always",
    "never",
    "code",
    "password",
    "deadline",
];
/// Days, months and the like.
const WHEN: [&str; 22] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "today",
    "tomorrow",
    "tonight",
];

/// The summary until now with what was said since, in at most `max_bytes`.
pub(super) fn select(so_far: &str, said: &[Utterance], max_bytes: usize) -> String {
    let known = so_far.lines().map(str::to_owned);
    let new = said.iter().flat_map(|utterance| {
        let who = if utterance.role == Role::Person { PERSON } else { AGENT };
        sentences(utterance.text.expose()).map(move |sentence| format!("{who}{}", cut(sentence)))
    });
    let mut lines: Vec<(usize, String)> = Vec::new();
    for line in known.chain(new) {
        let score = score(&line);
        if score > 0 && !lines.iter().any(|(_, known)| *known == line) {
            lines.push((score, line));
        }
    }
    let mut bytes: usize = lines.iter().map(|(_, line)| line.len() + 1).sum();
    while bytes > max_bytes {
        // Of those that say least, the oldest goes first.
        let least = lines.iter().enumerate().min_by_key(|(at, (score, _))| (*score, *at)).map(|(at, _)| at);
        let Some(at) = least else { break };
        bytes -= lines.remove(at).1.len() + 1;
    }
    lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(['.', '!', '?', '\n', '。'])
        .map(str::trim)
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .take(MAX_SENTENCES)
}

fn cut(sentence: &str) -> &str {
    sentence.get(..sentence.floor_char_boundary(MAX_LINE)).unwrap_or(sentence)
}

/// How much a line says.
fn score(line: &str) -> usize {
    let (sentence, is_persons) = match (line.strip_prefix(PERSON), line.strip_prefix(AGENT)) {
        (Some(sentence), _) => (sentence, true),
        (None, Some(sentence)) => (sentence, false),
        (None, None) => return OF_A_MODEL,
    };
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '\'';
    let words: Vec<_> = sentence.split(|letter| !is_letter(letter)).filter(|word| !word.is_empty()).collect();
    let mut score = 0;
    for (place, word) in words.iter().enumerate() {
        let lower = word.to_lowercase();
        let is_name = place > 0 && word.chars().next().is_some_and(char::is_uppercase) && word.chars().count() > 1;
        score += usize::from(is_name) * 2
            + usize::from(word.chars().any(|letter| letter.is_ascii_digit())) * 3
            + usize::from(WHEN.contains(&lower.as_str())) * 3
            + usize::from(TELLING.iter().any(|telling| lower.starts_with(telling))) * 2;
    }
    // A question asks; it is the answer that says.
    if sentence.ends_with('?') {
        score /= 2;
    }
    if is_persons && score > 0 { score + 1 } else { score }
}

#[cfg(test)]
mod tests {
    use trunkline_core::Pii;

    use super::*;

    fn said(role: Role, text: &str) -> Utterance {
        Utterance { role, text: Pii::new(text.to_owned()) }
    }

    #[test]
    fn what_says_something_is_kept_in_order() {
        let talk = [
            said(Role::Person, "hi there! my name is Ada. how are you?"),
            said(Role::Agent, "Hello. I am well."),
            said(Role::Person, "ok"),
            said(Role::Person, "Please deliver to 12 High Street on Tuesday"),
            said(Role::Agent, "Your order 4711 is confirmed."),
            said(Role::Person, "thanks a lot"),
        ];
        let expected = "Person: my name is Ada.\nPerson: Please deliver to 12 High Street on Tuesday\n\
                        Agent: Your order 4711 is confirmed.";
        let first = select("", &talk, 4096);
        assert_eq!(first, expected);
        // The same again says nothing new; what is new comes behind.
        assert_eq!(select(&first, &talk, 4096), first);
        let prose = "She is called Ada. All is well.";
        assert_eq!(select(prose, &talk[5..], 4096), prose);
        let more = select(&first, &[said(Role::Person, "I prefer tea.")], 4096);
        assert_eq!(more, format!("{expected}\nPerson: I prefer tea."));
    }

    #[test]
    fn a_summary_is_bounded_and_what_says_least_goes_first() {
        let talk: Vec<_> = (0..500).map(|number| said(Role::Agent, &format!("we wish luck {number}."))).collect();
        let fact = said(Role::Person, "My name is Ada Lovelace and my code is 1815, Tuesday.");
        let all: Vec<_> = std::iter::once(fact).chain(talk).collect();
        let summary = select("", &all, 1000);
        assert!(summary.len() <= 1000 && summary.starts_with("Person: My name is Ada Lovelace"), "{summary}");
        assert!(summary.ends_with("Agent: we wish luck 499."), "the latest of the others: {summary}");
        let long = select("", &[said(Role::Person, &format!("my name is {}", "é".repeat(5_000)))], 1000);
        assert!(long.len() <= MAX_LINE + PERSON.len(), "{}", long.len());
        assert_eq!(select("", &[], 1000), "");
    }
}
