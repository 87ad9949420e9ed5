//! Any server with an OpenAI-compatible chat completions API.
//!
//! Source: OpenAI API reference, *Create chat completion*, `stream: true` (server-sent events, `data: [DONE]` ends).

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::ReqwestService;
use async_openai::types::chat::{
    ChatCompletionMessageToolCall, ChatCompletionMessageToolCalls, ChatCompletionRequestAssistantMessageArgs,
    ChatCompletionRequestMessage, ChatCompletionRequestMessageContentPartImage, ChatCompletionRequestSystemMessageArgs,
    ChatCompletionRequestToolMessageArgs, ChatCompletionRequestUserMessageArgs,
    ChatCompletionRequestUserMessageContentPart, ChatCompletionStreamOptions, ChatCompletionTool,
    ChatCompletionToolChoiceOption, ChatCompletionTools, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
    FinishReason, FunctionCall, FunctionObject, ImageUrl, ToolChoiceOptions,
};
use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use trunkline_core::ConfigError;

use super::{
    Calls, Finish, LanguageModel, Message, ModelConfig, ModelEvent, ModelStream, Picture, Prompt, Usage, client,
    refused,
};
use crate::AgentError;
use crate::tools::{ToolCall, ToolSpec};

/// A model behind Chat Completions.
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    model: String,
}

impl OpenAi {
    /// Prepares the client; connects to nothing yet.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub(super) fn new(config: &ModelConfig) -> Result<Self, ConfigError> {
        let settings = OpenAIConfig::new()
            .with_api_base(config.base_url.trim_end_matches('/'))
            .with_api_key(config.api_key.expose());
        // Without the crate's own retries: whoever runs the turn decides about another try, within the turn's deadline.
        let client = Client::with_config(settings).with_http_service(ReqwestService::new(client()?));
        Ok(Self { client, model: config.model.clone() })
    }

    fn request(&self, prompt: &Prompt) -> Result<CreateChatCompletionRequest, OpenAIError> {
        let system = ChatCompletionRequestSystemMessageArgs::default().content(prompt.instructions.as_str()).build()?;
        let mut messages = vec![system.into()];
        for message in &prompt.messages {
            messages.push(said(message)?);
        }
        let mut request = CreateChatCompletionRequestArgs::default();
        request.model(&self.model).messages(messages).max_completion_tokens(prompt.max_tokens);
        request.stream_options(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
        if !prompt.tools.is_empty() {
            request.tools(prompt.tools.iter().map(tool).collect::<Vec<_>>());
            if !prompt.may_call {
                request.tool_choice(ChatCompletionToolChoiceOption::Mode(ToolChoiceOptions::None));
            }
        }
        request.build()
    }
}

fn tool(spec: &ToolSpec) -> ChatCompletionTools {
    ChatCompletionTools::Function(ChatCompletionTool {
        function: FunctionObject {
            name: spec.name.clone(),
            description: Some(spec.description.clone()),
            parameters: Some(spec.parameters.clone()),
            strict: None,
        },
    })
}

fn said(message: &Message) -> Result<ChatCompletionRequestMessage, OpenAIError> {
    Ok(match message {
        Message::Person { text, pictures } => {
            let mut message = ChatCompletionRequestUserMessageArgs::default();
            if pictures.is_empty() {
                message.content(text.expose().as_str());
            } else {
                message.content(parts(text.expose(), pictures));
            }
            message.build()?.into()
        }
        Message::Model { text, calls } => {
            let mut message = ChatCompletionRequestAssistantMessageArgs::default();
            if !text.expose().is_empty() || calls.is_empty() {
                message.content(text.expose().as_str());
            }
            if !calls.is_empty() {
                message.tool_calls(calls.iter().map(asked_for).collect::<Vec<_>>());
            }
            message.build()?.into()
        }
        Message::Result { id, content, .. } => ChatCompletionRequestToolMessageArgs::default()
            .tool_call_id(id)
            .content(content.expose().as_str())
            .build()?
            .into(),
    })
}

fn asked_for(call: &ToolCall) -> ChatCompletionMessageToolCalls {
    ChatCompletionMessageToolCalls::Function(ChatCompletionMessageToolCall {
        id: call.id.clone(),
        function: FunctionCall { name: call.name.clone(), arguments: call.arguments.expose().clone() },
    })
}

fn parts(text: &str, pictures: &[Picture]) -> Vec<ChatCompletionRequestUserMessageContentPart> {
    let text = (!text.is_empty()).then(|| ChatCompletionRequestUserMessageContentPart::Text(text.into()));
    let pictures = pictures.iter().map(|picture| {
        let url = format!("data:{};base64,{}", picture.content_type, picture.base64);
        ChatCompletionRequestUserMessageContentPart::ImageUrl(ChatCompletionRequestMessageContentPartImage {
            image_url: ImageUrl { url, detail: None },
            ..Default::default()
        })
    });
    text.into_iter().chain(pictures).collect()
}

#[async_trait]
impl LanguageModel for OpenAi {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ask(&self, prompt: &Prompt) -> Result<ModelStream, AgentError> {
        let request = self.request(prompt).map_err(|error| failure(&error))?;
        let mut request = serde_json::to_value(request).map_err(|_| AgentError::Malformed("it cannot be asked"))?;
        if let Some(members) = request.as_object_mut() {
            members.insert("stream".to_owned(), true.into());
        }
        let answer = self.client.chat().create_stream_byot(request).await.map_err(|error| failure(&error))?;
        let mut calls = Calls::default();
        Ok(Box::pin(answer.flat_map(move |chunk| {
            let events = chunk.map_err(|error| failure(&error)).and_then(|chunk| heard(chunk, &mut calls));
            stream::iter(match events {
                Ok(events) => events.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        })))
    }
}

/// What is read of a chunk. Servers that take after the API leave out much of the rest.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<FinishReason>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Piece>>,
}

/// A piece of a call; the first has its name.
#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    index: u64,
    id: Option<String>,
    function: Option<PieceOfFunction>,
}

#[derive(Deserialize)]
struct PieceOfFunction {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// What one chunk says.
fn heard(chunk: Chunk, calls: &mut Calls) -> Result<Vec<ModelEvent>, AgentError> {
    let mut events = Vec::new();
    if let Some(choice) = chunk.choices.into_iter().next() {
        if choice.delta.refusal.is_some_and(|refusal| !refusal.is_empty()) {
            return Err(AgentError::Filtered);
        }
        events.extend(choice.delta.content.filter(|text| !text.is_empty()).map(ModelEvent::Text));
        for piece in choice.delta.tool_calls.unwrap_or_default() {
            let (index, function) = (piece.index, piece.function);
            let (name, arguments) = function.map_or((None, None), |function| (function.name, function.arguments));
            calls.begin(index, piece.id, name)?;
            calls.add(index, arguments.as_deref().unwrap_or_default())?;
        }
        if let Some(reason) = choice.finish_reason {
            let before = events.len();
            events.extend(calls.take().map(ModelEvent::Call));
            let wants_tools = events.len() > before;
            events.push(ModelEvent::Finished(match reason {
                // Some servers end with `stop` where tools are asked for.
                FinishReason::Stop | FinishReason::ToolCalls if wants_tools => Finish::Tools,
                FinishReason::Stop => Finish::Stop,
                FinishReason::Length => Finish::Length,
                FinishReason::ContentFilter => Finish::Filtered,
                FinishReason::ToolCalls | FinishReason::FunctionCall => {
                    return Err(AgentError::Malformed("the model wants a tool and does not say which"));
                }
            }));
        }
    }
    events.extend(chunk.usage.map(|usage| {
        ModelEvent::Usage(Usage { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens })
    }));
    Ok(events)
}

/// The client's errors may quote the server's answer: only their kind goes on.
fn failure(error: &OpenAIError) -> AgentError {
    match error {
        OpenAIError::ApiError(answer) => refused(answer.status_code.as_u16(), std::time::Duration::ZERO),
        OpenAIError::Reqwest(_) | OpenAIError::StreamError(_) => AgentError::Unreachable,
        _ => AgentError::Malformed("not what the chat completions API documents"),
    }
}
