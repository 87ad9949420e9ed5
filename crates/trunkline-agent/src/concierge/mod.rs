//! The built-in agent that needs no model: rules from a TOML file.
//!
//! It greets, remembers what it is told, answers a small list of questions, hands over to a person on request, quotes
//! what a question reminds of, and has a sensible answer to anything else. It is deterministic: the same turn gives the same answer. It is never
//! silent: a text whose names are all filled with blanks is not said, and a fallback has words of its own.

mod recalled;
mod rules;
mod template;

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::stream;
use trunkline_core::{ConfigError, Pii, Vocabulary};

use crate::{Agent, AgentError, AgentEvent, AgentStream, Turn};
use rules::{Matched, Rules};

/// The rules that are used when none are given.
pub const DEFAULT_CONCIERGE: &str = include_str!("default.toml");

/// A rule-driven agent.
#[derive(Debug)]
pub struct Concierge {
    rules: Rules,
    recalls: bool,
}

impl Concierge {
    /// Reads the rules from TOML; see [`DEFAULT_CONCIERGE`] for their form.
    ///
    /// # Errors
    /// Every rule that cannot be used, with its number.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Ok(Self { rules: Rules::parse(text)?, recalls: true })
    }

    /// The built-in rules.
    ///
    /// # Errors
    /// None for the rules that this version was built with.
    pub fn built_in() -> Result<Self, ConfigError> {
        Self::from_toml(DEFAULT_CONCIERGE)
    }

    /// Whether it answers from what a turn reminds of, where no rule fits. It does unless this says no.
    #[must_use]
    pub const fn recalling(mut self, recalls: bool) -> Self {
        self.recalls = recalls;
        self
    }

    fn answer(&self, turn: &Turn) -> Vec<AgentEvent> {
        let mut memories = turn.memories.clone();
        let mut said: Vec<String> = Vec::new();
        let mut events = Vec::new();
        let mut ends_call = false;
        for text in &turn.input {
            let Some(matched) = self.rules.answer(text.expose(), &memories) else { continue };
            let Matched { say, remember, hand_over, end_call } = matched;
            if !is_blank(&say) && !said.contains(&say) {
                said.push(say);
            }
            for (name, value) in remember {
                memories.insert(name.clone(), value.clone());
                events.push(AgentEvent::Remember { name, value: Pii::new(value) });
            }
            if hand_over {
                events.push(AgentEvent::HandOver);
            }
            ends_call |= end_call;
        }
        if said.is_empty() && self.recalls {
            said.extend(recalled::answer(turn));
        }
        if said.is_empty() {
            said.push(self.otherwise(turn, &memories));
        }
        events.push(AgentEvent::Text(Pii::new(said.join("\n"))));
        if ends_call {
            events.push(AgentEvent::EndCall);
        }
        events
    }

    /// A greeting to someone new, else the answer to what no rule fits or has words for.
    fn otherwise(&self, turn: &Turn, memories: &BTreeMap<String, String>) -> String {
        if turn.history.is_empty() {
            let greeting = self.rules.greeting(memories);
            if !is_blank(&greeting) {
                return greeting;
            }
        }
        self.rules.fallback(turn.input.last().map_or("", |text| text.expose()), memories)
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[async_trait]
impl Agent for Concierge {
    fn name(&self) -> &str {
        self.rules.name()
    }

    fn vocabulary(&self) -> Vocabulary {
        self.rules.vocabulary().clone()
    }

    async fn respond(&self, turn: Turn) -> Result<AgentStream, AgentError> {
        Ok(Box::pin(stream::iter(self.answer(&turn).into_iter().map(Ok))))
    }
}

#[cfg(test)]
mod tests;
