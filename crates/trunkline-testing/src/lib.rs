//! Tests for whoever writes an agent, or another messaging backend.
//!
//! - [`ScriptedBackend`] is a provider in memory: people write, and operations fail when a script says so.
//! - [`conformance`] is the contract as a suite of checks, for every other
//!   [`ConversationalBackend`](trunkline_core::messaging::ConversationalBackend).
//! - [`ModelServer`] is a language model by script, on a socket, in the protocols of OpenAI and Anthropic.
//! - [`EmbeddingServer`] is a model of embeddings by script, on a socket, in the protocol of OpenAI.
//! - [`ConcurrentRunner`] runs a test many times, several at once, and reports what came of it.

#![forbid(unsafe_code)]

pub mod conformance;
mod embedding_server;
mod model_server;
mod runner;
mod scripted;

pub use embedding_server::{AskedEmbeddings, EmbeddingAnswer, EmbeddingServer};
pub use model_server::{Asked, MAX_KEPT as MAX_KEPT_QUESTIONS, ModelAnswer, ModelServer};
pub use runner::{ConcurrentRunner, Failure, FailureKind, Report};
pub use scripted::{
    Call, MAX_CALLS, MAX_CONVERSATIONS, MAX_MESSAGES, PROVIDER, SIGNATURE_HEADER, SIGNING_KEY_SETTING, STREAM_BUFFER,
    STREAM_BUFFER_SETTING, ScriptedBackend, Step, register,
};
