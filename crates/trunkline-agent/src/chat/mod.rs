//! An agent behind any server with an OpenAI-compatible chat completions API.
//!
//! An answer goes on sentence by sentence, and is one only if the server gives a `finish_reason` for its end.
//!
//! Source: OpenAI API reference, *Create chat completion*, `stream: true` (server-sent events, `data: [DONE]` ends).

mod answer;
mod parts;

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessageArgs, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessageArgs,
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs, FinishReason,
};
use async_trait::async_trait;
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};
use trunkline_core::{ConfigError, Pii, Secret};

use crate::{Agent, AgentError, AgentEvent, AgentStream, Role, Turn};
use answer::Answer;

/// How to reach a model and how patient to be.
#[derive(Debug, Clone)]
pub struct ChatModelConfig {
    /// The name under which the agent speaks. Default `assistant`.
    pub name: String,
    /// Up to and without `/chat/completions`. Default `https://api.openai.com/v1`.
    pub base_url: String,
    /// Bearer token; may be empty for a local server.
    pub api_key: Secret,
    /// The model's name at the server.
    pub model: String,
    /// What the model is told first.
    pub instructions: String,
    /// Longest wait for the first piece of an answer. Default 15 s.
    pub first_token_timeout: Duration,
    /// Longest time for a whole answer. Default 60 s.
    pub total_timeout: Duration,
    /// How many earlier utterances the model sees. Default 40.
    pub max_history: usize,
    /// How many bytes of earlier utterances the model sees. Default 32 KiB; the oldest are left out.
    pub max_history_bytes: usize,
    /// The longest answer to ask for, in tokens. Default 800.
    pub max_tokens: u32,
}

impl ChatModelConfig {
    /// The defaults, with a model's name.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            name: "assistant".to_owned(),
            base_url: "https://api.openai.com/v1".to_owned(),
            api_key: Secret::default(),
            model: model.into(),
            instructions: "You answer people by text message. Be brief, friendly and exact; plain text only."
                .to_owned(),
            first_token_timeout: Duration::from_secs(15),
            total_timeout: Duration::from_mins(1),
            max_history: 40,
            max_history_bytes: 32 << 10,
            max_tokens: 800,
        }
    }
}

/// How long to wait for a connection to the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An agent that asks a chat model.
pub struct ChatModel {
    config: ChatModelConfig,
    client: Client<OpenAIConfig>,
}

impl ChatModel {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// Every setting that cannot be used.
    pub fn new(config: ChatModelConfig) -> Result<Self, ConfigError> {
        let mut problems = ConfigError::new();
        if config.model.is_empty() {
            problems.add("agent.model", "is missing; name the model to ask");
        }
        if !config.base_url.starts_with("http://") && !config.base_url.starts_with("https://") {
            problems.add("agent.base_url", "must begin with http:// or https://");
        }
        if config.first_token_timeout.is_zero() || config.total_timeout < config.first_token_timeout {
            problems.add("agent.first_token_timeout", "must be above 0 and at most the total time-out");
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| {
                let mut problem = ConfigError::new();
                problem.add("agent", "no HTTP client can be built on this machine");
                problem
            })?;
        problems.or(())?;
        let settings = OpenAIConfig::new()
            .with_api_base(config.base_url.trim_end_matches('/'))
            .with_api_key(config.api_key.expose());
        // Without the crate's own retries: whoever runs the turn decides about another try, within the turn's deadline.
        Ok(Self { client: Client::with_config(settings).with_http_service(ReqwestService::new(http)), config })
    }

    async fn messages(&self, turn: &Turn) -> Result<Vec<ChatCompletionRequestMessage>, OpenAIError> {
        let mut budget = self.config.max_history_bytes;
        let mut recent = VecDeque::new();
        for utterance in turn.history.iter().rev().take(self.config.max_history) {
            let text = utterance.text.expose();
            let Some(left) = budget.checked_sub(text.len()) else { break };
            budget = left;
            recent.push_front(utterance);
        }
        let mut messages: Vec<ChatCompletionRequestMessage> = vec![
            ChatCompletionRequestSystemMessageArgs::default()
                .content(self.config.instructions.as_str())
                .build()?
                .into(),
        ];
        for utterance in recent {
            let text = utterance.text.expose().as_str();
            messages.push(match utterance.role {
                Role::Person => ChatCompletionRequestUserMessageArgs::default().content(text).build()?.into(),
                Role::Agent => ChatCompletionRequestAssistantMessageArgs::default().content(text).build()?.into(),
            });
        }
        messages.extend(parts::input(turn).await?);
        Ok(messages)
    }
}

#[async_trait]
impl Agent for ChatModel {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn respond(&self, turn: Turn) -> Result<AgentStream, AgentError> {
        let begun = Instant::now();
        let request = CreateChatCompletionRequestArgs::default()
            .model(&self.config.model)
            .messages(self.messages(&turn).await.map_err(|error| failure(&error))?)
            .max_completion_tokens(self.config.max_tokens)
            .build()
            .map_err(|error| failure(&error))?;
        let first_by = begun + self.config.first_token_timeout;
        let answer = timeout_at(first_by, self.client.chat().create_stream(request))
            .await
            .map_err(|_| AgentError::Timeout(self.config.first_token_timeout))?
            .map_err(|error| failure(&error))?;
        let pieces = answer.map(|chunk| {
            let chunk = chunk.map_err(|error| failure(&error))?;
            Ok(chunk.choices.into_iter().next().map_or_else(Piece::default, |choice| Piece {
                text: choice.delta.content.unwrap_or_default(),
                is_refusal: choice.delta.refusal.is_some_and(|refusal| !refusal.is_empty()),
                finish: choice.finish_reason,
            }))
        });
        let deadlines = Deadlines {
            first_by,
            first: self.config.first_token_timeout,
            all_by: begun + self.config.total_timeout,
            all: self.config.total_timeout,
        };
        let hearing = Hearing { pieces: Box::pin(pieces), deadlines, has_begun: false, answer: Answer::default() };
        Ok(Box::pin(hearing.events()))
    }
}

struct Deadlines {
    first_by: Instant,
    first: Duration,
    all_by: Instant,
    all: Duration,
}

/// What one chunk of the stream brings.
#[derive(Default)]
struct Piece {
    text: String,
    /// The model says why it does not answer, in place of an answer.
    is_refusal: bool,
    finish: Option<FinishReason>,
}

/// An answer that is being listened to.
struct Hearing<S> {
    pieces: Pin<Box<S>>,
    deadlines: Deadlines,
    has_begun: bool,
    answer: Answer,
}

/// What is to be said next.
enum Heard {
    Sentences(String),
    Last(Option<String>),
}

impl<S: Stream<Item = Result<Piece, AgentError>> + Send + 'static> Hearing<S> {
    /// The answer as events, each by its deadline; ends after the first error.
    fn events(self) -> impl Stream<Item = Result<AgentEvent, AgentError>> + Send {
        let said = |text| Ok(AgentEvent::Text(Pii::new(text)));
        stream::unfold(Some(self), move |hearing| async move {
            let mut hearing = hearing?;
            match hearing.next().await {
                Ok(Heard::Sentences(text)) => Some((said(text), Some(hearing))),
                Ok(Heard::Last(text)) => text.map(|text| (said(text), None)),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Heard, AgentError> {
        loop {
            let deadlines = &self.deadlines;
            let (by, patience) =
                if self.has_begun { (deadlines.all_by, deadlines.all) } else { (deadlines.first_by, deadlines.first) };
            let piece = timeout_at(by, self.pieces.next()).await.map_err(|_| AgentError::Timeout(patience))?;
            let piece = piece.ok_or(AgentError::Incomplete)??;
            if piece.is_refusal {
                return Err(AgentError::Filtered);
            }
            self.has_begun |= !piece.text.is_empty();
            let sentences = self.answer.hear(&piece.text)?;
            if let Some(reason) = piece.finish {
                let rest = self.answer.finish(reason)?;
                let last = sentences.into_iter().chain(rest).collect::<String>();
                return Ok(Heard::Last(Some(last).filter(|last| !last.is_empty())));
            }
            if let Some(sentences) = sentences {
                return Ok(Heard::Sentences(sentences));
            }
        }
    }
}

/// The client's errors may quote the server's answer: only their kind goes on.
fn failure(error: &OpenAIError) -> AgentError {
    match error {
        OpenAIError::ApiError(answer) => {
            let status = answer.status_code.as_u16();
            if status == 429 || status >= 500 {
                AgentError::Unavailable { status, after: Duration::ZERO }
            } else {
                AgentError::Refused { status }
            }
        }
        OpenAIError::Reqwest(_) | OpenAIError::StreamError(_) => AgentError::Unreachable,
        _ => AgentError::Malformed("not what the chat completions API documents"),
    }
}
