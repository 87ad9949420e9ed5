//! What was said in a call or a conversation, made into passages.

use jiff::Timestamp;
use trunkline_core::Pii;
use trunkline_store::{NewPassage, Source};

/// A passage is ended when it has this many characters.
const FULL: usize = 1_000;
/// Of one utterance no more than this goes into the index, in characters.
const MAX_UTTERANCE: usize = 4_000;

/// The passages of what was said, each with its day. The last line of one is the first of the next.
pub(super) fn passages(source: &Source) -> Vec<NewPassage> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut begun: Option<Timestamp> = None;
    let mut is_new = false;
    for (is_person, words, at) in &source.said {
        let line = line(*is_person, words.expose());
        if !text.is_empty() && text.chars().count() + line.chars().count() > FULL {
            let last = text.lines().last().unwrap_or_default().to_owned();
            found.push(passage(&source.channel, &text, begun.unwrap_or(*at)));
            text = if last.chars().count() < FULL / 3 { last } else { String::new() };
            begun = None;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
        begun = begun.or(Some(*at));
        is_new = true;
    }
    if let Some(begun) = begun.filter(|_| is_new) {
        found.push(passage(&source.channel, &text, begun));
    }
    found
}

fn line(is_person: bool, words: &str) -> String {
    let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_UTTERANCE).collect();
    format!("{}: {words}", if is_person { PERSON } else { AGENT })
}

/// Who spoke, in a passage.
const PERSON: &str = "Person";
const AGENT: &str = "Agent";

fn passage(channel: &str, text: &str, at: Timestamp) -> NewPassage {
    let at_text = at.to_string();
    let day = at_text.split_once('T').map_or(at_text.as_str(), |(day, _)| day);
    let title = match channel {
        "voice" => format!("Call on {day}"),
        "whatsapp" => format!("WhatsApp on {day}"),
        "sms" => format!("SMS on {day}"),
        _ => format!("Chat on {day}"),
    };
    NewPassage { title: Pii::new(title), text: Pii::new(text.to_owned()), at: Some(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_line_by_line() {
        let at = "2026-11-28T10:00:00Z".parse().unwrap();
        let said = |is_person, words: &str| (is_person, Pii::new(words.to_owned()), at);
        let mut source = Source {
            contact_id: "c".into(),
            channel: "voice".into(),
            said: vec![said(false, "Hello!"), said(true, "my order\nis 4711")],
        };
        let told = passages(&source);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].title.expose(), "Call on 2026-11-28");
        assert_eq!(told[0].text.expose(), "Agent: Hello!\nPerson: my order is 4711");
        source.said = (0..200).map(|number| said(true, &format!("this is number {number}"))).collect();
        let told = passages(&source);
        assert!(told.len() >= 5 && told.iter().all(|one| one.text.expose().chars().count() <= 2 * FULL));
        assert!(told[1].text.expose().starts_with(told[0].text.expose().lines().last().unwrap()));
        assert!(passages(&Source::default()).is_empty());
    }
}
