//! An agent that asks language models.
//!
//! An answer goes on sentence by sentence, and is one only if the model says why it ends. Models are asked in order
//! until one begins; one that has begun is not replaced, so that nobody hears two beginnings.

mod answer;
mod models;
mod prompt;
mod summary;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use trunkline_core::ConfigError;

use crate::models::{ModelApi, ModelConfig};
use crate::tools::{ToolContext, Toolbox};
use crate::{Agent, AgentError, AgentStream, Summary, SummaryRequest, Turn};
use models::Models;
use talk::{Patience, Talk};

/// Which models to ask, what with, and how patient to be.
#[derive(Debug, Clone)]
pub struct ChatModelConfig {
    /// The name under which the agent speaks. Default `assistant`.
    pub name: String,
    /// The models, best first; the next one is asked when one does not begin to answer.
    pub models: Vec<ModelConfig>,
    /// What the model is told first.
    pub instructions: String,
    /// What it can do beside talking. Default: nothing.
    pub tools: Toolbox,
    /// Longest wait for the first piece of an answer, of each model. Default 15 s.
    pub first_token_timeout: Duration,
    /// Longest time for a whole answer, tools included. Default 60 s.
    pub total_timeout: Duration,
    /// How many earlier utterances the model sees. Default 40.
    pub max_history: usize,
    /// How many bytes of earlier utterances the model sees. Default 32 KiB; the oldest are left out.
    pub max_history_bytes: usize,
    /// The longest answer to ask for, in tokens. Default 800.
    pub max_tokens: u32,
}

impl ChatModelConfig {
    /// The defaults, with one model of OpenAI's API.
    pub fn new(model: impl Into<String>) -> Self {
        Self::with(vec![ModelConfig::new(ModelApi::OpenAi, model)])
    }

    /// The defaults, with these models.
    #[must_use]
    pub fn with(models: Vec<ModelConfig>) -> Self {
        Self {
            name: "assistant".to_owned(),
            models,
            instructions: "You answer people by text message. Be brief, friendly and exact; plain text only."
                .to_owned(),
            tools: Toolbox::default(),
            first_token_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_mins(1),
            max_history: 40,
            max_history_bytes: 32 << 10,
            max_tokens: 800,
        }
    }
}

/// An agent that asks language models.
pub struct ChatModel {
    config: ChatModelConfig,
    models: Arc<Models>,
}

impl ChatModel {
    /// Prepares the clients; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn new(config: ChatModelConfig) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        let models = Models::new(&config.models).map_err(|error| problems.extend(error));
        if config.first_token_timeout.is_zero() || config.total_timeout < config.first_token_timeout {
            problems.add("agent.first_token_timeout", "must be above 0 and at most the total time-out");
        }
        match models {
            Ok(models) => problems.or(Self { config, models: Arc::new(models) }),
            Err(()) => Err(problems),
        }
    }
}

#[async_trait]
impl Agent for ChatModel {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn respond(&self, turn: Turn) -> Result<AgentStream, AgentError> {
        let all = self.config.total_timeout.min(turn.deadline);
        let patience = Patience { first: self.config.first_token_timeout, all, by: Instant::now() + all };
        let tools = self.config.tools.offered_on(turn.channel);
        let mut prompt = prompt::prompt(&self.config, &turn).await;
        prompt.tools = tools.specs().cloned().collect();
        if !prompt.tools.is_empty() {
            prompt.instructions = format!("{}\n\n{}", prompt::TOOL_NOTE, prompt.instructions);
        }
        let context = ToolContext {
            turn: turn.id,
            number: 0,
            key: String::new(),
            conversation: turn.conversation,
            contact: turn.contact,
            channel: turn.channel,
            deadline: all,
            traceparent: turn.traceparent,
        };
        let made = tools.made(&context).await.map_err(|_| AgentError::Unrecorded)?;
        let mut talk = Talk::new(Arc::clone(&self.models), tools, context, prompt, patience).after(made);
        talk.begin().await?;
        Ok(Box::pin(talk.events()))
    }

    async fn summarise(&self, request: SummaryRequest) -> Result<Option<Summary>, AgentError> {
        summary::make(self, request).await.map(Some)
    }
}
