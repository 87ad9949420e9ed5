//! Anthropic's Messages API.
//!
//! Source: Anthropic API reference, *Messages* and *Streaming messages* (server-sent events, `message_stop` ends).

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_core::{ConfigError, Secret};

use super::{
    Calls, Finish, LanguageModel, Message, ModelConfig, ModelEvent, ModelStream, Prompt, Usage, client, refused,
};
use crate::AgentError;
use crate::sse::{Event, Parser};
use crate::tools::ToolSpec;

/// The version of the API.
const VERSION: &str = "2023-06-01";
/// An answer may have this many bytes, pings included.
const MAX_STREAM_BYTES: usize = 4 << 20;

/// A model behind the Messages API.
pub struct Anthropic {
    client: Client,
    url: String,
    api_key: Secret,
    model: String,
}

impl Anthropic {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub(super) fn new(config: &ModelConfig) -> Result<Self, ConfigError> {
        let url = format!("{}/messages", config.base_url.trim_end_matches('/'));
        Ok(Self { client: client()?, url, api_key: config.api_key.clone(), model: config.model.clone() })
    }

    fn body(&self, prompt: &Prompt) -> Value {
        // The API begins with the person.
        let first = prompt.messages.iter().position(|message| matches!(message, Message::Person { .. }));
        let messages = prompt.messages.iter().skip(first.unwrap_or_default());
        let mut body = json!({
            "model": self.model,
            "max_tokens": prompt.max_tokens,
            "system": prompt.instructions,
            "messages": messages.map(said).collect::<Vec<_>>(),
            "stream": true,
        });
        if let (Value::Object(fields), false) = (&mut body, prompt.tools.is_empty()) {
            fields.insert("tools".to_owned(), prompt.tools.iter().map(tool).collect());
            if !prompt.may_call {
                fields.insert("tool_choice".to_owned(), json!({"type": "none"}));
            }
        }
        body
    }
}

fn tool(spec: &ToolSpec) -> Value {
    json!({"name": spec.name, "description": spec.description, "input_schema": spec.parameters})
}

fn said(message: &Message) -> Value {
    let text = |text: &str| (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}));
    match message {
        Message::Person { text: words, pictures } => {
            let pictures = pictures.iter().map(|picture| {
                let source = json!({"type": "base64", "media_type": picture.content_type, "data": picture.base64});
                json!({"type": "image", "source": source})
            });
            let mut content: Vec<_> = pictures.chain(text(words.expose())).collect();
            if content.is_empty() {
                // No content may be empty.
                content.extend(text("(nothing)"));
            }
            json!({"role": "user", "content": content})
        }
        Message::Model { text: words, calls } => {
            let calls = calls.iter().map(|call| {
                let input: Value = serde_json::from_str(call.arguments.expose()).unwrap_or_else(|_| json!({}));
                json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
            });
            let mut content: Vec<_> = text(words.expose()).into_iter().chain(calls).collect();
            if content.is_empty() {
                content.extend(text("(nothing)"));
            }
            json!({"role": "assistant", "content": content})
        }
        Message::Result { id, content, has_failed } => {
            let result =
                json!({"type": "tool_result", "tool_use_id": id, "content": content.expose(), "is_error": has_failed});
            json!({"role": "user", "content": [result]})
        }
    }
}

#[async_trait]
impl LanguageModel for Anthropic {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ask(&self, prompt: &Prompt) -> Result<ModelStream, AgentError> {
        let request = self.client.post(&self.url).header("anthropic-version", VERSION);
        let request =
            if self.api_key.is_empty() { request } else { request.header("x-api-key", self.api_key.expose()) };
        let response = request.json(&self.body(prompt)).send().await.map_err(|_| AgentError::Unreachable)?;
        let status = response.status();
        if !status.is_success() {
            let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            return Err(refused(status.as_u16(), after.map_or(Duration::ZERO, Duration::from_secs)));
        }
        let hearing = Hearing {
            response,
            parser: Parser::default(),
            events: VecDeque::new(),
            heard: VecDeque::new(),
            calls: Calls::default(),
            usage: Usage::default(),
            bytes: 0,
            is_over: false,
        };
        Ok(Box::pin(stream::unfold(Some(hearing), |hearing| async move {
            let mut hearing = hearing?;
            match hearing.next().await {
                Ok(event) => event.map(|event| (Ok(event), Some(hearing))),
                Err(error) => Some((Err(error), None)),
            }
        })))
    }
}

/// A stream that is being listened to.
struct Hearing {
    response: Response,
    parser: Parser,
    events: VecDeque<Event>,
    heard: VecDeque<ModelEvent>,
    calls: Calls,
    usage: Usage,
    bytes: usize,
    is_over: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: Ended,
        #[serde(default)]
        usage: Counted,
    },
    MessageStop,
    Error {
        error: Trouble,
    },
    /// Pings, ends of blocks, and what is not known yet.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: Counted,
}

#[derive(Deserialize, Default)]
struct Counted {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Arguments { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Ended {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Trouble {
    r#type: String,
}

impl Hearing {
    async fn next(&mut self) -> Result<Option<ModelEvent>, AgentError> {
        loop {
            if let Some(event) = self.heard.pop_front() {
                return Ok(Some(event));
            }
            if self.is_over {
                return Ok(None);
            }
            if let Some(event) = self.events.pop_front() {
                self.hear(&event)?;
                continue;
            }
            let piece = self.response.chunk().await.map_err(|_| AgentError::Unreachable)?;
            // A stream that ends without its last event was cut off.
            let piece = piece.ok_or(AgentError::Incomplete)?;
            self.bytes += piece.len();
            if self.bytes > MAX_STREAM_BYTES {
                return Err(AgentError::ReplyTooLong { limit: MAX_STREAM_BYTES });
            }
            self.parser.take(&piece, &mut self.events)?;
        }
    }

    fn hear(&mut self, event: &Event) -> Result<(), AgentError> {
        let said: Said = serde_json::from_str(&event.data)
            .map_err(|_| AgentError::Malformed("an event is not what the messages API documents"))?;
        match said {
            Said::MessageStart { message } => self.count(&message.usage),
            Said::ContentBlockStart { index, content_block } => match content_block {
                Block::Text { text } => self.text(text),
                Block::ToolUse { id, name } => self.calls.begin(index, Some(id), Some(name))?,
                Block::Other => {}
            },
            Said::ContentBlockDelta { index, delta } => match delta {
                Delta::Text { text } => self.text(text),
                Delta::Arguments { partial_json } => self.calls.add(index, &partial_json)?,
                Delta::Other => {}
            },
            Said::MessageDelta { delta, usage } => {
                self.count(&usage);
                if let Some(reason) = delta.stop_reason {
                    self.finish(&reason)?;
                }
            }
            Said::MessageStop => {
                self.heard.push_back(ModelEvent::Usage(self.usage));
                self.is_over = true;
            }
            Said::Error { error } => {
                return Err(match error.r#type.as_str() {
                    "overloaded_error" => AgentError::Unavailable { status: 529, after: Duration::ZERO },
                    "rate_limit_error" => AgentError::Unavailable { status: 429, after: Duration::ZERO },
                    "api_error" | "timeout_error" => AgentError::Unavailable { status: 500, after: Duration::ZERO },
                    _ => AgentError::Refused { status: 400 },
                });
            }
            Said::Other => {}
        }
        Ok(())
    }

    fn text(&mut self, text: String) {
        if !text.is_empty() {
            self.heard.push_back(ModelEvent::Text(text));
        }
    }

    const fn count(&mut self, counted: &Counted) {
        if let Some(tokens) = counted.input_tokens {
            self.usage.input_tokens = tokens;
        }
        if let Some(tokens) = counted.output_tokens {
            self.usage.output_tokens = tokens;
        }
    }

    fn finish(&mut self, reason: &str) -> Result<(), AgentError> {
        let finish = match reason {
            "end_turn" | "stop_sequence" => Finish::Stop,
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::Tools,
            "refusal" => Finish::Filtered,
            _ => return Err(AgentError::Malformed("the model ends for a reason that is not known")),
        };
        if finish == Finish::Tools {
            self.heard.extend(self.calls.take().map(ModelEvent::Call));
        }
        self.heard.push_back(ModelEvent::Finished(finish));
        Ok(())
    }
}
