//! What agents can do beside talking: tools, and the box that an agent takes them from.
//!
//! A tool has a name, a description for the model, a JSON Schema of what it is given, and something that it does. What
//! it gives is data for the model and never an instruction to us: only [`Effect`]s change the course of things, and
//! only tools of the program have them.

mod built_in;
mod function;
mod http;
mod journal;
mod mcp;
mod toolbox;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use trunkline_core::{Channel, Pii};

pub use built_in::{EndCall, HandOver, HandOverTo, Remember};
pub use function::{FunctionTool, ToolArguments};
pub use http::{HttpTool, HttpToolConfig};
pub use journal::{JournalError, MadeCall, ToolEntry, ToolJournal, ToolUse};
pub use mcp::{McpConfig, McpError, McpServer, McpTransport, check_mcp};
pub use toolbox::{MAX_ARGUMENT_BYTES, MAX_RESULT_BYTES, ToolCall, ToolLimits, ToolReport, Toolbox};

/// What a model is told of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON Schema of the arguments: an object.
    pub parameters: Value,
}

/// For whom and why a tool is called.
#[derive(Debug, Clone)]
pub struct ToolContext {
    /// The turn.
    pub turn: String,
    /// Which call of the turn, from 0.
    pub number: usize,
    /// Names the call, made from the turn, the tool and the arguments: the same again is the same wish, also after a
    /// restart. HTTP tools are sent it as `Idempotency-Key`, MCP servers in `_meta`.
    pub key: String,
    /// Our name for the conversation, or for the telephone call.
    pub conversation: String,
    /// Our name for the person.
    pub contact: String,
    /// How the person talks to us.
    pub channel: Channel,
    /// How long it may take; the caller gives up after that.
    pub deadline: Duration,
    /// W3C trace context of the turn.
    pub traceparent: Option<String>,
}

/// What changes beside what the model is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// Something to keep for later turns.
    Remember {
        /// Under which name.
        name: String,
        /// What.
        value: Pii<String>,
    },
    /// A person of ours takes over.
    HandOver,
    /// Another agent takes over with the next turn.
    HandOverTo(String),
    /// A call ends when the answer has been heard.
    EndCall,
}

/// What a tool gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model is told, at most [`MAX_RESULT_BYTES`]; the rest is left out.
    pub content: Pii<String>,
    /// What changes beside that.
    pub effects: Vec<Effect>,
}

impl ToolOutput {
    /// Words for the model.
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: Pii::new(content.into()), effects: Vec::new() }
    }

    /// Adds an effect.
    #[must_use]
    pub fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// Why a tool gives nothing. The model is told the message; it holds nothing of what the tool was given.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// There is no such tool.
    #[error("there is no such tool")]
    Unknown,
    /// The arguments are not what the schema says.
    #[error("the arguments are not what the tool takes: {0}")]
    BadArguments(String),
    /// The tool says why it cannot.
    #[error("{0}")]
    Failed(String),
    /// It cannot be reached, or broke off.
    #[error("the tool cannot be reached")]
    Unreachable,
    /// What serves it had trouble of its own, with this status. It may have been done.
    #[error("the tool answered with status {0}; it may have been done")]
    Broke(u16),
    /// It did not answer in time.
    #[error("the tool did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// It was begun for an earlier try, and its end is not known.
    #[error("it is not known whether this was done")]
    Unfinished,
    /// The turn has used its calls up.
    #[error("no more tools can be used in this turn")]
    OverBudget,
}

impl ToolError {
    /// Stable across releases; listed in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "tool.unknown",
            Self::BadArguments(_) => "tool.bad_arguments",
            Self::Failed(_) => "tool.failed",
            Self::Unreachable => "tool.unreachable",
            Self::Broke(_) => "tool.broke",
            Self::Timeout(_) => "tool.timeout",
            Self::Unfinished => "tool.unfinished",
            Self::OverBudget => "tool.over_budget",
        }
    }
}

/// Something that an agent can do.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What a model is told of it.
    fn spec(&self) -> &ToolSpec;

    /// Whether it means anything on a channel. Default: on all.
    fn is_offered_on(&self, _channel: Channel) -> bool {
        true
    }

    /// Whether a call may change something outside. One that does not may be broken off, and be made again as if it had
    /// not been. Default: it does.
    fn acts(&self) -> bool {
        true
    }

    /// Does it. The arguments are an object; whether they fit the schema is for the tool to find out.
    ///
    /// # Errors
    /// See [`ToolError`]. The model is told, and may try otherwise.
    ///
    /// # Cancel safety
    /// The caller gives up after the deadline, or, if it does not act, when the turn ends: what it began may be done or
    /// not. What must happen once is named by [`ToolContext::key`].
    async fn call(&self, arguments: Value, context: &ToolContext) -> Result<ToolOutput, ToolError>;
}

impl fmt::Debug for dyn Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tool").field(&self.spec().name).finish()
    }
}

/// Whether a model can call something by this name.
#[must_use]
pub fn is_tool_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}
