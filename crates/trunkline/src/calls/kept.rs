//! What an answer in a call leaves behind beside its words.

use std::collections::BTreeMap;

use trunkline_agent::ModelUsage;
use trunkline_agent::tools::ToolReport;

use super::thinking::Thought;

/// What is kept of an answer, and what it changes.
#[derive(Default)]
pub(super) struct Kept {
    /// What the agent chose to remember.
    pub(super) memories: BTreeMap<String, String>,
    /// The tools that were called.
    pub(super) tools: Vec<ToolReport>,
    /// What models have cost.
    pub(super) usage: Vec<ModelUsage>,
    /// The agent that answers from the next turn on.
    pub(super) next_agent: Option<String>,
    /// A person should take over.
    pub(super) hands_over: bool,
    /// The call ends after it.
    pub(super) ends_call: bool,
}

impl Kept {
    /// Takes a thought that is no words and no end; gives the others back.
    pub(super) fn take(&mut self, thought: Thought) -> Option<Thought> {
        match thought {
            Thought::Remember(name, value) => drop(self.memories.insert(name, value)),
            Thought::Tool(report) => self.tools.push(*report),
            Thought::Usage(usage) => self.usage.push(*usage),
            Thought::HandOverTo(agent) => self.next_agent = Some(agent),
            Thought::HandOver => self.hands_over = true,
            Thought::EndCall => self.ends_call = true,
            other => return Some(other),
        }
        None
    }
}
