//! An agent's answer, as sentences.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use trunkline_agent::tools::ToolReport;
use trunkline_agent::{Agent, AgentError, AgentEvent, ModelUsage, Turn};

use super::chunker::Chunker;
use crate::recall::{Recall, Way};
use crate::summaries::Summaries;

/// Sentences that may wait to be spoken; the agent waits when there are more.
const MAX_SENTENCES: usize = 32;
/// An agent that says more than this in one answer, in bytes, has lost itself.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// What an agent does while it answers.
#[derive(Debug)]
pub(super) enum Thought {
    /// Something to say.
    Sentence(String),
    /// A part of a sentence, as it came; only for whoever asked for pieces.
    Piece(String),
    /// Something to keep.
    Remember(String, String),
    /// A person should take over.
    HandOver,
    /// The call ends after this.
    EndCall,
    /// Another agent answers from the next turn on.
    HandOverTo(String),
    /// A tool was called.
    Tool(Box<ToolReport>),
    /// The answer takes account of what a tool did for an earlier one.
    Accounted(String),
    /// What a model has cost.
    Usage(Box<ModelUsage>),
    /// The answer is complete.
    Done,
    /// There is none, or no more of it; with the error's code.
    Failed(&'static str),
}

/// How the answer is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// Whole sentences.
    Sentences,
    /// Pieces as the agent makes them.
    Pieces,
}

/// An answer that is being made. Dropping it cancels the agent's turn.
pub(super) struct Thinking {
    thoughts: mpsc::Receiver<Thought>,
    _running: DropGuard,
}

impl Thinking {
    pub(super) fn begin(
        tasks: &TaskTracker,
        agent: Arc<dyn Agent>,
        (recall, summaries): (Recall, Summaries),
        mut turn: Turn,
        grain: Grain,
        settled: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (sender, thoughts) = mpsc::channel(MAX_SENTENCES);
        let stop = CancellationToken::new();
        let ended = stop.clone();
        let work = async move {
            let deadline = turn.deadline;
            let reminded = async {
                settled.await;
                let (call, contact) = (&turn.conversation, &turn.contact);
                let recalled = recall.passages(Way::Call, contact, Some(call), &turn.input);
                (turn.recalled, turn.summary) = tokio::join!(recalled, summaries.given(Way::Call, contact, call));
                think(&*agent, turn, &sender, grain).await
            };
            let answer = tokio::time::timeout(deadline, reminded);
            let last = tokio::select! {
                () = ended.cancelled() => return,
                outcome = answer => match outcome {
                    Ok(Ok(())) => Thought::Done,
                    Ok(Err(error)) => failed(&error),
                    Err(_) => failed(&AgentError::Timeout(deadline)),
                },
            };
            // The call may be over.
            drop(sender.send(last).await);
        };
        tasks.spawn(work.in_current_span());
        Self { thoughts, _running: stop.drop_guard() }
    }

    /// The next thought; after `Done` or `Failed` none comes.
    pub(super) async fn next(&mut self) -> Thought {
        self.thoughts.recv().await.unwrap_or(Thought::Failed("agent.ended"))
    }
}

fn failed(error: &AgentError) -> Thought {
    tracing::warn!(error.code = error.code(), "the agent has no answer");
    Thought::Failed(error.code())
}

async fn think(
    agent: &dyn Agent,
    turn: Turn,
    thoughts: &mpsc::Sender<Thought>,
    grain: Grain,
) -> Result<(), AgentError> {
    let mut events = agent.respond(turn).await?;
    let mut chunker = Chunker::default();
    let mut bytes = 0;
    while let Some(event) = events.next().await {
        let thought = match event? {
            AgentEvent::Text(piece) => {
                bytes += piece.expose().len();
                if bytes > MAX_ANSWER_BYTES {
                    return Err(AgentError::ReplyTooLong { limit: MAX_ANSWER_BYTES });
                }
                if grain == Grain::Pieces {
                    Thought::Piece(piece.into_inner())
                } else {
                    chunker.push(piece.expose());
                    while let Some(sentence) = chunker.next() {
                        drop(thoughts.send(Thought::Sentence(sentence)).await);
                    }
                    continue;
                }
            }
            AgentEvent::Remember { name, value } => Thought::Remember(name, value.into_inner()),
            AgentEvent::HandOver => Thought::HandOver,
            AgentEvent::EndCall => Thought::EndCall,
            AgentEvent::HandOverTo(agent) => Thought::HandOverTo(agent),
            AgentEvent::Tool(report) => Thought::Tool(Box::new(report)),
            AgentEvent::Accounted(key) => Thought::Accounted(key),
            AgentEvent::Usage(usage) => Thought::Usage(Box::new(usage)),
            _ => continue,
        };
        drop(thoughts.send(thought).await);
    }
    if let Some(rest) = chunker.rest() {
        drop(thoughts.send(Thought::Sentence(rest)).await);
    }
    Ok(())
}

/// How long an agent may take for one answer in a call.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
