//! The contract of an agent.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::Stream;
use futures_util::StreamExt;
use trunkline_core::{Channel, Pii, Vocabulary};

use crate::tools::ToolReport;
use crate::{AgentError, Attachment};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    Person,
    /// An agent of ours.
    Agent,
}

/// Something that was said earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// By whom.
    pub role: Role,
    /// What.
    pub text: Pii<String>,
}

/// What an agent is given to answer.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Names the turn: the same at each try, also after a restart.
    pub id: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// How long this try may take; the caller gives up after that.
    pub deadline: Duration,
    /// W3C trace context of the turn, for agents elsewhere.
    pub traceparent: Option<String>,
    /// Our name for the conversation.
    pub conversation: String,
    /// Our name for the person; the same on every channel.
    pub contact: String,
    /// How the person writes.
    pub channel: Channel,
    /// What the person said since the last answer, in order; at least one text.
    pub input: Vec<Pii<String>>,
    /// Files that came with that.
    pub attachments: Vec<Attachment>,
    /// What was said before, oldest first; the caller bounds it.
    pub history: Vec<Utterance>,
    /// What was said before that, with this person on any channel, in short. It is data, and no instruction. The caller
    /// bounds it.
    pub summary: Option<Pii<String>>,
    /// What agents chose to remember of this conversation.
    pub memories: BTreeMap<String, String>,
    /// What the input reminds of: documents, and what was said with this person before; the best first. It is data, to
    /// answer from, and no instruction. The caller bounds it.
    pub recalled: Vec<Passage>,
}

/// A passage that a turn reminds of.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// `document`, `transcript` (of a call) or `conversation`.
    pub kind: String,
    /// Where it is from, as one would say it: a document's title, or `Call on 2026-11-28`.
    pub source: Pii<String>,
    /// Where in its source it stands, in words.
    pub title: Pii<String>,
    /// What it says.
    pub text: Pii<String>,
    /// The share of the words that say something that it has, 0 to 1.
    pub coverage: f64,
}

/// What an agent does while it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// A piece of the answer; the pieces joined are the answer.
    Text(Pii<String>),
    /// Something to keep for later turns. Kept when the answer is committed.
    Remember {
        /// Under which name.
        name: String,
        /// What.
        value: Pii<String>,
    },
    /// A file to send, by the hash under which it is kept. Means nothing in a call.
    File(String),
    /// A person should take over.
    HandOver,
    /// Another agent, of this name, answers from the next turn on.
    HandOverTo(String),
    /// A tool was called for the answer.
    Tool(ToolReport),
    /// The answer takes account of what a tool did for an earlier one that never came, by the name of the call.
    Accounted(String),
    /// What a model has cost.
    Usage(ModelUsage),
    /// A call ends when the answer has been heard. Means nothing where there is no call.
    EndCall,
}

/// What one question to a model has cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUsage {
    /// The model's name at its server.
    pub model: String,
    /// Tokens of what it was asked.
    pub input_tokens: u64,
    /// Tokens of what it said.
    pub output_tokens: u64,
    /// From the question to the first thing that it said.
    pub first_token: Duration,
}

/// What is to be said in short.
#[derive(Debug, Clone)]
pub struct SummaryRequest {
    /// Names the request, the same at each try.
    pub id: String,
    /// The summary until now, which the new one takes the place of.
    pub so_far: Option<Pii<String>>,
    /// What was said since, oldest first; the caller bounds it.
    pub said: Vec<Utterance>,
    /// How long it may take; the caller gives up after that.
    pub deadline: Duration,
    /// The longest summary, in tokens.
    pub max_tokens: u32,
}

/// What was said, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The summary.
    pub text: Pii<String>,
    /// What it has cost.
    pub usage: Vec<ModelUsage>,
}

/// The events of one answer. It ends with the answer. Dropping it cancels the turn.
pub type AgentStream = Pin<Box<dyn Stream<Item = Result<AgentEvent, AgentError>> + Send>>;

/// Something that answers people.
#[async_trait]
pub trait Agent: Send + Sync {
    /// The name under which it speaks.
    fn name(&self) -> &str;

    /// What people are likely to say to it. Helps whoever listens to calls; empty if the agent does not know.
    fn vocabulary(&self) -> Vocabulary {
        Vocabulary::new()
    }

    /// Begins to answer a turn.
    ///
    /// # Errors
    /// See [`AgentError`]; the same errors may come out of the stream later.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future or the stream cancels the turn. What tools have done is done.
    async fn respond(&self, turn: Turn) -> Result<AgentStream, AgentError>;

    /// Says in short what was said. `None`: it does not do that, which is the default.
    ///
    /// # Errors
    /// See [`AgentError`].
    ///
    /// # Cancel safety
    /// Cancel-safe.
    async fn summarise(&self, _request: SummaryRequest) -> Result<Option<Summary>, AgentError> {
        Ok(None)
    }
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer; may be empty.
    pub text: Pii<String>,
    /// What to keep.
    pub memories: BTreeMap<String, String>,
    /// Whether a person should take over.
    pub hand_over: bool,
    /// The agent that answers from the next turn on.
    pub next_agent: Option<String>,
    /// The tools that were called, in order.
    pub tools: Vec<ToolReport>,
    /// Calls of tools for earlier answers that it takes account of, by their names.
    pub accounted: Vec<String>,
    /// What models have cost.
    pub usage: Vec<ModelUsage>,
    /// Files to send, by their hashes, at most [`MAX_FILES`].
    pub files: Vec<String>,
}

/// Files of one answer; more are left out.
pub const MAX_FILES: usize = 10;

/// Gathers the events of an answer, for a channel that sends whole messages.
///
/// # Errors
/// `agent.reply_too_long` when the answer grows over `max_bytes`, or the first error of the stream.
///
/// # Cancel safety
/// Cancel-safe: dropping it cancels the turn.
pub async fn collect(mut stream: AgentStream, max_bytes: usize) -> Result<Reply, AgentError> {
    let mut text = String::new();
    let mut reply = Reply::default();
    while let Some(event) = stream.next().await {
        match event? {
            AgentEvent::Text(piece) => {
                if text.len() + piece.expose().len() > max_bytes {
                    return Err(AgentError::ReplyTooLong { limit: max_bytes });
                }
                text.push_str(piece.expose());
            }
            AgentEvent::Remember { name, value } => {
                reply.memories.insert(name, value.into_inner());
            }
            AgentEvent::File(hash) if reply.files.len() < MAX_FILES => reply.files.push(hash),
            AgentEvent::HandOver => reply.hand_over = true,
            AgentEvent::HandOverTo(agent) => reply.next_agent = Some(agent),
            AgentEvent::Tool(report) => reply.tools.push(report),
            AgentEvent::Accounted(key) => reply.accounted.push(key),
            AgentEvent::Usage(usage) => reply.usage.push(usage),
            AgentEvent::File(_) | AgentEvent::EndCall => {}
        }
    }
    reply.text = Pii::new(text);
    Ok(reply)
}
