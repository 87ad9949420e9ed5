//! What can go wrong while an agent answers.

use std::time::Duration;

use trunkline_core::{ConfigError, Retry};

/// Why there is no answer. Messages contain neither what was asked nor what was answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The agent's configuration is wrong.
    #[error("the agent cannot be built: {0}")]
    Config(#[from] ConfigError),
    /// The agent or the model refuses the request: key, model name, or content. An agent that answers with a redirect
    /// is one of them: it is not followed.
    #[error("the agent refused the request with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The agent or the model asks to slow down, or has trouble of its own.
    #[error("the agent is not available, status {status}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// How long it asks to be left alone; zero if it does not say.
        after: Duration,
    },
    /// The agent or the model cannot be reached, or the connection was lost.
    #[error("the agent cannot be reached")]
    Unreachable,
    /// The agent or the model did not answer in time.
    #[error("the agent did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer is not what the agent's or the model's API documents.
    #[error("the agent's answer cannot be read: {0}")]
    Malformed(&'static str),
    /// A model broke off, or used up its length, before it had said one whole sentence; or an agent's stream ended
    /// without the event `done`.
    #[error("the agent's answer is not complete")]
    Incomplete,
    /// The model or its server withheld the answer.
    #[error("the model withheld its answer")]
    Filtered,
    /// The model answered nothing, or nothing but blanks.
    #[error("the model's answer is empty")]
    Empty,
    /// The answer is longer than anyone would read.
    #[error("the answer is longer than {limit} bytes")]
    ReplyTooLong {
        /// The limit.
        limit: usize,
    },
    /// What the tools of earlier tries did cannot be read, so that they might be called again.
    #[error("what was done for this answer before cannot be read")]
    Unrecorded,
}

impl AgentError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "agent.config",
            Self::Refused { .. } => "agent.refused",
            Self::Unavailable { .. } => "agent.unavailable",
            Self::Unreachable => "agent.unreachable",
            Self::Timeout(_) => "agent.timeout",
            Self::Malformed(_) => "agent.malformed",
            Self::Incomplete => "agent.incomplete",
            Self::Filtered => "agent.filtered",
            Self::Empty => "agent.empty",
            Self::ReplyTooLong { .. } => "agent.reply_too_long",
            Self::Unrecorded => "agent.unrecorded",
        }
    }

    /// Whether another try may bring an answer.
    #[must_use]
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Config(_) | Self::Refused { .. } | Self::Filtered => Retry::No,
            Self::Unavailable { after, .. } => Retry::After(*after),
            Self::Unreachable
            | Self::Timeout(_)
            | Self::Malformed(_)
            | Self::Incomplete
            | Self::Empty
            | Self::ReplyTooLong { .. }
            | Self::Unrecorded => Retry::After(Duration::ZERO),
        }
    }
}
