//! What an answer in a call leaves behind beside its words.

use std::collections::BTreeMap;

use trunkline_agent::ModelUsage;
use trunkline_agent::tools::ToolReport;

use super::thinking::Thought;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Failed,
}

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
    /// Calls of tools for earlier answers that it takes account of.
    accounted: Vec<String>,
    /// How it ended, if it has.
    end: Option<End>,
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
            Thought::Accounted(key) => self.accounted.push(key),
            Thought::Done => {
                self.end = Some(End::Done);
                return Some(Thought::Done);
            }
            Thought::Failed(code) => {
                self.end = Some(End::Failed);
                return Some(Thought::Failed(code));
            }
            other => return Some(other),
        }
        None
    }

    /// Whether the agent had no answer.
    pub(super) fn has_failed(&self) -> bool {
        self.end == Some(End::Failed)
    }

    /// The calls of tools that an answer takes account of, if it was made to its end.
    pub(super) fn accounts_for(&self) -> Vec<String> {
        if self.end != Some(End::Done) {
            return Vec::new();
        }
        let made = self.tools.iter().filter(|report| report.is_kept).map(|report| report.key.clone());
        made.chain(self.accounted.iter().cloned()).collect()
    }
}
