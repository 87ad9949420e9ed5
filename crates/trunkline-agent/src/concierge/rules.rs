//! Reading the rules, and finding the one that fits.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use trunkline_core::{ConfigError, Vocabulary};

use super::template::{fill, has_words};

/// A pattern may compile to this much, in bytes.
const MAX_PATTERN_BYTES: usize = 4 << 20;
/// More of a text than this, in bytes, is not looked at.
const MAX_TEXT_BYTES: usize = 8 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRules {
    name: String,
    greeting: String,
    fallback: Vec<String>,
    #[serde(default)]
    words: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    hear: Vec<String>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    when: Vec<String>,
    say: Vec<String>,
    #[serde(default)]
    remember: BTreeMap<String, String>,
    recall: Option<String>,
    missing: Option<String>,
    #[serde(default)]
    hear: Vec<String>,
    #[serde(default)]
    hand_over: bool,
    #[serde(default)]
    end_call: bool,
}

#[derive(Debug)]
struct Rule {
    when: Vec<Regex>,
    say: Vec<String>,
    remember: BTreeMap<String, String>,
    /// What must be remembered, and what to say if it is not.
    recall: Option<(String, String)>,
    hand_over: bool,
    end_call: bool,
}

/// What a rule answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pub(super) say: String,
    pub(super) remember: Vec<(String, String)>,
    pub(super) hand_over: bool,
    pub(super) end_call: bool,
}

#[derive(Debug)]
pub(super) struct Rules {
    vocabulary: Vocabulary,
    name: String,
    greeting: String,
    fallback: Vec<String>,
    ordered: Vec<Rule>,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let raw: RawRules = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                let line = error
                    .span()
                    .map_or(1, |span| text.as_bytes().iter().take(span.start).filter(|b| **b == b'\n').count() + 1);
                problems.add("concierge", format!("line {line}: {}", error.message()));
                return Err(problems);
            }
        };
        if raw.fallback.is_empty() {
            problems.add("concierge.fallback", "needs at least one text");
        }
        if !raw.fallback.iter().all(|text| has_words(text)) {
            problems.add("concierge.fallback", "needs words beside its {names}, which may be blank");
        }
        let mut vocabulary = Vocabulary::of(raw.hear);
        for (name, words) in raw.words {
            vocabulary.list(name, words);
        }
        let mut rules = Vec::with_capacity(raw.rule.len());
        for (at, mut rule) in raw.rule.into_iter().enumerate() {
            for phrase in std::mem::take(&mut rule.hear) {
                vocabulary.phrase(phrase);
            }
            let key = format!("concierge.rule[{}]", at + 1);
            if let Some(rule) = Rule::new(&key, rule, &mut problems) {
                rules.push(rule);
            }
        }
        problems.or(Self { vocabulary, name: raw.name, greeting: raw.greeting, fallback: raw.fallback, ordered: rules })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(super) fn greeting(&self, memories: &BTreeMap<String, String>) -> String {
        fill(&self.greeting, memories)
    }

    pub(super) fn fallback(&self, text: &str, memories: &BTreeMap<String, String>) -> String {
        fill(choose(&self.fallback, text), memories)
    }

    /// The answer of the first rule that fits.
    pub(super) fn answer(&self, text: &str, memories: &BTreeMap<String, String>) -> Option<Matched> {
        let text = head(text.trim());
        self.ordered.iter().find_map(|rule| rule.answer(text, memories))
    }
}

impl Rule {
    fn new(key: &str, raw: RawRule, problems: &mut ConfigError) -> Option<Self> {
        let mut when = Vec::with_capacity(raw.when.len());
        for pattern in &raw.when {
            match RegexBuilder::new(pattern).case_insensitive(true).size_limit(MAX_PATTERN_BYTES).build() {
                Ok(regex) => when.push(regex),
                Err(error) => problems.add(format!("{key}.when"), format!("not a regular expression: {error}")),
            }
        }
        if raw.when.is_empty() {
            problems.add(format!("{key}.when"), "needs at least one pattern");
        }
        if raw.say.is_empty() {
            problems.add(format!("{key}.say"), "needs at least one text");
        }
        let recall = match (raw.recall, raw.missing) {
            (Some(recall), Some(missing)) => Some((recall, missing)),
            (None, None) => None,
            (Some(_), None) => {
                problems.add(format!("{key}.missing"), "is needed beside recall");
                None
            }
            (None, Some(_)) => {
                problems.add(format!("{key}.recall"), "is needed beside missing");
                None
            }
        };
        let complete = when.len() == raw.when.len() && !when.is_empty() && !raw.say.is_empty();
        complete.then_some(Self {
            when,
            say: raw.say,
            remember: raw.remember,
            recall,
            hand_over: raw.hand_over,
            end_call: raw.end_call,
        })
    }

    fn answer(&self, text: &str, memories: &BTreeMap<String, String>) -> Option<Matched> {
        let caught = self.when.iter().find_map(|pattern| {
            let captures = pattern.captures(text)?;
            let named = pattern.capture_names().flatten();
            Some(
                named
                    .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str().trim().to_owned())))
                    .collect(),
            )
        });
        let caught: BTreeMap<String, String> = caught?;
        let mut values = memories.clone();
        values.extend(caught);
        let remember = self
            .remember
            .iter()
            .map(|(name, value)| (fill(name, &values).to_lowercase(), fill(value, &values)))
            .collect();
        let mut say = choose(&self.say, text);
        if let Some((recall, missing)) = &self.recall {
            match memories.get(&fill(recall, &values).to_lowercase()) {
                Some(value) => {
                    values.insert("value".to_owned(), value.clone());
                }
                None => say = missing,
            }
        }
        Some(Matched { say: fill(say, &values), remember, hand_over: self.hand_over, end_call: self.end_call })
    }
}

/// One of several texts, the same one for the same input.
fn choose<'a>(texts: &'a [String], input: &str) -> &'a str {
    let sum = input.bytes().fold(0_usize, |sum, byte| sum.wrapping_add(usize::from(byte)));
    texts.get(sum % texts.len().max(1)).map_or("", String::as_str)
}

/// The first [`MAX_TEXT_BYTES`] of a text, whole characters.
fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
}
