//! Agents that answer people. They know conversations and words; they know no provider.
//!
//! [`Agent`] is the contract: a turn in, a stream of events out. [`Concierge`] answers by rules from a TOML file, so
//! that a first run needs no model and no network. [`ChatModel`] speaks to any server with an OpenAI-compatible
//! chat completions API. [`HttpAgent`] asks an agent that somebody else has written, in any language, by HTTP.

mod agent;
mod attachment;
mod chat;
mod concierge;
pub mod embeddings;
mod error;
mod http;
pub mod models;
mod sse;
pub mod tools;
pub mod turns;
pub mod workflow;

pub use agent::{
    Agent, AgentEvent, AgentStream, MAX_FILES, ModelUsage, Passage, Reply, Role, Summary, SummaryRequest, Turn,
    Utterance, collect,
};
pub use attachment::{Attachment, MediaKind};
pub use chat::{ChatModel, ChatModelConfig};
pub use concierge::{Concierge, DEFAULT_CONCIERGE};
pub use error::AgentError;
pub use http::{HttpAgent, HttpAgentConfig};
